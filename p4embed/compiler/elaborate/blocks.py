"""Controls, functions and actions called from elsewhere: their bodies take the call's place."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.ast.walk import walk
from p4embed.compiler.checked import BoundArgument, CallInfo, Instance
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import calls, conversions, expressions, statements
from p4embed.compiler.elaborate.context import (
    Context,
    CopyOut,
    ReturnTarget,
    Scope,
    control_plane_name,
)
from p4embed.compiler.elaborate.values import (
    InstanceValue,
    IntValue,
    Unsupported,
    Value,
    touches,
)
from p4embed.compiler.ir import tree
from p4embed.compiler.types import VoidType

DEEPEST_CALL = 64
"""P4 has no recursion; a chain of calls longer than this is taken for one."""


def call_function(ctx: Context, expr: ast.Call, info: CallInfo) -> Value | None:
    """A function with a body; its result in a temporary."""
    declaration = info.declaration
    assert isinstance(declaration, ast.FunctionDeclaration)
    scope = Scope(
        None,
        None,
        f"{ctx.scope.path}.{declaration.name}",
        types={v: ctx.resolve(t) for v, t in info.type_arguments.items()},
    )
    _check_depth(ctx, expr.span)
    copies = calls.bind(ctx, info.arguments, scope, expr.span, body=declaration.body)
    result = None
    type_ = ctx.resolve(info.result)
    if not isinstance(type_, VoidType):
        result = ctx.storage.allocate(type_, f"{scope.path}.return", expr.span)
    run_body(ctx, scope, declaration.body, copies, result)
    return result


def call_action(ctx: Context, expr: ast.Call, info: CallInfo) -> None:
    """An action called from a control, or from another action."""
    declaration = info.declaration
    assert isinstance(declaration, ast.ActionDeclaration)
    scope = Scope(action_scope(ctx, declaration), None, ctx.scope.path)
    _check_depth(ctx, expr.span)
    sees = storage_seen(scope.parent, ctx, declaration.body)
    copies = calls.bind(ctx, info.arguments, scope, expr.span, body=declaration.body, sees=sees)
    if ctx.in_action:
        run_body(ctx, scope, declaration.body, copies)
    else:
        inner = ctx.inside(scope, None)
        inner.in_action = True
        with inner.collecting() as body:
            run_body(inner, scope, declaration.body, copies)
        name = action_name(ctx, declaration)
        ctx.world.claim("action", name, declaration, declaration.name_span)
        ctx.world.used_actions.add(name)
        ctx.emit(tree.CallAction(name, body, expr.span))


def action_scope(ctx: Context, declaration: ast.ActionDeclaration) -> Scope | None:
    """The scope an action's body sees: its control's, or nothing at the top level."""
    scope: Scope | None = ctx.scope
    while scope is not None:
        if scope.instance is not None:
            owner = scope.instance.declaration
            local = owner.locals if isinstance(owner, ast.ControlDeclaration) else []
            if any(d is declaration for d in local):
                return scope
        scope = scope.parent
    return None


def storage_seen(outer: Scope | None, ctx: Context, body: ast.Block) -> set[tuple[str, str]]:
    """The storage that an action's body names, its own parameters excepted (see `touches`)."""
    seen: set[tuple[str, str]] = set()
    if outer is None:
        return seen
    for node in walk(body):
        if not isinstance(node, ast.PathExpression):
            continue
        declaration = ctx.checked.names.get(node)
        if isinstance(declaration, ast.ActionDeclaration):
            if declaration.body is not body:
                seen |= storage_seen(outer, ctx, declaration.body)
        elif isinstance(declaration, ast.Declaration):
            value = outer.find(declaration)
            if value is not None:
                seen |= set(touches(value))
    return seen


def _owner_path(ctx: Context, declaration: ast.ActionDeclaration) -> str:
    scope = action_scope(ctx, declaration)
    return "" if scope is None else scope.path


def action_name(ctx: Context, declaration: ast.ActionDeclaration) -> str:
    """Control-plane name of an action that is visible here."""
    return control_plane_name(_owner_path(ctx, declaration), declaration)


