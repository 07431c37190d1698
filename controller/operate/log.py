"""The log of a running controller: what cannot be written is counted, and told of."""

from __future__ import annotations

import contextlib
import logging
import sys
from io import RawIOBase
from pathlib import Path


class LogHandler(logging.Handler):
    """Writes lines to a file that buffers nothing. When its disk is full the controller goes on;
    how many lines were lost stands before the next one that can be written."""

    def __init__(self, file: RawIOBase, name: str = "") -> None:
        """``name`` is the file's, for standard error to hear of it; empty: it is that itself."""
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        self._file = file
        self._name = name
        self._lost = 0
        self._is_torn = False
        """The file ends within a line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        text = "\n" if self._is_torn else ""
        if self._lost:
            lines = "1 line was" if self._lost == 1 else f"{self._lost} lines were"
            text += f"({lines} lost here: the log could not be written)\n"
        data = f"{text}{self.format(record)}\n".encode(errors="replace")
        why = "no room for a whole line"
        try:
            written = self._file.write(data) or 0
        except OSError as error:
            written, why = 0, error.strerror or str(error)
        self._is_torn = 0 < written < len(data) or (self._is_torn and not written)
        if written == len(data):
            self._lost = 0
            return
        self._lost += 1
        if self._lost == 1 and self._name:
            with contextlib.suppress(OSError):
                print(f"wingpath: {self._name}: {why}; lines of the log are lost", file=sys.stderr)

    def close(self) -> None:
        """Write no more."""
        self._file.close()
        super().close()


def open_log(path: Path | None) -> LogHandler:
    """A log at the end of a file, or on standard error. Raises ``OSError``."""
    if path is None:
        return LogHandler(open(2, "wb", buffering=0, closefd=False))
    return LogHandler(path.open("ab", buffering=0), str(path))
