"""Which types convert to which, implicitly and by a cast, and how type variables bind."""

from __future__ import annotations

from collections.abc import Collection

from p4embed.compiler import ast
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    STRING,
    BitType,
    BlockType,
    BoolType,
    DefaultsType,
    EnumType,
    ExternType,
    IntType,
    ListType,
    NewType,
    PackageType,
    RecordType,
    SetType,
    StackType,
    StructType,
    TupleType,
    Type,
    TypeVariable,
    UnknownType,
    VarbitType,
    substitute_parameters,
)

Bindings = dict[TypeVariable, Type]


def bits_of(type_: Type) -> Type:
    """The underlying type of a serialisable enum; any other type as it is."""
    if isinstance(type_, EnumType) and type_.underlying is not None:
        return type_.underlying
    return type_


def has_unknown(type_: Type) -> bool:
    """Whether an error has left its mark on the type."""
    match type_:
        case UnknownType():
            return True
        case TupleType(elements):
            return any(has_unknown(e) for e in elements)
        case RecordType(fields):
            return any(has_unknown(t) for _, t in fields)
        case StackType(element) | ListType(element) | SetType(element):
            return has_unknown(element)
        case (
            StructType(arguments=arguments)
            | ExternType(arguments=arguments)
            | BlockType(arguments=arguments)
            | PackageType(arguments=arguments)
        ):
            return any(has_unknown(t) for t in arguments)
    return False


def has_int(type_: Type) -> bool:
    """Whether the type is `int`, or a list with an `int` in it."""
    match type_:
        case TupleType(elements):
            return any(has_int(e) for e in elements)
        case RecordType(fields):
            return any(has_int(t) for _, t in fields)
    return isinstance(type_, IntType)


def castable(have: Type, wanted: Type) -> bool:
    """Whether `(wanted) x` is a legal cast for an `x` of type `have` (section 8.10)."""
    if have == wanted or has_unknown(have) or has_unknown(wanted):
        return True
    match have, wanted:
        case BoolType(), BitType(width=1, signed=False):
            return True
        case BitType(width=1, signed=False), BoolType():
            return True
        case IntType(), (BitType() | BoolType()):
            return True
        case BitType(), IntType():
            return True
        case BitType(width=a, signed=s), BitType(width=b, signed=t):
            return s == t or a == b
        case EnumType(underlying=BitType() as under), _:
            return castable(under, wanted)
        case ((BitType() | IntType()), EnumType(underlying=BitType() as under)):
            return castable(have, under)
        case NewType(underlying=under), _:
            if isinstance(wanted, NewType) and castable(have, wanted.underlying):
                return True
            return castable(under, wanted)
        case _, NewType(underlying=under):
            return have == under or (isinstance(have, IntType) and castable(have, under))
    return False


def comparable(type_: Type) -> bool:
    """Whether == and != are defined."""
    match type_:
        case BitType() | IntType() | VarbitType() | EnumType() | UnknownType():
            return True
        case NewType(underlying=under):
            return comparable(under)
        case StructType(fields=fields):
            return all(comparable(f.type) for f in fields)
        case StackType(element=element) | ListType(element=element):
            return comparable(element)
        case TupleType(elements=elements):
            return all(comparable(e) for e in elements)
        case RecordType(fields=record):
            return all(comparable(t) for _, t in record)
        case DefaultsType():
            return True
    return type_ in (BOOL, ERROR, STRING)


