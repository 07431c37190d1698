"""P4Runtime's byte strings: values of any width, as short as can be.

Source: P4Runtime specification, "Bytestrings".
"""

from __future__ import annotations

from dataclasses import dataclass

from p4embed.switch.p4runtime.errors import invalid
from p4embed.switch.program import byte_width


def pack(value: bytes, size: int, limit: int, what: str) -> bytes:
    """A byte string padded to ``size`` bytes; ``limit`` is the most its first byte may be."""
    if len(value) == size:
        if value[0] <= limit:
            return value
    else:
        stripped = value.lstrip(b"\0")
        if value and (len(stripped) < size or (len(stripped) == size and stripped[0] <= limit)):
            return stripped.rjust(size, b"\0")
    if not value:
        raise invalid(f"{what}: empty byte string; expected at least one byte")
    bits = 8 * (size - 1) + limit.bit_length()
    raise invalid(f"{what}: value 0x{value.hex()} does not fit {bits} bits")


def canonical(packed: bytes) -> bytes:
    """The shortest byte string of the same value."""
    return packed.lstrip(b"\0") or b"\0"


@dataclass(frozen=True, slots=True)
class Part:
    """A key field or a parameter."""

    id: int
    name: str
    width: int
    size: int
    """Bytes."""
    limit: int
    """The most that the first byte may be."""

    @classmethod
    def make(cls, id_: int, name: str, width: int) -> Part:
        """A part of so many bits."""
        return cls(id_, name, width, byte_width(width), 0xFF >> (-width % 8))

    def ones(self) -> bytes:
        """All bits set."""
        return ((1 << self.width) - 1).to_bytes(self.size, "big")
