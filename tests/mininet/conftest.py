"""Tests in topologies: network namespaces, real interfaces, real programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need root."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.root)
            item.add_marker(
                pytest.mark.skipif(os.geteuid() != 0, reason="needs root: run 'make mininet'")
            )
