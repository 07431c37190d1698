"""Headers of HTTP/2 requests and answers (HPACK, RFC 7541), by the ``hpack`` library.

gRPC's are few and come over and over: those of requests are compressed once, those of answers
decompressed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hpack import Decoder, Encoder, HPACKError, NeverIndexedHeaderTuple

Header = tuple[bytes, bytes]

NO_TABLE = b"\x20"
"""Goes before the first block of a connection: blocks are compressed without a table, whatever size
the far end allows (section 6.3)."""
_KEPT = 64
"""Blocks whose meaning is kept ready."""


class HeaderError(Exception):
    """Headers that cannot be read."""


def header_block(headers: Iterable[Header]) -> bytes:
    """Compressed without a table, so that the bytes mean the same at any time."""
    return Encoder().encode([NeverIndexedHeaderTuple(*header) for header in headers])


class HeaderDecoder:
    """Decompresses the blocks of a connection, in order."""

    def __init__(self, longest: int) -> None:
        """``longest``: bytes of headers in a block."""
        self._decoder = Decoder(longest)
        self._kept: dict[bytes, Sequence[Header]] = {}
        """Of blocks that neither changed the table nor came before a change."""

    def headers(self, block: bytes) -> Sequence[Header]:
        """The headers of a block. Raises ``HeaderError``."""
        kept = self._kept.get(block)
        if kept is not None:
            return kept
        before = self._table()
        try:
            headers = [(bytes(n), bytes(v)) for n, v in self._decoder.decode(block, raw=True)]
        except HPACKError as error:
            raise HeaderError(f"headers that cannot be read: {error}") from error
        if self._table() != before:
            self._kept.clear()
        elif len(self._kept) < _KEPT:
            self._kept[block] = headers
        return headers

    def _table(self) -> tuple[int, int, int]:
        """Differs after every change: entries come in front, and none comes back."""
        table = self._decoder.header_table
        entries = table.dynamic_entries
        return table.maxsize, len(entries), id(entries[0]) if entries else 0
