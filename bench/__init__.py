"""Benchmarks: they measure and report, and assert nothing."""

import sys
from pathlib import Path

# The client and the namespaces of the data-plane tests serve here, too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ptf-tests"))
