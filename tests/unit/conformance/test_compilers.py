"""What compilers say, sorted; compilers here are small shell scripts."""

from pathlib import Path

import pytest

from conformance.compilers import Compiler, Error, compile_program, errors_in
from conformance.replay import Verdict

SAID_BY_P4C = """\
/some/where/a.p4(5): [--Wwarn=unused] warning: 'x' is unused
a.p4(9)
/some/where/a.p4(7): [--Werror=type-error] error: 'package P'
package P(C c);
        ^
  ---- Actual error:
a.p4(12): Cannot unify
a.p4(4)
b.p4(3):syntax error, unexpected }
[--Werror=overlimit] error: 2 errors encountered, aborting compilation
"""

SAID_BY_P4EMBED = """\
dir/a.p4:7:3: error: expected ';', found '}'
    }
    ^
dir/a.p4:2:1: note: opened here
a.p4:9:1: warning: unused
error {
^~~~~
error: no 'main'
"""


def test_errors_of_p4c_with_all_their_places() -> None:
    assert errors_in(SAID_BY_P4C) == (
        Error("a.p4", 7, "'package P'", (("a.p4", 12), ("a.p4", 4))),
        Error("b.p4", 3, "syntax error, unexpected }"),
        Error("", 0, "2 errors encountered, aborting compilation"),
    )


def test_errors_of_p4embed() -> None:
    assert errors_in(SAID_BY_P4EMBED) == (
        Error("a.p4", 7, "expected ';', found '}'"),
        Error("", 0, "no 'main'"),
    )


def shell(body: str) -> Compiler:
    """Its arguments: --target bmv2 --arch v1model -o DIR --p4runtime-files FILE SOURCE."""
    return Compiler("sh", ("/bin/sh", "-c", body, "compiler"))


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ('echo {} > "$6/x.json"', Verdict.PASSED, ""),
        ("echo 'x.p4:3:1: error: no' >&2; exit 1", Verdict.REFUSED, "line 3: no"),
        ("echo 'y.p4:3:1: error: no' >&2; exit 1", Verdict.REFUSED, "y.p4 line 3: no"),
        ("echo 'no main' >&2; exit 1", Verdict.REFUSED, "exit status 1: no main"),
        ("exit 1", Verdict.CRASHED, "exit status 1: silent"),
        ("exit 0", Verdict.CRASHED, "exit status 0: silent"),
        ("kill -SEGV $$", Verdict.CRASHED, "signal 11"),
        ("sleep 5", Verdict.CRASHED, "not done after 0 s"),
        (
            "printf 'Traceback (most recent call last):\\n  x\\nKeyError: 1\\n' >&2; exit 1",
            Verdict.CRASHED,
            "KeyError: 1",
        ),
    ],
)
def test_outcomes(tmp_path: Path, body: str, verdict: Verdict, reason: str) -> None:
    timeout = 0.1 if "sleep" in body else 20
    made = compile_program(shell(body), Path("x.p4"), tmp_path / "out", timeout)
    assert (made.outcome.verdict, made.outcome.reason) == (verdict, reason)
    assert (made.json is not None) is (verdict is Verdict.PASSED)
