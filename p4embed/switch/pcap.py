"""Writing pcap files: the classic format, nanosecond resolution, Ethernet."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import BinaryIO

_MAGIC_NANOSECONDS = 0xA1B23C4D
_ETHERNET = 1
_SNAPSHOT = 1 << 18


class PcapWriter:
    """One file; each frame is flushed, so that it can be read while the switch runs."""

    def __init__(self, path: Path) -> None:
        """``OSError`` if the file cannot be made."""
        self._file: BinaryIO = path.open("wb")
        header = struct.pack("<IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, _SNAPSHOT, _ETHERNET)
        self._file.write(header)
        self._file.flush()

    def write(self, frame: bytes) -> None:
        """Append a frame with the time of day."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        self._file.write(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)))
        self._file.write(frame)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
