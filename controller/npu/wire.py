"""Protocol Buffers put together from bytes, for the messages that every session needs.

Building a message object with its thirty fields costs ten times what its bytes do: most of them
never change. (Encoding: protobuf.dev, "Encoding".)
"""

from __future__ import annotations

from collections.abc import Callable


def _spelt_out(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_READY = tuple(map(_spelt_out, range(2048)))
"""Those of tags and of nearly all lengths."""


def varint(value: int) -> bytes:
    """A number that is not negative, seven bits a byte, lowest first."""
    return _READY[value] if value < 2048 else _spelt_out(value)


def varint_at(message: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and where it ends. Raises ``IndexError`` if it does not."""
    value = message[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    shift = 7
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def tag(number: int) -> bytes:
    """What goes before the length of field ``number`` with bytes, a string or a message."""
    return varint(number << 3 | 2)


def delimited(number: int, content: bytes) -> bytes:
    """Field ``number`` with bytes, a string or a message."""
    return tag(number) + varint(len(content)) + content


def scalar(number: int, value: int) -> bytes:
    """Field ``number`` with an integer; nothing for 0, which is what a field is without."""
    return varint(number << 3) + varint(value) if value else b""


def prefixes(message: Callable[[bytes], bytes], longest: int) -> list[bytes]:
    """What goes before a value of 0 to ``longest`` bytes in a serialized message that ends with it,
    by the value's length. ``message`` makes the message of a value."""
    found = []
    for length in range(longest + 1):
        whole = message(b"\1" * length)
        found.append(whole[: len(whole) - length])
    return found
