"""Header blocks (HPACK, RFC 7541) of those who send the same few over and over.

gRPC says little in headers and nearly always the same. So what is sent is spelt out, without
tables, and kept; and what was received and did not change the table is remembered by its bytes.
"""

from __future__ import annotations

from functools import lru_cache

from hpack import Decoder
from hpack.table import HeaderTable

Header = tuple[bytes, bytes]

NO_TABLE = b"\x20"
"""Goes before the first block of a connection: the encoder's table shrinks to nothing (6.3),
whatever size the far end allows."""
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


class _Table(HeaderTable):
    """A table that knows how often it was added to."""

    def __init__(self) -> None:
        super().__init__()
        self.added = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.added += 1
        super().add(name, value)


class HeaderDecoder:
    """Decodes the blocks of a connection, in order. It knows those that it has seen, as long as
    its table is the same."""

    def __init__(self, longest: int) -> None:
        """``longest``: bytes of all headers of a block, as RFC 9113 counts them (6.5.2)."""
        self._decoder = Decoder(longest)
        self._decoder.header_table = self._table = _Table()
        self._known: dict[bytes, tuple[Header, ...]] = {}

    def headers(self, block: bytes) -> tuple[Header, ...]:
        """The headers of a block; ``hpack.HPACKError`` if it is none."""
        known = self._known.get(block)
        if known is not None:
            return known
        before = self._state()
        headers = tuple((bytes(n), bytes(v)) for n, v in self._decoder.decode(block, raw=True))
        if self._state() != before:
            self._known.clear()
        elif len(block) <= _LONGEST and len(self._known) < _REMEMBERED:
            self._known[block] = headers
        return headers

    def _state(self) -> tuple[int, int, int]:
        """Differs after every change: of size, by an entry, or of what it has shrunk to."""
        table = self._table
        return table.maxsize, table.added, len(table.dynamic_entries)
