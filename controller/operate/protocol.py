"""What ``wingpath cli`` and a running controller say to each other.

One JSON object a line over a Unix socket; a request has one key, an answer at most two::

    {"command": "show arp"}  ->  {"text": "..."} or {"error": "..."}
    {"complete": "show a"}   ->  {"words": [["arp", "IPv4 neighbours"]]}
    {"hello": ""}            ->  {"text": "fw1"}: the host name, for the prompt
"""

from __future__ import annotations

import os
from pathlib import Path

LINE_LIMIT = 64 * 1024
"""Longest request, in bytes."""


def default_socket() -> Path:
    """Where a controller listens unless told otherwise: ``$XDG_RUNTIME_DIR`` if there is one."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base or "/run") / "wingpath" / "wingpath.sock"
