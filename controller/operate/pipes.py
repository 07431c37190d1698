"""What may stand behind a command: ``| match WORDS`` and others, as in Junos.

They pick from the lines that a command answers, on the operator's side of the socket.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.config.problems import unknown

Stage = Callable[[Sequence[str]], Sequence[str]]
"""Lines to lines."""


class PipeError(Exception):
    """What stands behind a ``|`` is no pipe; the text says why."""


@dataclass(frozen=True, slots=True)
class _Pipe:
    help: str
    make: Callable[[str], Stage]
    """From its argument. Raises ``ValueError`` with what is wrong with that."""
    takes: str = ""
    """What its argument is; empty if there is none."""


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression: {error}") from error


def _match(text: str) -> Stage:
    pattern = _pattern(text)
    return lambda lines: [line for line in lines if pattern.search(line)]


def _except(text: str) -> Stage:
    pattern = _pattern(text)
    return lambda lines: [line for line in lines if not pattern.search(line)]


def _find(text: str) -> Stage:
    pattern = _pattern(text)
    return lambda lines: lines[
        next((at for at, line in enumerate(lines) if pattern.search(line)), len(lines)) :
    ]


def _last(text: str) -> Stage:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"'{text}' is no number of lines from 1 on")
    return lambda lines: lines[-int(text) :]


def _count(_: str) -> Stage:
    return lambda lines: [f"Count: {len(lines)} lines"]


def _no_more(_: str) -> Stage:
    return lambda lines: lines


_PIPES = {
    "count": _Pipe("Count lines", _count),
    "except": _Pipe("Show only lines that do not match", _except, "pattern"),
    "find": _Pipe("Show lines from the first one that matches", _find, "pattern"),
    "last": _Pipe("Show the end only", _last, "number of lines"),
    "match": _Pipe("Show only lines that match", _match, "pattern"),
    "no-more": _Pipe("Do not stop at full screens (which never happens here)", _no_more),
}


def split(line: str) -> tuple[str, list[Stage]]:
    """A command and the stages behind it. Raises ``PipeError``."""
    command, *rest = _between_bars(line)
    return command, [_stage(text) for text in rest]


def _between_bars(line: str) -> list[str]:
    """The parts of a line; a bar in quotes belongs to its part."""
    parts, quote = [""], ""
    for character in line:
        if character == quote:
            quote = ""
        elif character in "\"'" and not quote:
            quote = character
        if character == "|" and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def apply(text: str, stages: Sequence[Stage]) -> str:
    """What is left of a command's answer."""
    if not stages:
        return text
    lines: Sequence[str] = text.splitlines()
    for stage in stages:
        lines = stage(lines)
    return "".join(line + "\n" for line in lines)


def complete(start: str) -> list[tuple[str, str]] | None:
    """What the last word of a line may become if it stands behind a ``|``, else ``None``."""
    _, bar, tail = start.rpartition("|")
    if not bar:
        return None
    words = tail.split()
    if len(words) > 1 or (words and tail[-1].isspace()):
        pipe = _PIPES.get(words[0])
        wants = pipe is not None and pipe.takes and len(words) == 1
        return [(f"<{pipe.takes}>", pipe.help)] if pipe is not None and wants else []
    last = words[0] if words else ""
    return [(word, pipe.help) for word, pipe in _PIPES.items() if word.startswith(last)]


def _stage(text: str) -> Stage:
    try:
        words = shlex.split(text)
    except ValueError:
        raise PipeError(f"'|{text}': a quote is not closed") from None
    if not words:
        raise PipeError(f"a word is missing behind '|'; expected one of: {', '.join(_PIPES)}")
    found = [name for name in _PIPES if name.startswith(words[0])]
    if len(found) != 1:
        raise PipeError(unknown("word", words[0], _PIPES) + " behind '|'")
    pipe, arguments = _PIPES[found[0]], words[1:]
    if len(arguments) != (1 if pipe.takes else 0):
        wanted = f"one {pipe.takes}" if pipe.takes else "nothing"
        remedy = "; put it in quotes" if pipe.takes and arguments else ""
        raise PipeError(f"'| {found[0]}' takes {wanted}{remedy}")
    try:
        return pipe.make(arguments[0] if arguments else "")
    except ValueError as error:
        raise PipeError(f"'| {found[0]}': {error}") from None