def unify(wanted: Type, have: Type, variables: Collection[TypeVariable], bound: Bindings) -> bool:
    """Bind `variables` so that `wanted` can become `have`; False if they contradict.

    Differences that no variable takes part in are not looked at: the conversion that
    follows sees them, and has the better message.
    """
    match wanted, have:
        case TypeVariable(), _ if wanted in variables:
            return _bind(wanted, have, bound)
        case StackType(element=a, size=m), StackType(element=b, size=n):
            return m == n and unify(a, b, variables, bound)
        case TupleType(elements=xs), TupleType(elements=ys) if len(xs) == len(ys):
            return all(unify(x, y, variables, bound) for x, y in zip(xs, ys, strict=True))
        case ListType(element=a), ListType(element=b):
            return unify(a, b, variables, bound)
        case ListType(element=a), TupleType(elements=ys):
            return all(unify(a, y, variables, bound) for y in ys)
        case SetType(element=a), SetType(element=b):
            return unify(a, b, variables, bound)
        case StructType(arguments=xs), StructType(arguments=ys):
            if wanted.declaration is not have.declaration:
                return True
            return all(unify(x, y, variables, bound) for x, y in zip(xs, ys, strict=True))
        case StructType(fields=fields), TupleType(elements=ys) if len(fields) == len(ys):
            return all(unify(f.type, y, variables, bound) for f, y in zip(fields, ys, strict=True))
        case StructType(fields=fields), RecordType(fields=record):
            given = dict(record)
            return all(
                unify(f.type, given[f.name], variables, bound) for f in fields if f.name in given
            )
        case ExternType(arguments=xs), ExternType(arguments=ys):
            if wanted.declaration is not have.declaration:
                return True
            return all(unify(x, y, variables, bound) for x, y in zip(xs, ys, strict=True))
        case PackageType(arguments=xs), PackageType(arguments=ys):
            if wanted.declaration is not have.declaration:
                return True
            return all(unify(x, y, variables, bound) for x, y in zip(xs, ys, strict=True))
        case BlockType(), BlockType():
            if wanted.declaration is have.declaration:
                pairs = zip(wanted.arguments, have.arguments, strict=True)
                return all(unify(x, y, variables, bound) for x, y in pairs)
            both = zip(wanted.parameters, have.parameters, strict=False)
            return all(unify(p.type, q.type, variables, bound) for p, q in both)
    return True


def _bind(variable: TypeVariable, have: Type, bound: Bindings) -> bool:
    if isinstance(have, UnknownType | DefaultsType) or have == variable:
        return True
    known = bound.get(variable)
    if known is None or has_unknown(known):
        bound[variable] = have
        return True
    merged = merge(known, have)
    if merged is None:
        return False
    bound[variable] = merged
    return True


def merge(a: Type, b: Type) -> Type | None:
    """The type both can have: `int` gives way to a width, a list to a struct."""
    if a == b or isinstance(b, UnknownType | DefaultsType):
        return a
    if isinstance(a, UnknownType | DefaultsType):
        return b
    match a, b:
        case IntType(), BitType():
            return b
        case BitType(), IntType():
            return a
        case EnumType(underlying=BitType() as under), BitType() if under == b:
            return b
        case BitType(), EnumType(underlying=BitType() as under) if under == a:
            return a
        case TupleType(elements=xs), TupleType(elements=ys) if len(xs) == len(ys):
            parts = [merge(x, y) for x, y in zip(xs, ys, strict=True)]
            known = tuple(p for p in parts if p is not None)
            return TupleType(known) if len(known) == len(parts) else None
        case (StructType(), (TupleType() | RecordType())):
            return a
        case ((TupleType() | RecordType()), StructType()):
            return b
        case StackType(), TupleType():
            return a
        case TupleType(), StackType():
            return b
    return None


def implements(have: BlockType, wanted: BlockType) -> str | None:
    """None if a parser or control can stand where `wanted` is asked for, else why not."""
    if have.is_parser != wanted.is_parser:
        return f"{have} is a {'parser' if have.is_parser else 'control'}"
    # A generic one takes whatever types are asked for.
    own = [v for v in have.arguments if isinstance(v, TypeVariable)]
    bound: Bindings = {}
    parameters = have.parameters
    if own and len(parameters) == len(wanted.parameters):
        for p, q in zip(parameters, wanted.parameters, strict=True):
            unify(p.type, q.type, own, bound)
        parameters = substitute_parameters(parameters, bound)
    needed = wanted.parameters
    if len(parameters) < len(needed):
        extra = needed[len(parameters) :]
        if not all(is_optional(q.declaration) or q.declaration.default for q in extra):
            return f"{have} has {len(parameters)} parameters, {wanted} has {len(needed)}"
    elif len(parameters) > len(needed):
        return f"{have} has {len(parameters)} parameters, {wanted} has {len(needed)}"
    for p, q in zip(parameters, needed, strict=False):
        if p.direction is not q.direction:
            return (
                f"parameter '{p.name}' of {have} is {_direction(p.direction)}, "
                f"but {wanted} asks for {_direction(q.direction)}"
            )
        if p.type != q.type and not (has_unknown(p.type) or has_unknown(q.type)):
            return f"parameter '{p.name}' of {have} is {p.type}, but {wanted} asks for {q.type}"
    return None


def is_optional(parameter: ast.Parameter) -> bool:
    """Whether it is annotated `@optional`."""
    return any(annotation.name == "optional" for annotation in parameter.annotations)


def _direction(direction: ast.Direction) -> str:
    return f"'{direction.value}'" if direction.value else "without direction"
