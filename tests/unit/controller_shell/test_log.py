"""The controller's log on a disk that becomes full, and empty again."""

from __future__ import annotations

import errno
import logging
from io import RawIOBase
from pathlib import Path

import pytest

from controller.operate.log import LogHandler, open_log


class Disk(RawIOBase):
    """A file on a disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.held = b""

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        taken = data[: self.room - len(self.held)]
        if data and not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.held += taken
        return len(taken)


def say(handler: LogHandler, text: str) -> None:
    handler.handle(logging.makeLogRecord({"name": "RT_FLOW", "msg": text}))


def said(disk: Disk) -> list[str]:
    """Lines without their times."""
    return [line.rpartition("RT_FLOW: ")[2] for line in disk.held.decode().splitlines()]


def test_what_a_full_disk_loses_is_counted_and_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = Disk(1000)
    log = LogHandler(disk, "fw.log")
    say(log, "one")
    disk.room = len(disk.held)
    for _ in range(3):
        say(log, "lost")
    assert capsys.readouterr().err == (
        "wingpath: fw.log: No space left on device; lines of the log are lost\n"
    )
    disk.room = 2000
    say(log, "two")
    say(log, "three")
    note = "(3 lines were lost here: the log could not be written)"
    assert said(disk) == ["one", note, "two", "three"]


def test_a_line_that_is_cut_in_two_does_not_spoil_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = Disk(12)
    log = LogHandler(disk, "fw.log")
    say(log, "a line that is longer than that")
    say(log, "lost too")
    assert "no room for a whole line" in capsys.readouterr().err
    disk.room = 2000
    say(log, "two")
    cut, note, two = said(disk)
    assert len(cut) == 12
    assert (note, two) == ("(2 lines were lost here: the log could not be written)", "two")


def test_a_log_goes_on_where_its_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "fw.log"
    path.write_text("before\n")
    handler = open_log(path)
    say(handler, "after")
    handler.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "before"
    assert lines[1].endswith(" RT_FLOW: after")


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        open_log(tmp_path / "no" / "log")
