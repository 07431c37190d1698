"""The hosts and cards of ``two_npus``; only control connections are permitted, so that what else
passes passes by gates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from topologies import two_npus

LAYOUT = replace(two_npus.LAYOUT, name="gateways", directory=Path(__file__).parent)
