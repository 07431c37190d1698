"""Values of expressions.

What is returned has no side effects: calls in an expression have been emitted as statements
before it, in order. If a later operand emits statements, the operands before it are first
saved, so that it cannot change them (P4_16, section 6.7, order of evaluation).
"""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallKind, ErrorMember
from p4embed.compiler.elaborate import calls, conversions, lvalues, operators
from p4embed.compiler.elaborate.context import Context, control_plane_name, enum_number
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderLiteral,
    HeaderPlace,
    InstanceValue,
    IntValue,
    InvalidHeader,
    LastElement,
    NextElement,
    StackLiteral,
    StackPlace,
    StructValue,
    Text,
    UnionElement,
    UnionMember,
    UnionPlace,
    Unsupported,
    Value,
    is_scalar,
    leaves,
    underlying,
)
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import (
    EnumType,
    StackType,
    StructType,
    TupleType,
    Type,
)


def evaluate(ctx: Context, expr: ast.Expression) -> Value:
    """The expression's value, converted to the type its context wants."""
    known = ctx.checked.constants.get(expr)
    if known is not None:
        return conversions.from_constant(ctx, known, ctx.type_of(expr), expr)
    value = natural(ctx, expr)
    wanted = ctx.checked.coercions.get(expr)
    return value if wanted is None else conversions.convert(ctx, value, ctx.resolve(wanted), expr)


def scalar(ctx: Context, expr: ast.Expression) -> ir.Expr:
    """The value of an expression that must be a scalar."""
    return conversions.as_scalar(ctx, evaluate(ctx, expr), expr)


def several(ctx: Context, exprs: Sequence[ast.Expression]) -> list[Value]:
    """Values of expressions that are evaluated one after the other."""
    values: list[Value] = []
    for expr in exprs:
        mark = len(ctx.out)
        value = evaluate(ctx, expr)
        if len(ctx.out) > mark and values:
            late = ctx.out[mark:]
            del ctx.out[mark:]
            values = [keep(ctx, v) for v in values]
            ctx.out.extend(late)
        values.append(value)
    return values


def keep(ctx: Context, value: Value) -> Value:
    """The value as it is now, whatever is stored later."""
    if isinstance(value, StructValue):
        return StructValue({k: keep(ctx, v) for k, v in value.fields.items()})
    if isinstance(value, HeaderLiteral):
        return HeaderLiteral(value.type, {k: keep(ctx, v) for k, v in value.fields.items()})
    if isinstance(value, HeaderPlace | ElementPlace):
        copy = ctx.storage.header(value.type, f"{ctx.scope.path}.tmp", value.type.declaration.span)
        lvalues.store(ctx, copy, value, value.type.declaration.span)
        return copy
    if isinstance(value, UnionPlace | UnionElement):
        place = ctx.storage.union(value.type, f"{ctx.scope.path}.tmp", value.type.declaration.span)
        lvalues.store(ctx, place, value, value.type.declaration.span)
        return place
    if is_scalar(value):
        return ctx.save(value)
    return value


# --- by form -----------------------------------------------------------------------


def natural(ctx: Context, expr: ast.Expression) -> Value:
    """The expression's value, before its context converts it."""
    match expr:
        case ast.PathExpression():
            return _path(ctx, expr)
        case ast.IntLiteral(value=value, width=None):
            return IntValue(value)
        case ast.IntLiteral(value=value, width=int() as width, signed=signed):
            return fold.const(value, ir.Bits(width, signed))
        case ast.BoolLiteral(value=flag):
            return fold.bool_const(flag)
        case ast.StringLiteral(value=text):
            return Text(text)
        case ast.Member():
            return _member(ctx, expr)
        case ast.Index():
            return _index(ctx, expr)
        case ast.Slice(base=base, high=high, low=low):
            return fold.slice_bits(scalar(ctx, base), number(ctx, high), number(ctx, low))
        case ast.Unary():
            return operators.unary(ctx, expr)
        case ast.Binary():
            return _binary(ctx, expr)
        case ast.Ternary():
            return _ternary(ctx, expr)
        case ast.Cast(type=node, operand=operand):
            return conversions.explicit_cast(
                ctx, evaluate(ctx, operand), ctx.resolve(ctx.checked.type_nodes[node]), operand
            )
        case ast.Call():
            result = calls.call(ctx, expr)
            assert result is not None, "a void call has no value"
            return result
        case ast.ListExpression(elements=elements, dots=dots):
            return _list(ctx, expr, elements, dots)
        case ast.StructExpression():
            return _struct(ctx, expr)
        case ast.InvalidHeader() | ast.Dots():
            return conversions.default_value(ctx.type_of(expr), expr)
        case ast.TupleKeyset(elements=elements):
            parts = several(ctx, elements)
            return StructValue({str(i): p for i, p in enumerate(parts)})
    raise Unsupported("this expression is not supported on target bmv2 here", expr.span)


