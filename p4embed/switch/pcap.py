"""Reading and writing pcap files: the classic format, Ethernet.

Source: draft-ietf-opsawg-pcap.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MAGIC_NANOSECONDS = 0xA1B23C4D
_MAGIC_MICROSECONDS = 0xA1B2C3D4
_ETHERNET = 1
_SNAPSHOT = 1 << 18


class Recorded(NamedTuple):
    """A frame of a file."""

    time_ns: int
    """Since 1970."""
    frame: bytes


class PcapError(ValueError):
    """A file that is no pcap file of Ethernet frames: why."""


def read_pcap(path: Path) -> Iterator[Recorded]:
    """The frames of a file; ``OSError`` or ``PcapError`` if it cannot be read."""
    with path.open("rb") as file:
        header = file.read(24)
        for order in "<>":
            magic = struct.unpack(f"{order}I", header[:4])[0] if len(header) == 24 else None
            if magic in (_MAGIC_MICROSECONDS, _MAGIC_NANOSECONDS):
                break
        else:
            raise PcapError("not a pcap file (pcapng must be converted)")
        link = struct.unpack(f"{order}I", header[20:])[0] & 0xFFFF
        if link != _ETHERNET:
            raise PcapError(f"link type {link}; expected {_ETHERNET}, Ethernet")
        unit = 1 if magic == _MAGIC_NANOSECONDS else 1000
        record = struct.Struct(f"{order}IIII")
        while head := file.read(record.size):
            if len(head) < record.size:
                raise PcapError("ends within a record")
            seconds, fraction, size, _original = record.unpack(head)
            if size > _SNAPSHOT:
                raise PcapError(f"a frame of {size} bytes; expected at most {_SNAPSHOT}")
            frame = file.read(size)
            if len(frame) < size:
                raise PcapError("ends within a frame")
            yield Recorded(seconds * 1_000_000_000 + fraction * unit, frame)


class PcapWriter:
    """One file; each frame is flushed, so that it can be read while the switch runs."""

    def __init__(self, path: Path) -> None:
        """``OSError`` if the file cannot be made."""
        self._file: BinaryIO = path.open("wb")
        header = struct.pack("<IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, _SNAPSHOT, _ETHERNET)
        self._file.write(header)
        self._file.flush()

    def write(self, frame: bytes, time_ns: int | None = None) -> None:
        """Append a frame, with the time of day unless another is given."""
        now_ns = time.time_ns() if time_ns is None else time_ns
        seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
        self._file.write(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)))
        self._file.write(frame)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
