"""Where a running topology leaves its socket and what others need to find it."""

from __future__ import annotations

from pathlib import Path

RUN_DIRECTORY = Path("/run/wingpath")


def record_path(topology: str) -> Path:
    """What a running topology says of itself, as JSON."""
    return RUN_DIRECTORY / f"{topology}.json"


def socket_path(topology: str) -> Path:
    """The controller's socket, for ``wingpath cli``."""
    return RUN_DIRECTORY / f"{topology}.sock"