def number(ctx: Context, expr: ast.Expression) -> int:
    """A number that is known while compiling."""
    value = evaluate(ctx, expr)
    match value:
        case IntValue(n) | ir.Const(n):
            return n
    raise Unsupported("this must be known while compiling", expr.span)


def _path(ctx: Context, expr: ast.PathExpression) -> Value:
    declaration = ctx.checked.names[expr]
    assert isinstance(declaration, ast.Declaration)
    found = ctx.scope.find(declaration)
    if found is not None:
        return found
    if isinstance(declaration, ast.Instantiation):
        return instance_value(ctx, declaration)
    if isinstance(declaration, ast.ConstantDeclaration):
        return evaluate(ctx, declaration.value)
    raise Unsupported(f"'{expr.name}' is not supported on target bmv2 here", expr.span)


def instance_value(ctx: Context, declaration: ast.Instantiation) -> InstanceValue:
    """The instance that a declaration in scope has made."""
    instance = ctx.scope.child_instance(declaration)
    if instance is not None:
        scope = ctx.scope
        while scope.instance is None and scope.parent is not None:
            scope = scope.parent
        return InstanceValue(instance, control_plane_name(scope.path, declaration))
    return InstanceValue(ctx.checked.instances[declaration], control_plane_name("", declaration))


def _member(ctx: Context, expr: ast.Member) -> Value:
    resolved = ctx.checked.names.get(expr)
    match resolved:
        case ErrorMember(declaration):
            return fold.const(ctx.world.error_number(declaration.name), ir.BIT32)
        case ast.EnumMember():
            enum = underlying(ctx.natural_type(expr))
            assert isinstance(enum, EnumType)
            return fold.const(enum_number(enum, resolved.name), ir.BIT32)
    if isinstance(expr.base, ast.Call):
        info = ctx.checked.calls[expr.base]
        if info.kind is CallKind.TABLE_APPLY and expr.member in ("hit", "miss"):
            return calls.apply_result(ctx, expr.base, expr.member == "hit")
    base = evaluate(ctx, expr.base)
    return member_of(ctx, base, expr.member, expr)


def member_of(ctx: Context, base: Value, name: str, expr: ast.Expression) -> Value:
    """`base.name` for a field, or for `next`, `last`, `lastIndex`, `size` of a stack."""
    match base:
        case StructValue(fields):
            return fields[name]
        case HeaderLiteral(_, fields):
            return fields[name]
        case NextElement(stack) | LastElement(stack) if stack.kind == "header_union_stack":
            union = stack.type.element
            assert isinstance(union, StructType)
            member = union.find(name)
            assert member is not None
            assert isinstance(member.type, StructType)
            return UnionMember(base, name, member.type)
        case HeaderPlace() | ElementPlace() | LastElement() | UnionMember():
            return lvalues.header_field(ctx, base, name, expr.span)
        case InvalidHeader(type_):
            declared = type_.find(name)
            assert declared is not None
            return conversions.default_value(declared.type, expr)
        case UnionPlace(members=members):
            return members[name]
        case UnionElement():
            return base.member(name)
        case StackPlace():
            match name:
                case "next":
                    return NextElement(base)
                case "last":
                    return LastElement(base)
                case "lastIndex":
                    return ir.LastIndex(base.name)
                case "size":
                    return fold.const(base.type.size, ir.BIT32)
    raise Unsupported(f"'.{name}' is not supported on target bmv2 here", expr.span)


def _index(ctx: Context, expr: ast.Index) -> Value:
    base = evaluate(ctx, expr.base)
    if isinstance(base, StructValue):
        return base.fields[str(number(ctx, expr.index))]
    return element_of(ctx, base, expr)


def element_of(ctx: Context, base: Value, expr: ast.Index) -> Value:
    """`base[index]` of a header stack."""
    index = evaluate(ctx, expr.index)
    if isinstance(base, StackLiteral) and isinstance(index, IntValue | ir.Const):
        return base.elements[index.value]
    if not isinstance(base, StackPlace):
        raise Unsupported("this index is not supported on target bmv2", expr.span)
    if isinstance(index, IntValue | ir.Const):
        if not 0 <= index.value < base.type.size:
            raise Unsupported(
                f"index {index.value} is outside of '{base.name}', "
                f"which has {base.type.size} elements",
                expr.index.span,
            )
        return base.elements[index.value]
    element_type = base.type.element
    assert isinstance(element_type, StructType)
    if not fold.is_leaf(conversions.as_scalar(ctx, index, expr.index)):
        index = ctx.save(conversions.as_scalar(ctx, index, expr.index), "index")
    element = ir.StackElement(base.name, conversions.as_scalar(ctx, index, expr.index))
    place = UnionElement if element_type.is_union else ElementPlace
    return place(element, element_type)


