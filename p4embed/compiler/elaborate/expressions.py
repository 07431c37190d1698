"""Values of expressions.

What is returned has no side effects: calls in an expression have been emitted as statements
before it, in order. If a later operand emits statements, the operands before it are first
saved, so that it cannot change them (P4_16, section 6.7, order of evaluation).
"""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.compiler import ast, checked, fold, ir, tree
from p4embed.compiler.checked import CallKind, ErrorMember
from p4embed.compiler.elaborate import calls, lvalues
from p4embed.compiler.elaborate.context import Context, control_plane_name, enum_number, int_to
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
    UnionPlace,
    Unsupported,
    Value,
    is_scalar,
    leaves,
    scalar_type,
    underlying,
)
from p4embed.compiler.types import (
    BitType,
    EnumType,
    ErrorType,
    IntType,
    NewType,
    StackType,
    StructType,
    TupleType,
    Type,
)


def evaluate(ctx: Context, expr: ast.Expression) -> Value:
    """The expression's value, converted to the type its context wants."""
    known = ctx.checked.constants.get(expr)
    if known is not None:
        return from_constant(ctx, known, ctx.type_of(expr), expr)
    value = natural(ctx, expr)
    wanted = ctx.checked.coercions.get(expr)
    return value if wanted is None else convert(ctx, value, ctx.resolve(wanted), expr)


def scalar(ctx: Context, expr: ast.Expression) -> ir.Expr:
    """The value of an expression that must be a scalar."""
    return as_scalar(ctx, evaluate(ctx, expr), expr)


def as_scalar(ctx: Context, value: Value, expr: ast.Expression) -> ir.Expr:
    """The value as a scalar of the expression's type."""
    if isinstance(value, IntValue):
        return int_to(value, underlying(ctx.type_of(expr)), expr.span)
    if not is_scalar(value):
        raise Unsupported(
            f"a value of type '{ctx.type_of(expr)}' is not supported on target bmv2 here",
            expr.span,
        )
    return value


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
    if is_scalar(value):
        return ctx.save(value)
    return value


# --- constants ---------------------------------------------------------------------


def from_constant(ctx: Context, value: checked.Value, type_: Type, expr: ast.Expression) -> Value:
    """A compile-time value as the elaborator has it."""
    match value:
        case bool():
            return fold.bool_const(value)
        case int():
            plain = scalar_type(type_)
            return fold.const(value, plain) if isinstance(plain, ir.Bits) else IntValue(value)
        case str():
            return Text(value)
        case checked.ErrorValue(name):
            return fold.const(ctx.world.error_number(name), ir.BIT32)
        case checked.EnumValue(enum, name, number):
            if enum.underlying is None:
                return fold.const(enum_number(enum, name), ir.BIT32)
            assert number is not None
            return fold.const(number, ir.Bits(enum.underlying.width, enum.underlying.signed))
        case checked.TupleValue(elements):
            types = underlying(type_)
            parts = types.elements if isinstance(types, TupleType) else ()
            named: dict[str, Value] = {}
            for i, e in enumerate(elements):
                named[str(i)] = from_constant(ctx, e, parts[i] if parts else type_, expr)
            return StructValue(named)
        case checked.StructValue(struct, fields):
            by_name = {}
            for name, v in fields:
                declared = None if struct is None else struct.find(name)
                by_name[name] = from_constant(
                    ctx, v, type_ if declared is None else declared.type, expr
                )
            if struct is not None and struct.is_header:
                return HeaderLiteral(struct, by_name)
            return StructValue(by_name)
        case checked.InvalidHeaderValue(header):
            return InvalidHeader(header)
        case checked.StackValue(stack, elements):
            return StackLiteral(tuple(from_constant(ctx, e, stack.element, expr) for e in elements))
    raise Unsupported("this constant is not supported on target bmv2", expr.span)


def convert(ctx: Context, value: Value, type_: Type, expr: ast.Expression) -> Value:
    """The value converted implicitly to `type_`."""
    type_ = underlying(type_)
    if isinstance(value, IntValue):
        return value if isinstance(type_, IntType) else int_to(value, type_, expr.span)
    target = scalar_type(type_)
    if target is not None and is_scalar(value):
        if isinstance(target, ir.VarBits):
            return value
        return fold.cast(value, target)
    if isinstance(value, StructValue):
        parts = list(value.fields.values())
        match type_:
            case StructType() if not type_.is_union:
                named = all(k in {f.name for f in type_.fields} for k in value.fields)
                fields = {
                    f.name: convert(ctx, value.fields[f.name] if named else parts[i], f.type, expr)
                    for i, f in enumerate(type_.fields)
                }
                return HeaderLiteral(type_, fields) if type_.is_header else StructValue(fields)
            case TupleType(elements):
                return StructValue(
                    {str(i): convert(ctx, parts[i], e, expr) for i, e in enumerate(elements)}
                )
            case StackType(element):
                return StackLiteral(tuple(convert(ctx, p, element, expr) for p in parts))
    return value


