"""The hosts and NPUs of ``two_npus`` on a chassis with room for ten sessions: everything runs out
soon, and is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from topologies import two_npus

LAYOUT = replace(two_npus.LAYOUT, name="limits", directory=Path(__file__).parent)
