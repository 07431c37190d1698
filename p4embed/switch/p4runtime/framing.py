"""gRPC's framing of messages: each behind its length, and whether it is compressed.

Source: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
"""

from __future__ import annotations

from struct import Struct

from p4embed.switch.p4runtime.errors import Code, P4RuntimeError

_PREFIX = Struct("!BI")
LONGEST = 1 << 28
"""Bytes of a message."""


def framed(message: bytes) -> bytes:
    """A message behind its prefix."""
    return _PREFIX.pack(0, len(message)) + message


class Messages:
    """Messages from pieces that are cut anywhere."""

    __slots__ = ("_due", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._due = 0
        """Bytes that the rest must have before it can be a message."""

    def add(self, data: bytes) -> bytes:
        """The messages that are complete now. ``P4RuntimeError`` if one is compressed, or too
        long."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._due:
                return b""
            data = bytes(rest)
            rest.clear()
        end = self._complete(data)
        if end == len(data):
            return data
        rest += data[end:]
        return data[:end]

    def _complete(self, data: bytes) -> int:
        """Where the last whole message ends."""
        at, end = 0, len(data)
        while end - at >= _PREFIX.size:
            compressed, length = _PREFIX.unpack_from(data, at)
            if compressed:
                raise P4RuntimeError(Code.UNIMPLEMENTED, "compressed messages are not understood")
            if length > LONGEST:
                text = f"a message of {length} bytes; {LONGEST} at most are taken"
                raise P4RuntimeError(Code.RESOURCE_EXHAUSTED, text)
            self._due = _PREFIX.size + length
            if end - at < self._due:
                return at
            at += self._due
        self._due = _PREFIX.size
        return at


def message_at(messages: bytes, at: int) -> tuple[bytes, int]:
    """The whole message whose prefix is at an offset, and the offset behind it."""
    _, length = _PREFIX.unpack_from(messages, at)
    start = at + _PREFIX.size
    return messages[start : start + length], start + length
