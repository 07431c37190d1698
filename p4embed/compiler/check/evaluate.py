"""Compile-time evaluation (specification, section 18.1 "Compile-time known values").

The checker folds every expression as it goes; `constant` evaluates those that depend
on the constructor parameters of one instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from p4embed.compiler import ast
from p4embed.compiler.checked import (
    CallKind,
    CheckedProgram,
    EnumValue,
    ErrorMember,
    ErrorValue,
    Instance,
    InvalidHeaderValue,
    MatchKindValue,
    StackValue,
    StructValue,
    TupleValue,
    Value,
)
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.types import (
    BitType,
    BoolType,
    EnumType,
    ErrorType,
    IntType,
    ListType,
    MatchKindType,
    NewType,
    StackType,
    StringType,
    StructType,
    TupleType,
    Type,
    TypeOfType,
    VarbitType,
    size_in_bits,
)

MAX_SHIFT = 4096
"""Shifts of arbitrary-precision integers go no further."""

MAX_BITS = 16384
"""Nor do their results grow beyond this."""


class EvaluationError(Exception):
    """The expression has no value: a division by zero and the like."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


Lookup = Callable[[ast.Expression], Value | None]


def constant(
    expression: ast.Expression, checked: CheckedProgram, instance: Instance
) -> Value | Instance | None:
    """Value of `expression` inside `instance`, of its coerced type; None if it is not known
    at compile time. An `Instance` if it names one, or a constructor parameter that got one.

    Raises EvaluationError if it has none for these constructor arguments.
    """
    known = checked.constants.get(expression)
    if known is not None:
        return known
    match expression:
        case ast.PathExpression():
            declaration = checked.names.get(expression)
            match declaration:
                case ast.Parameter(name=name):
                    scope: Instance | None = instance
                    while scope is not None:
                        if declaration in scope.declaration_parameters():
                            found = scope.constructor_arguments.get(name)
                            if isinstance(found, Instance) or found is None:
                                return found
                            return _coerced(expression, found, checked)
                        scope = scope.parent
                    return None
                case ast.ConstantDeclaration(value=value):
                    result = constant(value, checked, instance)
                    if isinstance(result, Instance) or result is None:
                        return result
                    return _coerced(expression, result, checked)
                case ast.Instantiation():
                    return instance.children.get(declaration) or checked.instances.get(declaration)
            return None
        case ast.Call() if expression in instance.children:
            return instance.children[expression]

    def lookup(part: ast.Expression) -> Value | None:
        value = constant(part, checked, instance)
        return None if isinstance(value, Instance) else value

    natural = combine(expression, checked, lookup)
    return None if natural is None else _coerced(expression, natural, checked)


def _coerced(expression: ast.Expression, value: Value, checked: CheckedProgram) -> Value:
    wanted = checked.coercions.get(expression)
    return value if wanted is None else convert(value, wanted)


def combine(expression: ast.Expression, checked: CheckedProgram, lookup: Lookup) -> Value | None:
    """Value of one node, of its natural type, from those of its parts; None if unknown."""
    type_ = checked.types.get(expression)
    match expression:
        case ast.IntLiteral(value=value):
            return type_.wrap(value) if isinstance(type_, BitType) else value
        case ast.BoolLiteral(value=flag):
            return flag
        case ast.StringLiteral(value=text):
            return text
        case ast.PathExpression():
            declaration = checked.names.get(expression)
            if isinstance(declaration, ast.ConstantDeclaration):
                return lookup(declaration.value)
            if isinstance(declaration, ast.EnumMember):
                return _enum_member(declaration, type_, lookup)
            return None
        case ast.Member():
            return _member(expression, checked, lookup)
        case ast.Unary(op=op, operand=operand):
            value_ = lookup(operand)
            return None if value_ is None else _unary(op, value_, type_)
        case ast.Binary(left=left, right=right):
            a = lookup(left)
            b = None if a is None else lookup(right)
            return None if a is None or b is None else _binary(expression, a, b, checked)
        case ast.Ternary(condition=condition, then=then, otherwise=otherwise):
            test = lookup(condition)
            return None if test is None else lookup(then if test else otherwise)
        case ast.Cast(operand=operand):
            value_ = lookup(operand)
            return None if value_ is None or type_ is None else convert(value_, type_)
        case ast.Slice(base=base, high=high, low=low):
            whole, h, low_ = lookup(base), lookup(high), lookup(low)
            if isinstance(whole, EnumValue):
                whole = whole.value
            if isinstance(whole, int) and isinstance(h, int) and isinstance(low_, int):
                return (whole >> low_) & ((1 << (h - low_ + 1)) - 1)
            return None
        case ast.Index(base=base, index=index):
            whole, at = lookup(base), lookup(index)
            if isinstance(whole, TupleValue | StackValue) and isinstance(at, int):
                return whole.elements[at] if 0 <= at < len(whole.elements) else None
            return None
        case ast.ListExpression(elements=elements, dots=False):
            parts = [lookup(e) for e in elements]
            known = tuple(p for p in parts if p is not None)
            return TupleValue(known) if len(known) == len(parts) else None
        case ast.StructExpression(fields=fields, dots=False):
            values = [(f.name, lookup(f.value)) for f in fields]
            pairs = tuple((n, v) for n, v in values if v is not None)
            return StructValue(None, pairs) if len(pairs) == len(values) else None
        case ast.Call():
            info = checked.calls.get(expression)
            if info is None:
                return None
            if info.kind is CallKind.BUILTIN and info.receiver is not None:
                return _size(info.name, info.receiver, checked)
            if info.name == "static_assert" and info.kind is CallKind.EXTERN_FUNCTION:
                check = info.arguments[0].value if info.arguments else None
                return None if check is None else lookup(check)
    return None


