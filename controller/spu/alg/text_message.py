"""Messages of SIP and RTSP: a start line, header fields, an empty line, a body (RFC 3261, 2326)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_LENGTH = re.compile(rb"^(?:Content-Length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*\r?$", re.I | re.M)
_END = re.compile(rb"\r?\n\r?\n")


class Message(NamedTuple):
    """A message taken apart; lines without their ends."""

    start: bytes
    fields: list[tuple[bytes, bytes]]
    """Name as it was written, and all that follows the colon."""
    body: bytes

    def values(self, *names: bytes) -> Iterable[bytes]:
        """The values of all fields with one of the names (lower case)."""
        return (value.strip() for name, value in self.fields if name.lower() in names)

    def pack(self) -> bytes:
        """As bytes; the length of the body follows it."""
        lines = [self.start]
        for name, value in self.fields:
            if name.strip().lower() in (b"content-length", b"l"):
                value = b" %d" % len(self.body)
            lines.append(name + b":" + value)
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


def size(data: bytes) -> int:
    """Size of the first message of a stream; 0: its head is not complete. Empty lines between
    messages count as messages."""
    if data.startswith((b"\r\n", b"\n")):
        return data.index(b"\n") + 1
    end = _END.search(data)
    if end is None:
        return 0
    length = _LENGTH.search(data, 0, end.end())
    return end.end() + (int(length[1]) if length else 0)


def take_apart(data: bytes) -> Message | None:
    """A message, or ``None`` if it is none. Folded fields are unfolded."""
    end = _END.search(data)
    if end is None:
        return None
    start, *lines = data[: end.start()].replace(b"\r\n", b"\n").split(b"\n")
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = name, value + b" " + line.strip()
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name.strip():
            return None
        fields.append((name, value))
    return Message(start, fields, data[end.end() :])
