"""Tables: keys, actions, default action, entries and properties."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.ast import Direction
from p4embed.compiler.checked import BoundArgument, CallInfo, CallKind
from p4embed.compiler.elaborate import blocks, calls, conversions, entries, expressions, externs
from p4embed.compiler.elaborate.context import Context, Scope, Site, control_plane_name
from p4embed.compiler.elaborate.key_names import key_name
from p4embed.compiler.elaborate.values import (
    InstanceValue,
    IntValue,
    Unsupported,
    scalar_type,
)
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import VOID

DEFAULT_SIZE = 1024
"""Entries of a table without `size`."""

KNOWN_PROPERTIES = frozenset(
    (
        "default_action",
        "size",
        "counters",
        "meters",
        "implementation",
        "support_timeout",
        "largest_priority_wins",
        "priority_delta",
    )
)


def apply(
    ctx: Context,
    expr: ast.Call,
    info: CallInfo,
    *,
    hit: list[tree.Statement] | None = None,
    miss: list[tree.Statement] | None = None,
    switch: dict[ast.ActionDeclaration | None, list[tree.Statement]] | None = None,
) -> None:
    """`table.apply()`, followed by branches by hit and miss, or by the action that ran."""
    declaration = info.declaration
    assert isinstance(declaration, ast.TableDeclaration)
    if ctx.site not in (Site.INGRESS, Site.EGRESS) or ctx.in_action:
        where = "an action" if ctx.in_action else ctx.site.title
        raise Unsupported(f"applying a table in {where} is not supported on target bmv2", expr.span)
    scope = _owner(ctx, declaration)
    known = ctx.world.tables.get((id(scope.instance), declaration))
    targets = _evaluate_keys(ctx, declaration, known)
    if known is None:
        known = _build(ctx, scope, declaration, targets)
        ctx.world.tables[id(scope.instance), declaration] = known
    by_action = None
    if switch is not None:
        by_action = {}
        for i in range(len(known.actions)):
            branch = switch.get(_declaration_of(ctx, declaration, i), switch.get(None))
            if branch:
                by_action[i] = branch
    ctx.emit(tree.Apply(known, hit, miss, by_action, expr.span))


def _owner(ctx: Context, declaration: ast.TableDeclaration) -> Scope:
    scope: Scope | None = ctx.scope
    while scope is not None:
        if scope.instance is not None:
            return scope
        scope = scope.parent
    raise AssertionError(f"table {declaration.name} outside of a control")


# --- keys --------------------------------------------------------------------------


def _evaluate_keys(
    ctx: Context, declaration: ast.TableDeclaration, known: tree.Table | None
) -> list[ir.FieldRef]:
    """Where each key is read from; an expression is first stored in a temporary."""
    elements = declaration.key or []
    values = expressions.several(ctx, [e.expression for e in elements])
    targets: list[ir.FieldRef] = []
    for i, (element, value) in enumerate(zip(elements, values, strict=True)):
        expr = conversions.as_scalar(ctx, value, element.expression)
        if isinstance(expr, ir.Valid):
            expr = ir.FieldRef(expr.instance, "$valid$", ir.BOOL)
        if isinstance(expr.type, ir.VarBits):
            raise Unsupported("a varbit key is not supported on target bmv2", element.span)
        if known is not None:
            target = known.keys[i].target
            if expr != target:
                ctx.emit(tree.Assign(target, expr, element.span))
        elif isinstance(expr, ir.FieldRef):
            target = expr
        else:
            target = ctx.temporary(expr.type, f"{declaration.name}.key")
            ctx.emit(tree.Assign(target, expr, element.span))
        targets.append(target)
    return targets


# --- the table ---------------------------------------------------------------------


def _build(
    ctx: Context, scope: Scope, declaration: ast.TableDeclaration, targets: list[ir.FieldRef]
) -> tree.Table:
    for property_ in declaration.properties:
        if property_.name not in KNOWN_PROPERTIES:
            ctx.world.diagnostics.warning(
                f"table property '{property_.name}' has no meaning on target bmv2",
                property_.span,
            )
    elements = declaration.key or []
    name = control_plane_name(scope.path, declaration)
    if any(t.name == name for t in ctx.world.tables.values()):
        raise Unsupported(
            f"two tables have the control-plane name '{name}'",
            declaration.name_span,
            'give one of them another name with @name("...")',
        )
    table = tree.Table(
        name,
        [
            ir.Key(target, element.match_kind, key_name(ctx.checked, element))
            for target, element in zip(targets, elements, strict=True)
            if element.match_kind != "selector"
        ],
        [],
        source=declaration.span,
    )
    owner = ctx.inside(scope, None)
    owner.in_action = True
    for reference in declaration.actions or []:
        table.actions.append(_action(owner, ctx.checked.action_calls[reference]))
    _default_action(owner, declaration, table)
    _properties(owner, declaration, table, targets)
    if declaration.entries is not None:
        entries.add_entries(owner, declaration, table)
    return table


def _declaration_of(
    ctx: Context, declaration: ast.TableDeclaration, index: int
) -> ast.ActionDeclaration | None:
    """The action in place `index` of the table's list; what follows the list is NoAction."""
    references = declaration.actions or []
    if index >= len(references):
        return no_action(ctx)
    action = ctx.checked.action_calls[references[index]].declaration
    assert isinstance(action, ast.ActionDeclaration)
    return action


