"""Which tests need root: those with network namespaces and real interfaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEED_ROOT = ("mininet", "ports")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    is_root = os.geteuid() == 0
    for item in items:
        for folder in NEED_ROOT:
            if HERE / folder in item.path.parents:
                item.add_marker(pytest.mark.root)
                reason = f"needs root: run 'make {folder}'"
                item.add_marker(pytest.mark.skipif(not is_root, reason=reason))
