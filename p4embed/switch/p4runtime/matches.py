"""Match fields: of table entries, and of value sets.

Source: P4Runtime specification, "Match Format" and "ValueSetEntry".
"""

from __future__ import annotations

from collections.abc import Iterable

from finsy.proto import p4i, p4r

from p4embed.switch.p4runtime.bytestrings import Part, canonical, pack
from p4embed.switch.p4runtime.errors import MismatchError, invalid

MatchType = p4i.MatchField


def pack_match(
    part: Part, type_: p4i.MatchField.MatchType.ValueType, field: p4r.FieldMatch | None, where: str
) -> tuple[bytes, bytes]:
    """Value and mask (range: low and high end) of one field; ``INVALID_ARGUMENT`` if wrong."""
    what = f"{where} field '{part.name}'"
    if field is None:
        if type_ == MatchType.EXACT:
            raise invalid(f"{what} is missing; exact fields cannot be left out")
        zeros = bytes(part.size)
        return zeros, part.ones() if type_ == MatchType.RANGE else zeros
    given = field.WhichOneof("field_match_type")
    wanted = p4i.MatchField.MatchType.Name(type_).lower()
    if given != wanted:
        raise invalid(f"{what} has match type '{given}'; expected '{wanted}'")

    def fit(value: bytes) -> bytes:
        return pack(value, part.size, part.limit, what)

    if type_ == MatchType.EXACT:
        return fit(field.exact.value), part.ones()
    if type_ == MatchType.OPTIONAL:
        return fit(field.optional.value), part.ones()
    if type_ == MatchType.LPM:
        length = field.lpm.prefix_len
        if not 0 < length <= part.width:
            raise invalid(
                f"{what}: prefix_len {length}; expected 1..{part.width}"
                " (leave the field out to match anything)"
            )
        value, ones = fit(field.lpm.value), (1 << part.width) - 1
        mask = ones ^ (ones >> length)
        if int.from_bytes(value, "big") & ~mask:
            raise invalid(f"{what}: bits beyond the prefix are set in 0x{value.hex()}")
        return value, mask.to_bytes(part.size, "big")
    if type_ == MatchType.TERNARY:
        value, packed_mask = fit(field.ternary.value), fit(field.ternary.mask)
        if not any(packed_mask):
            raise invalid(f"{what}: mask 0; leave the field out to match anything")
        if int.from_bytes(value, "big") & ~int.from_bytes(packed_mask, "big"):
            raise invalid(f"{what}: bits outside the mask are set in 0x{value.hex()}")
        return value, packed_mask
    low, high = fit(field.range.low), fit(field.range.high)
    if low > high:
        raise invalid(f"{what}: low end 0x{low.hex()} above high end 0x{high.hex()}")
    if not any(low) and high == part.ones():
        raise invalid(f"{what}: the whole range; leave the field out to match anything")
    return low, high


def unpack_match(
    part: Part,
    type_: p4i.MatchField.MatchType.ValueType,
    value: bytes,
    mask: bytes,
    into: p4r.TableEntry,
) -> None:
    """Add a field, unless it matches anything."""
    if type_ == MatchType.EXACT:
        into.match.add(field_id=part.id).exact.value = canonical(value)
    elif type_ == MatchType.RANGE:
        if any(value) or mask != part.ones():
            field = into.match.add(field_id=part.id)
            field.range.low, field.range.high = canonical(value), canonical(mask)
    elif any(mask):
        field = into.match.add(field_id=part.id)
        if type_ == MatchType.LPM:
            field.lpm.value = canonical(value)
            field.lpm.prefix_len = int.from_bytes(mask, "big").bit_count()
        elif type_ == MatchType.TERNARY:
            field.ternary.value, field.ternary.mask = canonical(value), canonical(mask)
        else:
            field.optional.value = canonical(value)


class ValueSetTranslator:
    """Members of one parser value set."""

    def __init__(self, index: int, info: p4i.ValueSet) -> None:
        self.index = index
        self.name = info.preamble.name
        self.size = info.size
        self._parts = [
            (Part.make(match.id, match.name, match.bitwidth), match.match_type)
            for match in info.match
        ]
        self.width = sum(part.width for part, _ in self._parts)
        for part, type_ in self._parts:
            if type_ == MatchType.RANGE:
                raise MismatchError(
                    f"value set '{self.name}' field '{part.name}': range matches of value sets"
                    " are not supported; expected exact, lpm, ternary or optional"
                )

    def pack(self, matches: Iterable[p4r.FieldMatch]) -> tuple[bytes, bytes]:
        """A member's value and mask."""
        where = f"value set '{self.name}'"
        fields: dict[int, p4r.FieldMatch] = {}
        for field in matches:
            if field.field_id in fields:
                raise invalid(f"{where}: field {field.field_id} is given twice")
            fields[field.field_id] = field
        value = mask = b""
        for part, type_ in self._parts:
            packed = pack_match(part, type_, fields.pop(part.id, None), where)
            value, mask = value + packed[0], mask + packed[1]
        if fields:
            raise invalid(f"{where} has no match field with id {min(fields)}")
        return value, mask
