"""Junos ``set`` lines to words: quotes, ``#`` comments, ``[ a b ]`` lists, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from controller.config.problems import Place, Problems

_TOKEN = re.compile(
    r"""\s+ | (?P<comment>\#.*) | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<open>\[) | (?P<close>\])
    | (?P<bad>") | (?P<bare>[^\s"\[\]\#][^\s"\[\]]*)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Bracket:
    """``[ a b c ]``: several values of one statement."""

    words: tuple[Word, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SetLine:
    """One ``set`` line without the word ``set``."""

    items: tuple[Word | Bracket, ...]
    end: Place
    """Just behind the last word: where a missing one would stand."""

    @property
    def words(self) -> set[str]:
        """All words of the line."""
        return {
            word.text
            for item in self.items
            for word in (item.words if isinstance(item, Bracket) else (item,))
        }


def read_set_lines(text: str, file: str, problems: Problems) -> Iterator[SetLine]:
    """Split a file; lines that are no ``set`` lines are noted in ``problems`` and left out.
    A file in braces is one problem, not one a line."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _strip_comment(line).rstrip().endswith("{"):
            place = Place(file, number, len(line) - len(line.lstrip()) + 1)
            problems.add(
                place,
                "configuration in braces is not read; Junos writes it as lines that start with "
                "'set' by 'show configuration | display set'",
            )
            return
        items = _items(line, file, number, problems)
        if not items:
            continue
        first, *rest = items
        if not isinstance(first, Word) or first.text != "set":
            word = first.text if isinstance(first, Word) else "["
            problems.add(first.place, f"unknown command '{word}'; each line starts with 'set'")
            continue
        end = Place(file, number, len(_strip_comment(line).rstrip()) + 1)
        yield SetLine(tuple(rest), end)


def _strip_comment(line: str) -> str:
    for match in _TOKEN.finditer(line):
        if match["comment"] is not None:
            return line[: match.start()]
    return line


def _items(line: str, file: str, number: int, problems: Problems) -> list[Word | Bracket] | None:
    """The line's words, ``None`` if it is malformed (noted)."""
    items: list[Word | Bracket] = []
    inside: list[Word] | None = None
    opened = Place(file, number, 1)
    for match in _TOKEN.finditer(line):
        place = Place(file, number, match.start() + 1)
        if match["open"]:
            if inside is not None:
                problems.add(place, "a '[' inside of '[ ]'; lists do not nest")
                return None
            inside, opened = [], place
        elif match["close"]:
            if not inside:
                what = "an empty list" if inside is not None else "a ']' without its '['"
                problems.add(place, what)
                return None
            items.append(Bracket(tuple(inside), opened))
            inside = None
        elif match["bad"]:
            problems.add(place, "a quote that is not closed on its line")
            return None
        elif match["bare"] is not None or match["quoted"] is not None:
            quoted = match["quoted"]
            text = match["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            (items if inside is None else inside).append(Word(text, place))
    if inside is not None:
        problems.add(opened, "a '[' that is not closed on its line")
        return None
    return items
