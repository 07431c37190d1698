"""Protocol Buffers put together from bytes, for the messages that every session needs.

Building a message object with its thirty fields costs ten times what its bytes do: most of them
never change. (Encoding: protobuf.dev, "Encoding".)
"""

from __future__ import annotations

from collections.abc import Callable


def varint(value: int) -> bytes:
    """A number that is not negative, seven bits a byte, lowest first."""
    if value < 0x80:
        return _SMALL[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = [bytes((value,)) for value in range(0x80)]


def delimited(number: int, content: bytes) -> bytes:
    """Field ``number`` with bytes, a string or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


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