def _size(name: str, receiver: ast.Expression, checked: CheckedProgram) -> int | None:
    """minSizeInBits and its kin (specification, section 9)."""
    if "SizeIn" not in name:
        return None
    type_ = checked.types.get(receiver)
    if isinstance(type_, TypeOfType):
        type_ = type_.type
    sizes = None if type_ is None else size_in_bits(type_)
    if sizes is None:
        return None
    bits = sizes[0] if name.startswith("min") else sizes[1]
    return (bits + 7) // 8 if name.endswith("Bytes") else bits


def _member(expression: ast.Member, checked: CheckedProgram, lookup: Lookup) -> Value | None:
    declaration = checked.names.get(expression)
    if isinstance(declaration, ErrorMember):
        return ErrorValue(expression.member)
    if isinstance(declaration, ast.EnumMember):
        return _enum_member(declaration, checked.types[expression], lookup)
    base_type = checked.types.get(expression.base)
    if isinstance(base_type, StackType) and expression.member == "size":
        return base_type.size
    base = lookup(expression.base)
    return base.get(expression.member) if isinstance(base, StructValue) else None


def _enum_member(declaration: ast.EnumMember, type_: Type | None, lookup: Lookup) -> Value | None:
    if isinstance(type_, MatchKindType):
        return MatchKindValue(declaration.name)
    if not isinstance(type_, EnumType):
        return None
    if declaration.value is None:
        return EnumValue(type_, declaration.name)
    number = lookup(declaration.value)
    return EnumValue(type_, declaration.name, number) if isinstance(number, int) else None


def _number(value: Value) -> int | None:
    if isinstance(value, EnumValue):
        return value.value
    return value if isinstance(value, int) else None


def _unary(op: str, value: Value, type_: Type | None) -> Value | None:
    if op == "!":
        return not value
    number = _number(value)
    if number is None:
        return None
    result = {"-": -number, "~": ~number, "+": number}[op]
    return type_.wrap(result) if isinstance(type_, BitType) else result


_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}

_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


def _binary(
    expression: ast.Binary, left: Value, right: Value, checked: CheckedProgram
) -> Value | None:
    op = expression.op
    match op:
        case "&&":
            return bool(left) and bool(right)
        case "||":
            return bool(left) or bool(right)
        case "==":
            return _same(left, right)
        case "!=":
            return not _same(left, right)
        case "++" if isinstance(left, str) and isinstance(right, str):
            return left + right
    a, b = _number(left), _number(right)
    if a is None or b is None:
        return None
    if op in _COMPARE:
        return _COMPARE[op](a, b)
    type_ = checked.types[expression]
    if op == "++":
        width = checked.type_of(expression.right)
        if not isinstance(width, BitType) or not isinstance(type_, BitType):
            return None
        return type_.wrap((a << width.width) | (b & ((1 << width.width) - 1)))
    result = _arithmetic(expression, op, a, b)
    if isinstance(type_, BitType):
        if op in ("|+|", "|-|"):
            return min(max(result, type_.minimum), type_.maximum)
        return type_.wrap(result)
    if result.bit_length() > MAX_BITS:
        raise EvaluationError("the value of this expression is too large", expression.span)
    return result


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, EnumValue) and isinstance(right, EnumValue) and left.value is not None:
        return left.value == right.value  # several members may share a number
    return left == right


