"""Headers of HTTP/2 (HPACK, RFC 7541), for a server that sends the same few over and over.

gRPC says little in headers and nearly always the same. So what is sent is spelt out, without
tables, and kept; and what was received and did not change the table is remembered by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from hpack import Decoder, Encoder, HeaderTuple

Header = tuple[bytes, bytes]

_NO_TABLE = b"\x20"
"""The encoder's table shrinks to nothing (6.3), whatever size the peer allows."""
_LITERAL = b"\x00"
"""A literal, its name spelt out, that enters no table (6.2.2)."""
_REMEMBERED = 64
_LONGEST = 1024
"""Bytes of header blocks that are remembered."""


def _integer(value: int) -> bytes:
    """With a prefix of 7 bits (5.1); the eighth, Huffman coding, is 0."""
    if value < 0x7F:
        return bytes((value,))
    made, value = bytearray((0x7F,)), value - 0x7F
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


@lru_cache(256)
def spelt_out(headers: tuple[Header, ...]) -> bytes:
    """A header block that needs no table."""
    return b"".join(
        _LITERAL + _integer(len(name)) + name + _integer(len(value)) + value
        for name, value in headers
    )


class PlainEncoder(Encoder):
    """An encoder without tables."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = False

    def encode(self, headers: Iterable[Any], huffman: bool = True) -> bytes:  # noqa: ARG002
        """A header block."""
        block = spelt_out(tuple(headers))
        if self._begun:
            return block
        self._begun = True
        return _NO_TABLE + block


class RememberingDecoder(Decoder):
    """A decoder that knows blocks it has seen, as long as its table is the same."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[bytes, Sequence[HeaderTuple]] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """The headers of a block."""
        known = self._known.get(data)
        if known is not None:
            return known
        before = self._state()
        headers = tuple(super().decode(data, raw))
        if self._state() != before:
            self._known.clear()
        elif len(data) <= _LONGEST and len(self._known) < _REMEMBERED:
            self._known[bytes(data)] = headers
        return headers

    def _state(self) -> tuple[int, int, int]:
        """Differs after every change: entries come in front, and none comes back."""
        table = self.header_table
        entries = table.dynamic_entries
        return table.maxsize, len(entries), id(entries[0]) if entries else 0
