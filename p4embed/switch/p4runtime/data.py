"""P4Data: values of the types that a digest may carry.

Source: P4Runtime specification, "Representation of Arbitrary P4 Types".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finsy.proto import p4d, p4i, p4t

from p4embed.switch.p4runtime.errors import MismatchError
from p4embed.switch.program import Field, byte_width


class DigestTranslator:
    """Messages of one digest."""

    def __init__(self, info: p4i.Digest, types: p4t.P4TypeInfo, fields: Sequence[Field]) -> None:
        self.id = info.preamble.id
        self.name = info.preamble.name
        self._spec = info.type_spec
        self._types = types
        self._fields = tuple(fields)
        count = _count(self._spec, types, self.name)
        if count != len(fields):
            raise MismatchError(
                f"digest '{self.name}' has {count} fields, {len(fields)} in the program"
            )

    def unpack(self, data: bytes) -> p4d.P4Data:
        """A message from packed fields."""
        into = p4d.P4Data()
        _fill(into, self._spec, self._types, self._values(data))
        return into

    def _values(self, data: bytes) -> Iterator[tuple[int, Field]]:
        at = 0
        for field in self._fields:
            end = at + byte_width(field.width)
            yield int.from_bytes(data[at:end], "big"), field
            at = end


def _resolved(spec: p4t.P4DataTypeSpec, types: p4t.P4TypeInfo, what: str) -> p4t.P4DataTypeSpec:
    """Behind ``type`` declarations."""
    seen = 0
    while spec.WhichOneof("type_spec") == "new_type":
        new_type = types.new_types.get(spec.new_type.name)
        if new_type is None or seen > len(types.new_types):
            raise MismatchError(f"{what}: type '{spec.new_type.name}' is not in type_info")
        if new_type.WhichOneof("representation") != "original_type":
            raise MismatchError(f"{what}: translated type '{spec.new_type.name}' is not supported")
        spec, seen = new_type.original_type, seen + 1
    return spec


def _members(spec: p4t.P4DataTypeSpec, types: p4t.P4TypeInfo, what: str) -> list[
    p4t.P4DataTypeSpec
]:  # fmt: skip
    if spec.WhichOneof("type_spec") == "tuple":
        return list(spec.tuple.members)
    name = spec.struct.name
    if name not in types.structs:
        raise MismatchError(f"{what}: struct '{name}' is not in type_info")
    return [member.type_spec for member in types.structs[name].members]


_LEAVES = ("bitstring", "bool", "serializable_enum")


def _count(spec: p4t.P4DataTypeSpec, types: p4t.P4TypeInfo, what: str, depth: int = 0) -> int:
    """Fields that a type has; ``MismatchError`` for a type that is not supported."""
    spec = _resolved(spec, types, what)
    kind = spec.WhichOneof("type_spec")
    if kind in _LEAVES:
        return 1
    if kind not in ("struct", "tuple") or depth > 64:
        raise MismatchError(f"{what}: fields of type '{kind}' are not supported in digests")
    return sum(_count(member, types, what, depth + 1) for member in _members(spec, types, what))


def _fill(
    into: p4d.P4Data,
    spec: p4t.P4DataTypeSpec,
    types: p4t.P4TypeInfo,
    values: Iterator[tuple[int, Field]],
) -> None:
    spec = _resolved(spec, types, "")
    match spec.WhichOneof("type_spec"):
        case "struct":
            into.struct.SetInParent()
            for member in _members(spec, types, ""):
                _fill(into.struct.members.add(), member, types, values)
        case "tuple":
            into.tuple.SetInParent()
            for member in _members(spec, types, ""):
                _fill(into.tuple.members.add(), member, types, values)
        case "bool":
            into.bool = next(values)[0] != 0
        case "serializable_enum":
            into.enum_value = _bitstring(*next(values))
        case _:
            into.bitstring = _bitstring(*next(values))


def _bitstring(value: int, field: Field) -> bytes:
    """As short as can be, in two's complement if signed."""
    if field.signed:
        value -= (value >> (field.width - 1)) << field.width
        magnitude = value if value >= 0 else ~value
        return value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)
    return value.to_bytes(max(byte_width(value.bit_length()), 1), "big")
