"""Which samples of a p4c checkout count.

Of ``p4_16_samples`` those that include ``v1model.p4``; those of them have a script that have an
``.stf`` file of the same name. Of ``p4_16_errors`` those for which the checkout's recorded
diagnostics hold an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from conformance.compilers import Error, errors_in

_V1MODEL = re.compile(r'^\s*#\s*include\s*[<"](?:[^>"]*/)?v1model\.p4[>"]', re.MULTILINE)
_OTHER_MODEL = re.compile(
    r'^\s*#\s*include\s*[<"](?!(?:[^>"]*/)?(?:core|v1model)\.p4[>"])([^>"]+_model|[^>"]*psa|[^>"]*pna)'
    r'\.p4[>"]',
    re.MULTILINE,
)


class NoCheckout(Exception):
    """A directory that is no checkout of p4c."""


@dataclass(frozen=True, slots=True)
class ErrorSample:
    """A program that p4c rejects."""

    source: Path
    lines: frozenset[int]
    """Lines of its own that p4c names in its errors; none where it names no place."""
    first: Error


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one checkout."""

    v1model: tuple[Path, ...]
    scripted: tuple[Path, ...]
    """Of these, with a script beside them."""
    errors: tuple[ErrorSample, ...]


def find(checkout: Path) -> Samples:
    """The samples of a checkout. Raises ``NoCheckout``."""
    folder = checkout / "testdata" / "p4_16_samples"
    if not folder.is_dir():
        raise NoCheckout(f"'{checkout}' is no checkout of p4c: it has no testdata/p4_16_samples")
    v1model = tuple(
        path for path in sorted(folder.glob("*.p4")) if _V1MODEL.search(path.read_text("utf-8"))
    )
    scripted = tuple(path for path in v1model if path.with_suffix(".stf").exists())
    return Samples(v1model, scripted, _errors(checkout / "testdata"))


def _errors(testdata: Path) -> tuple[ErrorSample, ...]:
    found = []
    for path in sorted((testdata / "p4_16_errors").glob("*.p4")):
        recorded = testdata / "p4_16_errors_outputs" / f"{path.name}-stderr"
        if not recorded.exists() or _OTHER_MODEL.search(path.read_text("utf-8", "replace")):
            continue
        errors = errors_in(recorded.read_text("utf-8", "replace"))
        if errors:
            places = [(error.file, error.line) for error in errors]
            places += [place for error in errors for place in error.also]
            lines = frozenset(line for file, line in places if file == path.name)
            found.append(ErrorSample(path, lines, errors[0]))
    return tuple(found)