def no_action(ctx: Context) -> ast.ActionDeclaration:
    """`NoAction` of core.p4."""
    for d in ctx.checked.program.declarations:
        if isinstance(d, ast.ActionDeclaration) and d.name == "NoAction":
            return d
    raise AssertionError("core.p4 declares no NoAction")


def _action(ctx: Context, info: CallInfo) -> tree.TableAction:
    """An action as the table runs it: parameters left open are data of the entry."""
    declaration = info.declaration
    assert isinstance(declaration, ast.ActionDeclaration)
    scope = Scope(blocks.action_scope(ctx, declaration), None, ctx.scope.path)
    params: list[ir.Param] = []
    bound: list[BoundArgument] = []
    for argument in info.arguments:
        if argument.value is not None:
            bound.append(argument)
            continue
        type_ = scalar_type(ctx.resolve(argument.type))
        if type_ is None or isinstance(type_, ir.VarBits):
            raise Unsupported(
                f"an action parameter of type '{argument.type}' is not supported on target bmv2",
                argument.parameter.span,
            )
        width = type_.width if isinstance(type_, ir.Bits) else 1
        scope.bindings[argument.parameter] = ir.ParamRef(
            len(params), argument.parameter.name, type_
        )
        params.append(ir.Param(argument.parameter.name, width))
    with ctx.collecting() as body:
        # Arguments are seen from the table, the body from where the action is declared.
        sees = blocks.storage_seen(scope.parent, ctx, declaration.body)
        copies = calls.bind(ctx, bound, scope, declaration.span, sees=sees)
        blocks.run_body(ctx, scope, declaration.body, copies)
    name = blocks.action_name(ctx, declaration)
    ctx.world.claim("action", name, declaration, declaration.name_span)
    ctx.world.used_actions.add(name)
    ctx.world.table_actions.add(name)
    return tree.TableAction(name, params, body, declaration.span)


def table_call(
    ctx: Context, declaration: ast.TableDeclaration, table: tree.Table, info: CallInfo
) -> tree.TableCall | None:
    """The action of a default action or an entry, with its data; None if not in the list."""
    for i, action in enumerate(table.actions):
        if _declaration_of(ctx, declaration, i) is info.declaration:
            return tree.TableCall(action, _action_data(ctx, info))
    return None


def _action_data(ctx: Context, info: CallInfo) -> tuple[int, ...]:
    data: list[int] = []
    for argument in info.arguments:
        if argument.parameter.direction is not Direction.NONE or argument.value is None:
            continue
        value = expressions.evaluate(ctx, argument.value)
        value = conversions.convert(ctx, value, ctx.resolve(argument.type), argument.value)
        match value:
            case ir.Const(number) | IntValue(number):
                data.append(number)
            case ir.BoolConst(flag):
                data.append(int(flag))
            case _:
                raise Unsupported("this must be known while compiling", argument.value.span)
    return tuple(data)


def _default_action(ctx: Context, declaration: ast.TableDeclaration, table: tree.Table) -> None:
    given = declaration.find("default_action")
    if given is None:
        nothing = no_action(ctx)
        info = CallInfo(
            CallKind.ACTION,
            nothing.name,
            nothing,
            None,
            {},
            (),
            VOID,
        )
    else:
        info = ctx.checked.action_calls[given.value]
        table.default_const = given.constant
    call = table_call(ctx, declaration, table, info)
    if call is None:
        if info.arguments:
            raise Unsupported(
                f"default action '{info.name}' is not among the table's actions",
                declaration.span,
            )
        table.actions.append(_action(ctx, info))
        call = tree.TableCall(table.actions[-1])
    table.default = call


def _properties(
    ctx: Context,
    declaration: ast.TableDeclaration,
    table: tree.Table,
    targets: list[ir.FieldRef],
) -> None:
    table.size = table_size(ctx, declaration)
    timeout = declaration.find("support_timeout")
    if timeout is not None:
        table.support_timeout = expressions.scalar(ctx, timeout.value) == fold.TRUE
    for property_name in ("counters", "meters", "implementation"):
        given = declaration.find(property_name)
        if given is None:
            continue
        instance = _property_instance(ctx, given)
        if property_name == "counters":
            externs.bind_direct_counter(ctx, instance, table, given)
        elif property_name == "meters":
            externs.bind_direct_meter(ctx, instance, table, given)
        else:
            inputs = [
                t
                for t, e in zip(targets, declaration.key or [], strict=True)
                if e.match_kind == "selector"
            ]
            externs.bind_implementation(ctx, instance, table, inputs, given)


def _property_instance(ctx: Context, given: ast.TableProperty) -> InstanceValue:
    if isinstance(given.value, ast.Call):
        instance = ctx.scope.child_instance(given.value)
        if instance is not None:
            name = next(
                (str(a.literals[0]) for a in given.annotations if a.name == "name"), given.name
            )
            # p4c gives such an instance the annotated name as it is, without a path.
            return InstanceValue(instance, name.removeprefix("."))
    else:
        value = expressions.natural(ctx, given.value)
        if isinstance(value, InstanceValue):
            return value
    raise Unsupported(f"'{given.name}' wants an extern instance on target bmv2", given.value.span)


def table_size(ctx: Context, declaration: ast.TableDeclaration) -> int:
    """The table's `size`; 1024 if there is none, or 0."""
    given = declaration.find("size")
    if given is None:
        return DEFAULT_SIZE
    return expressions.number(ctx, given.value) or DEFAULT_SIZE
