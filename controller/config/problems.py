"""What is wrong with a file, where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple


class Place(NamedTuple):
    """A position in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: where and what, with the remedy in the text."""

    place: Place
    text: str
    about: str = field(default="", compare=False)
    """A name that is missing or incomplete; when a malformed line mentions it, this problem is an
    echo of that one and is not reported."""

    def __str__(self) -> str:
        return f"{self.place}: error: {self.text}"


class ConfigurationError(Exception):
    """A file that cannot be used, with all that is wrong with it in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Problems:
    """Collects errors so that one run reports all of them."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: Place, text: str, about: str = "") -> None:
        """Note an error and go on."""
        self.found.append(Problem(place, text, about))

    def undefined(self, place: Place, kind: str, name: str, candidates: Iterable[str]) -> None:
        """Note that nothing is called ``name``."""
        self.add(place, unknown(kind, name, candidates), about=name)

    def drop_echoes(self, malformed: frozenset[str]) -> None:
        """Forget complaints about names that stand in lines which are wrong themselves."""
        self.found = [problem for problem in self.found if problem.about not in malformed]

    def raise_if_any(self) -> None:
        """Raise ``ConfigurationError`` with everything noted so far, each once: a set of names is
        looked at wherever it is used."""
        if self.found:
            raise ConfigurationError(dict.fromkeys(self.found))


_MANY = 40
"""More words than that are not all printed."""


def unknown(kind: str, word: str, candidates: Iterable[str]) -> str:
    """The text for a word that is none of ``candidates``: nearest one first, then all if they
    are not too many."""
    names = sorted(set(candidates))
    near = get_close_matches(word, names, n=1)
    if len(names) > _MANY:
        choice = f"did you mean '{near[0]}'?" if near else f"such as {', '.join(names[:5])}"
        return f"unknown {kind} '{word}'; {choice} ({len(names)} are known)"
    hint = f"; did you mean '{near[0]}'?" if near else ";" if names else f"; there is no {kind}"
    expected = f" expected one of: {', '.join(names)}" if names else ""
    return f"unknown {kind} '{word}'{hint}{expected}"