def _binary(ctx: Context, expr: ast.Binary) -> Value:
    if expr.op in ("&&", "||"):
        return _short_circuit(ctx, expr)
    left, right = several(ctx, (expr.left, expr.right))
    return operators.binary(ctx, expr.op, left, right, expr)


def _short_circuit(ctx: Context, expr: ast.Binary) -> Value:
    left = scalar(ctx, expr.left)
    with ctx.collecting() as later:
        right = scalar(ctx, expr.right)
    is_and = expr.op == "&&"
    if isinstance(left, ir.BoolConst) and left.value != is_and:
        return left
    if not later:
        return fold.logical_and(left, right) if is_and else fold.logical_or(left, right)
    result = ctx.temporary(ir.BOOL, "condition")
    ctx.emit(tree.Assign(result, left, expr.span))
    later.append(tree.Assign(result, right, expr.span))
    branch = result if is_and else fold.logical_not(result)
    ctx.emit(tree.If(branch, later, [], expr.span))
    return result


def _ternary(ctx: Context, expr: ast.Ternary) -> Value:
    condition = scalar(ctx, expr.condition)
    with ctx.collecting() as first:
        yes = evaluate(ctx, expr.then)
    with ctx.collecting() as second:
        no = evaluate(ctx, expr.otherwise)
    if isinstance(condition, ir.BoolConst):
        ctx.out.extend(first if condition.value else second)
        return yes if condition.value else no
    type_ = ctx.type_of(expr)
    yes, no = conversions.convert(ctx, yes, type_, expr), conversions.convert(ctx, no, type_, expr)
    if is_scalar(yes) and is_scalar(no) and not first and not second:
        return fold.choice(condition, yes, no)
    result = ctx.storage.allocate(type_, f"{ctx.scope.path}.tmp", expr.span)
    for branch, value in ((first, yes), (second, no)):
        with ctx.collecting() as stores:
            lvalues.store(ctx, result, value, expr.span)
        branch.extend(stores)
    ctx.emit(tree.If(condition, first, second, expr.span))
    return result


def _list(ctx: Context, expr: ast.Expression, elements: list[ast.Expression], dots: bool) -> Value:
    parts = several(ctx, elements)
    wanted = underlying(ctx.type_of(expr))
    names = [str(i) for i in range(len(parts))]
    types: list[Type] = []
    match wanted:
        case StructType():
            names = [f.name for f in wanted.fields]
            types = [f.type for f in wanted.fields]
        case TupleType(element_types):
            types = list(element_types)
            names = [str(i) for i in range(len(types))]
        case StackType(element, size):
            types = [element] * size
            names = [str(i) for i in range(size)]
    fields: dict[str, Value] = {}
    for i, name in enumerate(names):
        if i < len(parts):
            fields[name] = (
                conversions.convert(ctx, parts[i], types[i], elements[i]) if types else parts[i]
            )
        elif dots:
            fields[name] = conversions.default_value(types[i], expr)
    return StructValue(fields)


def _struct(ctx: Context, expr: ast.StructExpression) -> Value:
    parts = several(ctx, [f.value for f in expr.fields])
    given = {f.name: (p, f.value) for f, p in zip(expr.fields, parts, strict=True)}
    wanted = underlying(ctx.type_of(expr))
    if not isinstance(wanted, StructType):
        return StructValue({name: value for name, (value, _) in given.items()})
    fields: dict[str, Value] = {}
    for f in wanted.fields:
        if f.name in given:
            value, node = given[f.name]
            fields[f.name] = conversions.convert(ctx, value, f.type, node)
        elif expr.dots:
            fields[f.name] = conversions.default_value(f.type, expr)
    return HeaderLiteral(wanted, fields) if wanted.is_header else StructValue(fields)


def scalar_leaves(ctx: Context, value: Value, expr: ast.Expression) -> list[ir.Expr]:
    """The scalars a list, struct or header is made of, in order."""
    result: list[ir.Expr] = []
    for leaf in leaves(value):
        if isinstance(leaf, HeaderPlace | ElementPlace):
            for f in leaf.type.fields:
                result += scalar_leaves(ctx, member_of(ctx, leaf, f.name, expr), expr)
        elif isinstance(leaf, StackPlace):
            for e in leaf.elements:
                result += scalar_leaves(ctx, e, expr)
        else:
            result.append(conversions.as_scalar(ctx, leaf, expr))
    return result