def _arithmetic(expression: ast.Binary, op: str, a: int, b: int) -> int:
    if op in _ARITHMETIC:
        return _ARITHMETIC[op](a, b)
    if op in ("/", "%"):
        if b == 0:
            raise EvaluationError("division by zero", expression.right.span)
        if a < 0 or b < 0:
            raise EvaluationError(
                f"operator '{op}' is not defined for negative numbers",
                (expression.left if a < 0 else expression.right).span,
            )
        return a // b if op == "/" else a % b
    if op in ("<<", ">>"):
        if b < 0:
            raise EvaluationError("a shift by a negative amount", expression.right.span)
        if op == ">>":
            return a >> min(b, MAX_SHIFT)
        if b > MAX_SHIFT:
            raise EvaluationError(f"a shift by more than {MAX_SHIFT}", expression.right.span)
        return a << b
    return a + b if op == "|+|" else a - b


def convert(value: Value, wanted: Type) -> Value:
    """`value` as a `wanted`; for conversions that the checker has allowed."""
    match wanted:
        case NewType(underlying=underlying):
            return convert(value, underlying)
        case BitType():
            if isinstance(value, bool):
                return int(value)
            number = _number(value)
            return value if number is None else wanted.wrap(number)
        case IntType():
            number = _number(value)
            return value if number is None else int(number)
        case BoolType():
            return bool(value) if isinstance(value, int) else value
        case EnumType(underlying=BitType() as underlying):
            if isinstance(value, EnumValue) and value.type == wanted:
                return value
            number = _number(value)
            if number is None:
                return value
            return EnumValue(wanted, "", underlying.wrap(number))
        case StructType(fields=fields) if isinstance(value, TupleValue):
            pairs = zip(fields, value.elements, strict=False)
            return StructValue(wanted, tuple((f.name, convert(v, f.type)) for f, v in pairs))
        case StructType(fields=fields) if isinstance(value, StructValue):
            given = dict(value.fields)
            return StructValue(
                wanted,
                tuple((f.name, convert(given[f.name], f.type)) for f in fields if f.name in given),
            )
        case TupleType(elements=elements) if isinstance(value, TupleValue):
            parts = zip(elements, value.elements, strict=False)
            return TupleValue(tuple(convert(v, t) for t, v in parts))
        case ListType(element=element) if isinstance(value, TupleValue):
            return TupleValue(tuple(convert(v, element) for v in value.elements))
        case StackType(element=element, size=size) if isinstance(value, TupleValue):
            filled = [convert(v, element) for v in value.elements]
            if isinstance(element, StructType):
                filled += [InvalidHeaderValue(element)] * (size - len(filled))
            return StackValue(wanted, tuple(filled))
    return value


def default_value(type_: Type) -> Value | None:
    """What `...` stands for (specification, section 7.3); None if the type has no default."""
    match type_:
        case BitType() | IntType() | VarbitType():
            return 0
        case BoolType():
            return False
        case StringType():
            return ""
        case ErrorType():
            return ErrorValue("NoError")
        case EnumType(declaration=declaration, underlying=underlying):
            if underlying is not None:
                return EnumValue(type_, "", 0)
            members = declaration.members
            return EnumValue(type_, members[0].name) if members else None
        case NewType(underlying=under):
            return default_value(under)
        case StructType(fields=fields):
            if not type_.is_struct:
                return InvalidHeaderValue(type_)
            values = [(f.name, default_value(f.type)) for f in fields]
            known = tuple((n, v) for n, v in values if v is not None)
            return StructValue(type_, known) if len(known) == len(values) else None
        case TupleType(elements=elements):
            parts = [default_value(e) for e in elements]
            fixed = tuple(p for p in parts if p is not None)
            return TupleValue(fixed) if len(fixed) == len(parts) else None
        case StackType(element=element, size=size):
            if isinstance(element, StructType):
                return StackValue(type_, (InvalidHeaderValue(element),) * size)
    return None
