"""Substitution of type variables, sizes, and the methods that types have by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from p4embed.compiler.types.kinds import (
    BitType,
    BlockType,
    BoolType,
    EnumType,
    ExternType,
    Field,
    FunctionType,
    IntType,
    ListType,
    NewType,
    PackageType,
    ParameterType,
    RecordType,
    SetType,
    StackType,
    StructType,
    TableType,
    TupleType,
    Type,
    TypeVariable,
    UnknownType,
    VarbitType,
)

Substitution = Mapping[TypeVariable, Type]


def substitute(type_: Type, by: Substitution) -> Type:
    """`type_` with its type variables replaced."""
    if not by:
        return type_
    match type_:
        case TypeVariable():
            found = by.get(type_)
            return type_ if found is None else found
        case StructType(declaration, arguments, fields) if arguments:
            return StructType(
                declaration,
                tuple(substitute(a, by) for a in arguments),
                tuple(Field(f.name, substitute(f.type, by), f.declaration) for f in fields),
            )
        case StackType(element, size):
            return StackType(substitute(element, by), size)
        case TupleType(elements):
            return TupleType(tuple(substitute(e, by) for e in elements))
        case RecordType(record):
            return RecordType(tuple((n, substitute(t, by)) for n, t in record))
        case ListType(element):
            return ListType(substitute(element, by))
        case SetType(element):
            return SetType(substitute(element, by))
        case ExternType(extern, arguments) if arguments:
            return ExternType(extern, tuple(substitute(a, by) for a in arguments))
        case BlockType(block, arguments, parameters, constructor) if arguments:
            return BlockType(
                block,
                tuple(substitute(a, by) for a in arguments),
                substitute_parameters(parameters, by),
                substitute_parameters(constructor, by),
            )
        case PackageType(package, arguments, constructor) if arguments:
            return PackageType(
                package,
                tuple(substitute(a, by) for a in arguments),
                substitute_parameters(constructor, by),
            )
        case FunctionType(function, result, parameters, variables):
            return FunctionType(
                function,
                substitute(result, by),
                substitute_parameters(parameters, by),
                tuple(v for v in variables if v not in by),
            )
    return type_


def substitute_parameters(
    parameters: tuple[ParameterType, ...], by: Substitution
) -> tuple[ParameterType, ...]:
    """`parameters` with the type variables in their types replaced."""
    return tuple(ParameterType(p.declaration, substitute(p.type, by)) for p in parameters)


def width_of(type_: Type) -> int | None:
    """Width in bits, or None if the type has none. Varbits count as their maximum."""
    sizes = size_in_bits(type_)
    return None if sizes is None else sizes[1]


def size_in_bits(type_: Type) -> tuple[int, int] | None:
    """Smallest and largest size in bits (specification, section 9); None if undefined."""
    match type_:
        case BitType(width):
            return width, width
        case VarbitType(width):
            return 0, width
        case BoolType():
            return 1, 1
        case EnumType(underlying=BitType(width)):
            return width, width
        case NewType(underlying=under):
            return size_in_bits(under)
        case StructType(declaration=declaration, fields=fields):
            parts = [size_in_bits(f.type) for f in fields]
            union = declaration.keyword == "header_union"
        case StackType(element, size):
            parts, union = [size_in_bits(element)] * size, False
        case TupleType(elements):
            parts, union = [size_in_bits(e) for e in elements], False
        case _:
            return None
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    if union:
        return min((k[0] for k in known), default=0), max((k[1] for k in known), default=0)
    return sum(k[0] for k in known), sum(k[1] for k in known)


SIZE_METHODS = ("minSizeInBits", "minSizeInBytes", "maxSizeInBits", "maxSizeInBytes")
"""Methods that give the size of a value or type (specification, section 9)."""


def builtin_methods(type_: Type) -> tuple[str, ...]:
    """Methods that values of the type have by themselves."""
    match type_:
        case StructType() if type_.is_header:
            return ("isValid", "setValid", "setInvalid", *SIZE_METHODS)
        case StructType() if type_.is_union:
            return ("isValid", *SIZE_METHODS)
        case StackType():
            return ("push_front", "pop_front", *SIZE_METHODS)
        case UnknownType() | IntType() | ExternType() | BlockType() | PackageType() | TableType():
            return ()
    return SIZE_METHODS
