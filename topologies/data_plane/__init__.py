"""The hosts and cards of ``two_npus``, with filters, policers, rate screens and packet filters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from topologies import two_npus

LAYOUT = replace(two_npus.LAYOUT, name="data_plane", directory=Path(__file__).parent)
