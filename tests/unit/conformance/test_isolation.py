"""Cases in processes of their own."""

import os
import signal
import time

from conformance.isolation import Crash, run_all


def case(name: str) -> str:
    match name:
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raises":
            raise ValueError("why\nmore")
        case "hangs":
            time.sleep(60)
    return name.upper()


def test_each_case_gets_its_own_end() -> None:
    found = dict(run_all(case, ["fine", "dies", "raises", "hangs", "good"], 2, 0.5))
    assert found["fine"] == "FINE"
    assert found["good"] == "GOOD"
    assert found["dies"] == Crash("the process died: SIGKILL")
    assert found["hangs"] == Crash("no result within 0 s")
    raised = found["raises"]
    assert isinstance(raised, Crash)
    assert raised.reason.startswith("ValueError at test_isolation.py:")
    assert raised.reason.endswith(": why")
