"""Counts outcomes and prints them: a table, then what did not pass, with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from conformance.replay import Outcome, Verdict

_WIDTH = 160
"""Characters of a reason that are printed."""


def table(title: str, head: Sequence[str], rows: Iterable[tuple[str, Sequence[int]]]) -> str:
    """Numbers under headings, aligned."""
    rows = list(rows)
    wide = max([len(title), *(len(name) for name, _ in rows)])
    lines = [f"{title:<{wide}}" + "".join(f"  {word:>8}" for word in head)]
    for name, numbers in rows:
        lines.append(f"{name:<{wide}}" + "".join(f"  {n:>8}" for n in numbers))
    return "\n".join(lines)


def verdicts(title: str, groups: Iterable[tuple[str, Iterable[Outcome]]]) -> str:
    """A row of counts for each group."""
    rows = []
    for name, outcomes in groups:
        found = Counter(outcome.verdict for outcome in outcomes)
        rows.append((name, [*(found[verdict] for verdict in Verdict), sum(found.values())]))
    return table(title, [*(verdict.value for verdict in Verdict), "of"], rows)


def reasons(title: str, outcomes: Iterable[tuple[str, Outcome]]) -> str:
    """A line for each outcome that is not passed, by verdict and name; empty without any."""
    bad = [(outcome.verdict.value, name, outcome.reason) for name, outcome in outcomes
           if outcome.verdict is not Verdict.PASSED]  # fmt: skip
    if not bad:
        return ""
    lines = [f"\n{title}:"]
    for verdict, name, reason in sorted(bad):
        lines.append(f"  {verdict:<8} {name}: {shorten(reason)}")
    return "\n".join(lines)


def shorten(text: str) -> str:
    """One line of bearable length."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."
