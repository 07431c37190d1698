"""gRPC's framing of messages: each behind its length, and whether it is compressed.

Source: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
"""

from __future__ import annotations

from struct import Struct

from p4embed.switch.p4runtime.errors import Code, P4RuntimeError

_PREFIX = Struct("!BI")


def framed(message: bytes) -> bytes:
    """A message behind its prefix."""
    return _PREFIX.pack(0, len(message)) + message


def complete(data: bytes | bytearray) -> int:
    """How many bytes of what has come are whole messages; ``P4RuntimeError`` if one is
    compressed."""
    at, end = 0, len(data)
    while end - at >= _PREFIX.size:
        compressed, length = _PREFIX.unpack_from(data, at)
        if compressed:
            raise P4RuntimeError(Code.UNIMPLEMENTED, "compressed messages are not understood")
        if end - at - _PREFIX.size < length:
            break
        at += _PREFIX.size + length
    return at


def message_at(messages: bytes, at: int) -> tuple[bytes, int]:
    """The whole message whose prefix is at an offset, and the offset behind it."""
    _, length = _PREFIX.unpack_from(messages, at)
    start = at + _PREFIX.size
    return messages[start : start + length], start + length