def run_body(
    ctx: Context,
    scope: Scope,
    body: ast.Block,
    copies: list[CopyOut],
    result: Value | None = None,
) -> None:
    """Elaborate a body in `scope`; `return` inside ends it. Then copy out."""
    label = tree.Label(f"{scope.path}.return")
    inner = ctx.inside(scope, ReturnTarget(label, result))
    inner.copies = (copies, *ctx.copies)
    with inner.collecting() as out:
        statements.execute_block(inner, body)
    ctx.emit(tree.Block(label, out))
    calls.copy_out(ctx, copies)


def call_control(ctx: Context, expr: ast.Call, info: CallInfo) -> None:
    """`control.apply(...)`."""
    target = receiver_instance(ctx, expr, info)
    declaration = target.instance.declaration
    assert isinstance(declaration, ast.ControlDeclaration)
    scope = instance_scope(ctx, target.instance, target.path)
    _check_depth(ctx, expr.span)
    copies = calls.bind(ctx, _with_parameters(info, declaration.parameters), scope, expr.span)
    run_control(ctx, scope, declaration, copies)


def _with_parameters(info: CallInfo, parameters: list[ast.Parameter]) -> list[BoundArgument]:
    """The arguments by the parameters of what is really called: a constructor parameter's
    type declares parameters of its own."""
    return [
        BoundArgument(parameter, argument.type, argument.value)
        for parameter, argument in zip(parameters, info.arguments, strict=True)
    ]


def receiver_instance(ctx: Context, expr: ast.Call, info: CallInfo) -> InstanceValue:
    """The parser or control instance that an `apply` runs."""
    receiver = info.receiver
    if isinstance(receiver, ast.TypeExpression) or receiver is None:
        instance = ctx.scope.child_instance(expr)
        if instance is None:
            raise Unsupported("this call is not supported on target bmv2", expr.span)
        return InstanceValue(instance, f"{ctx.scope.path}.{instance.declaration.name}")
    value = expressions.natural(ctx, receiver)
    if not isinstance(value, InstanceValue):
        raise Unsupported("this call is not supported on target bmv2", expr.span)
    return value


def instance_scope(ctx: Context, instance: Instance, path: str) -> Scope:
    """The scope of a parser's or control's body: constructor parameters bound."""
    scope = Scope(None, instance, path, types=dict(instance.type_arguments))
    declaration = instance.declaration
    assert isinstance(declaration, ast.ControlDeclaration | ast.ParserDeclaration)
    for parameter in declaration.constructor_parameters:
        given = instance.constructor_arguments.get(parameter.name)
        if given is None:
            continue
        if isinstance(given, Instance):
            scope.bindings[parameter] = InstanceValue(given, ctx.world.paths[given])
        elif isinstance(given, int) and not isinstance(given, bool):
            type_ = ctx.checked.declared.get(parameter)
            value: Value = IntValue(given)
            if type_ is not None:
                value = conversions.from_constant(
                    ctx, given, type_, ast.IntLiteral(parameter.span, given)
                )
            scope.bindings[parameter] = value
        else:
            type_ = ctx.checked.declared[parameter]
            scope.bindings[parameter] = conversions.from_constant(
                ctx, given, type_, ast.IntLiteral(parameter.span, 0)
            )
    return scope


def run_control(
    ctx: Context,
    scope: Scope,
    declaration: ast.ControlDeclaration,
    copies: list[CopyOut],
) -> None:
    """Elaborate a control's locals and its apply block. Then copy out."""
    label = tree.Label(f"{scope.path}.return")
    inner = ctx.inside(scope, ReturnTarget(label, None))
    inner.copies = (copies, *ctx.copies)
    with inner.collecting() as out:
        for local in declaration.locals:
            statements.declare(inner, local)
        statements.execute_block(inner, declaration.body)
    ctx.emit(tree.Block(label, out))
    calls.copy_out(ctx, copies)


def _check_depth(ctx: Context, span: Span) -> None:
    if ctx.depth > DEEPEST_CALL:
        raise Unsupported("calls are nested too deeply; recursion is not allowed in P4", span)