def default_value(type_: Type, expr: ast.Expression) -> Value:
    """What `...` gives a field of that type: 0, false, NoError, invalid."""
    target = scalar_type(type_)
    match target:
        case ir.Bits():
            return fold.const(0, target)
        case ir.Bool():
            return fold.FALSE
    match underlying(type_):
        case StructType() as struct if struct.is_header or struct.is_union:
            return InvalidHeader(struct)
        case StructType() as struct:
            return StructValue({f.name: default_value(f.type, expr) for f in struct.fields})
        case TupleType(elements):
            return StructValue({str(i): default_value(e, expr) for i, e in enumerate(elements)})
        case StackType(element, size):
            return StackLiteral(tuple(default_value(element, expr) for _ in range(size)))
    raise Unsupported(f"type '{type_}' has no default value on target bmv2", expr.span)


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
            return _unary(ctx, expr)
        case ast.Binary():
            return _binary(ctx, expr)
        case ast.Ternary():
            return _ternary(ctx, expr)
        case ast.Cast(type=node, operand=operand):
            return explicit_cast(
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
            return default_value(ctx.type_of(expr), expr)
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
        case HeaderPlace() | ElementPlace() | LastElement():
            return lvalues.header_field(ctx, base, name, expr.span)
        case InvalidHeader(type_):
            declared = type_.find(name)
            assert declared is not None
            return default_value(declared.type, expr)
        case UnionPlace(members=members):
            return members[name]
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
    if not fold.is_leaf(as_scalar(ctx, index, expr.index)):
        index = ctx.save(as_scalar(ctx, index, expr.index), "index")
    return ElementPlace(ir.StackElement(base.name, as_scalar(ctx, index, expr.index)), element_type)


_UNARY_INT = {"-": lambda a: -a, "+": lambda a: a, "~": lambda a: ~a}


def _unary(ctx: Context, expr: ast.Unary) -> Value:
    operand = evaluate(ctx, expr.operand)
    if isinstance(operand, IntValue):
        return IntValue(_UNARY_INT[expr.op](operand.value))
    value = as_scalar(ctx, operand, expr.operand)
    if expr.op == "+":
        return value
    return fold.unary("not" if expr.op == "!" else expr.op, value)


def _int_binary(op: str, a: int, b: int, expr: ast.Expression) -> Value:
    match op:
        case "+":
            return IntValue(a + b)
        case "-":
            return IntValue(a - b)
        case "*":
            return IntValue(a * b)
        case "/" if b > 0:
            return IntValue(a // b)
        case "%" if b > 0:
            return IntValue(a % b)
        case "<<":
            return IntValue(a << b)
        case ">>":
            return IntValue(a >> b)
        case "&":
            return IntValue(a & b)
        case "|":
            return IntValue(a | b)
        case "^":
            return IntValue(a ^ b)
        case "==" | "!=" | "<" | "<=" | ">" | ">=":
            type_ = ir.Bits(max(a.bit_length(), b.bit_length()) + 1, signed=True)
            return fold.compare(op, ir.Const(a, type_), ir.Const(b, type_))
    raise Unsupported(f"'{op}' of these numbers is not defined", expr.span)


def _binary(ctx: Context, expr: ast.Binary) -> Value:
    if expr.op in ("&&", "||"):
        return _short_circuit(ctx, expr)
    left, right = several(ctx, (expr.left, expr.right))
    return binary(ctx, expr.op, left, right, expr)


def binary(
    ctx: Context,
    op: str,
    left: Value,
    right: Value,
    expr: ast.Expression,
) -> Value:
    """`left op right` of values (not `&&` and `||`)."""
    if isinstance(left, IntValue) and isinstance(right, IntValue):
        return _int_binary(op, left.value, right.value, expr)
    if op in ("<<", ">>"):
        if isinstance(right, IntValue):
            right = ir.Const(right.value, ir.Bits(max(1, right.value.bit_length())))
        if not is_scalar(left) or not is_scalar(right):
            raise Unsupported(
                f"'{op}' of a number without width is not supported on target bmv2", expr.span
            )
        return fold.shift(op, left, right)
    if isinstance(left, IntValue) and is_scalar(right):
        left = fold.const(left.value, fold.bits_of(right))
    if isinstance(right, IntValue) and is_scalar(left):
        right = fold.const(right.value, fold.bits_of(left))
    if op in ("==", "!="):
        equal = equality(ctx, left, right, expr)
        return equal if op == "==" else fold.logical_not(equal)
    if not (is_scalar(left) and is_scalar(right)):
        raise Unsupported(f"'{op}' of these values is not supported on target bmv2", expr.span)
    if op == "++":
        return fold.concat(left, right)
    return fold.binary(op, left, right)


def equality(ctx: Context, left: Value, right: Value, expr: ast.Expression) -> ir.Expr:
    """`left == right` of scalars, structs, tuples, headers or stacks."""
    if is_scalar(left) and is_scalar(right):
        if isinstance(left.type, ir.VarBits):
            raise Unsupported("comparing varbits is not supported on target bmv2", expr.span)
        return fold.compare("==", left, right)
    headers = (HeaderPlace, ElementPlace, HeaderLiteral, InvalidHeader)
    if isinstance(left, headers) and isinstance(right, headers):
        return _header_equality(ctx, left, right, expr)
    parts_left, parts_right = _parts(left), _parts(right)
    if parts_left is None or parts_right is None or len(parts_left) != len(parts_right):
        raise Unsupported("this comparison is not supported on target bmv2", expr.span)
    result: ir.Expr = fold.TRUE
    for a, b in zip(parts_left, parts_right, strict=True):
        result = fold.logical_and(result, equality(ctx, a, b, expr))
    return result


def _parts(value: Value) -> list[Value] | None:
    match value:
        case StructValue(fields):
            return list(fields.values())
        case StackPlace(elements=elements):
            return list(elements)
        case StackLiteral(elements):
            return list(elements)
    return None


def _header_equality(ctx: Context, left: Value, right: Value, expr: ast.Expression) -> ir.Expr:
    valid_left, valid_right = validity(left, expr), validity(right, expr)
    same: ir.Expr = fold.TRUE
    headers = (HeaderPlace, ElementPlace, HeaderLiteral, InvalidHeader)
    assert isinstance(left, headers)
    type_ = left.type
    for f in type_.fields:
        same = fold.logical_and(
            same,
            equality(
                ctx, member_of(ctx, left, f.name, expr), member_of(ctx, right, f.name, expr), expr
            ),
        )
    both_invalid = fold.logical_and(fold.logical_not(valid_left), fold.logical_not(valid_right))
    both_valid = fold.logical_and(valid_left, valid_right)
    return fold.logical_or(both_invalid, fold.logical_and(both_valid, same))


def validity(value: Value, expr: ast.Expression) -> ir.Expr:
    """`value.isValid()`."""
    match value:
        case HeaderPlace(instance):
            return ir.Valid(instance)
        case ElementPlace(element):
            return ir.ElementValid(element)
        case HeaderLiteral():
            return fold.TRUE
        case InvalidHeader():
            return fold.FALSE
        case UnionPlace(members=members):
            result: ir.Expr = fold.FALSE
            for m in members.values():
                result = fold.logical_or(result, ir.Valid(m.instance))
            return result
    raise Unsupported("'isValid' is not supported on target bmv2 here", expr.span)


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
    yes, no = convert(ctx, yes, type_, expr), convert(ctx, no, type_, expr)
    if is_scalar(yes) and is_scalar(no) and not first and not second:
        return fold.choice(condition, yes, no)
    result = ctx.storage.allocate(type_, f"{ctx.scope.path}.tmp", expr.span)
    for branch, value in ((first, yes), (second, no)):
        with ctx.collecting() as stores:
            lvalues.store(ctx, result, value, expr.span)
        branch.extend(stores)
    ctx.emit(tree.If(condition, first, second, expr.span))
    return result


def explicit_cast(ctx: Context, value: Value, type_: Type, expr: ast.Expression) -> Value:
    """`(type) value`."""
    plain = underlying(type_)
    match plain:
        case IntType():
            if isinstance(value, ir.Const):
                return IntValue(value.value)
            return value
        case BitType(width, signed):
            if isinstance(value, IntValue):
                return fold.const(value.value, ir.Bits(width, signed))
            return _cast_bits(as_scalar(ctx, value, expr), ir.Bits(width, signed))
        case EnumType() | ErrorType():
            target = scalar_type(plain)
            assert isinstance(target, ir.Bits)
            if isinstance(value, IntValue):
                return fold.const(value.value, target)
            return _cast_bits(as_scalar(ctx, value, expr), target)
    if isinstance(type_, NewType) and is_scalar(value):
        target_type = scalar_type(plain)
        assert isinstance(target_type, ir.Bits | ir.Bool)
        return fold.cast(value, target_type)
    if scalar_type(plain) == ir.BOOL:
        if isinstance(value, IntValue):
            return fold.bool_const(value.value != 0)
        return fold.cast(as_scalar(ctx, value, expr), ir.BOOL)
    return convert(ctx, value, plain, expr)


def _cast_bits(value: ir.Expr, target: ir.Bits) -> ir.Expr:
    """Width first, in the sign of the source, then the sign."""
    source = value.type
    if isinstance(source, ir.Bits) and source.signed != target.signed:
        value = fold.cast(value, ir.Bits(target.width, source.signed))
    return fold.cast(value, target)


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
            fields[name] = convert(ctx, parts[i], types[i], elements[i]) if types else parts[i]
        elif dots:
            fields[name] = default_value(types[i], expr)
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
            fields[f.name] = convert(ctx, value, f.type, node)
        elif expr.dots:
            fields[f.name] = default_value(f.type, expr)
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
            result.append(as_scalar(ctx, leaf, expr))
    return result
