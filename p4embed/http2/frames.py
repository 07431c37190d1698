"""Frames: their numbers, and how they are put together and taken apart.

Source: RFC 9113, sections 4 (frames), 6 (their definitions) and 7 (error codes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (section 3.4)."""
HEAD = Struct("!HBBBL")
"""Of a frame: length (upper 16 bits, lower 8), type, flags, stream."""
_SETTING = Struct("!HL")
_NUMBER = Struct("!L")

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = range(6)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

SHORT = 1 << 14
"""Bytes of the longest frame that everybody takes, and that is taken here."""
LONGEST = (1 << 24) - 1
LARGEST = (1 << 31) - 1
"""The largest stream number, and the largest window."""
FIRST_WINDOW = (1 << 16) - 1
"""Bytes that may be sent ahead before anybody says otherwise (section 6.9.2)."""


class ErrorCode(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """Parameters of SETTINGS that matter here."""

    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Http2Error(Exception):
    """The far end does not keep to HTTP/2; the connection is of no use any more."""

    def __init__(self, text: str, code: ErrorCode = ErrorCode.PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.code = code


def frame(kind: int, flags: int, stream_id: int, content: bytes = b"") -> bytes:
    """A frame."""
    size = len(content)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + content


def settings(values: Mapping[Setting, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in values.items()))


def window_update(stream_id: int, size: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream_id, _NUMBER.pack(size))


def reset(stream_id: int, code: ErrorCode) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, _NUMBER.pack(code))


def goaway(last_stream: int, code: ErrorCode) -> bytes:
    """A GOAWAY frame."""
    return frame(GOAWAY, 0, 0, _NUMBER.pack(last_stream) + _NUMBER.pack(code))


def number(content: bytes) -> int:
    """The content of a frame that is one number."""
    if len(content) != _NUMBER.size:
        raise Http2Error("a frame of a wrong length", ErrorCode.FRAME_SIZE_ERROR)
    found: int = _NUMBER.unpack(content)[0]
    return found


def unpadded(content: bytes) -> bytes:
    """What is between the length of the padding and the padding."""
    if not content or content[0] >= len(content):
        raise Http2Error("more padding than there is in a frame")
    return content[1 : len(content) - content[0]]


def told(content: bytes) -> Iterator[tuple[int, int]]:
    """The settings in a frame, each of which is checked as section 6.5.2 says."""
    if len(content) % _SETTING.size:
        raise Http2Error("settings of a wrong length", ErrorCode.FRAME_SIZE_ERROR)
    for setting, value in _SETTING.iter_unpack(content):
        if setting == Setting.INITIAL_WINDOW_SIZE and value > LARGEST:
            raise Http2Error(f"a window of {value} bytes", ErrorCode.FLOW_CONTROL_ERROR)
        if setting == Setting.MAX_FRAME_SIZE and not SHORT <= value <= LONGEST:
            raise Http2Error(f"frames of {value} bytes")
        if setting == Setting.ENABLE_PUSH and value > 1:
            raise Http2Error(f"pushes are switched by 0 and 1, not {value}")
        yield setting, value
