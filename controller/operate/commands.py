"""The command tree of the operational mode: words to a command, with completion and errors.

The tree is data (``table.py``). Words may be cut short as long as they stay unambiguous.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.config.problems import unknown
from controller.config.values import Value

if TYPE_CHECKING:
    from controller.config.schema import Configuration
    from controller.operate.operator import Operator

Options = Mapping[str, str]
"""The options that were typed and their values; an empty value for those that take none."""

Names = Callable[["Configuration"], Iterable[str]]
"""What a configuration has of one kind."""


@dataclass(frozen=True, slots=True)
class Option:
    """A word behind a command, perhaps with a value."""

    word: str
    help: str
    value: Value | None = None
    is_required: bool = False
    is_bare: bool = False
    """Its value may stand without the word, as in ``show route 10.1.1.1``."""
    names: Names | None = None
    """What the configuration in force has for its value."""

    def offers(self, configuration: Configuration | None) -> dict[str, str]:
        """What its value may be, with help; ``<zone>`` and the like if there is no list."""
        assert self.value is not None
        names: Iterable[str] = self.value.choices
        if self.names is not None and configuration is not None:
            names = self.names(configuration)
        return dict.fromkeys(names, self.help) or {f"<{self.value.name}>": self.help}


@dataclass(frozen=True, slots=True)
class Command:
    """A word of the tree."""

    word: str
    help: str
    children: tuple[Command, ...] = ()
    options: tuple[Option, ...] = ()
    run: Callable[[Operator, Options], Awaitable[str]] | None = None
    """``None``: more words must follow."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command that was understood."""

    command: Command
    options: Options


ENTER = ("<[Enter]>", "Execute this command")
BAR = ("|", "Pick from what it answers")


class CommandError(Exception):
    """A line that is no command, or one that cannot be carried out; the text says why."""


@dataclass(slots=True)
class _Walk:
    """How far the words of a line lead."""

    command: Command
    options: dict[str, str] = field(default_factory=dict)
    waiting: Option | None = None
    """An option whose value is to come."""
    configuration: Configuration | None = None
    """Whose names complete; ``None``: no names."""

    def candidates(self) -> dict[str, str]:
        """What may follow, with help."""
        if self.waiting is not None and self.waiting.value is not None:
            return self.waiting.offers(self.configuration)
        words = {child.word: child.help for child in self.command.children}
        words |= {o.word: o.help for o in self.command.options if o.word not in self.options}
        return words

    def bare_values(self) -> list[tuple[str, str]]:
        """Values that may follow without a word before them, with help."""
        return [
            offer
            for option, _ in self._bare()
            for offer in option.offers(self.configuration).items()
        ]

    def _bare(self) -> list[tuple[Option, Value]]:
        return [
            (option, option.value)
            for option in self.command.options
            if option.is_bare and option.value is not None and option.word not in self.options
        ]

    def is_whole(self) -> bool:
        """Whether nothing has to follow."""
        required = (option.word for option in self.command.options if option.is_required)
        return (
            self.command.run is not None
            and self.waiting is None
            and all(word in self.options for word in required)
        )

    def take(self, word: str, line: str, column: int) -> None:
        """Follow a word. Raises ``CommandError``."""
        if self.waiting is not None and self.waiting.value is not None:
            complaint = self.waiting.value.complaint(word)
            if complaint is not None:
                raise _wrong(line, column, complaint)
            self.options[self.waiting.word] = word
            self.waiting = None
            return
        candidates = self.candidates()
        matches = [c for c in candidates if c == word] or [
            c for c in candidates if c.startswith(word)
        ]
        if not matches:
            for option, value in self._bare():
                if value.complaint(word) is None:
                    self.options[option.word] = word
                    return
            if not candidates:
                raise _wrong(line, column, f"nothing may follow here, but '{word}' does")
            raise _wrong(line, column, unknown("word", word, candidates))
        if len(matches) > 1:
            raise _wrong(line, column, f"'{word}' is ambiguous: {', '.join(sorted(matches))}")
        child = next((c for c in self.command.children if c.word == matches[0]), None)
        if child is not None:
            self.command = child
            return
        option = next(o for o in self.command.options if o.word == matches[0])
        self.options[option.word] = ""
        if option.value is not None:
            self.waiting = option


def known(options: Options, word: str, kind: str, names: Iterable[str]) -> None:
    """Raise ``CommandError`` if an option that was typed names nothing that there is."""
    name = options.get(word)
    if name is not None and name not in set(names):
        raise CommandError(unknown(kind, name, names))


def _wrong(line: str, column: int, text: str) -> CommandError:
    return CommandError(f"{line}\n{' ' * column}^\n{text}")


def _words(line: str) -> list[tuple[str, int]]:
    found, column = [], 0
    for word in line.split():
        column = line.index(word, column)
        found.append((word, column))
        column += len(word)
    return found


def parse(root: Command, line: str) -> Invocation:
    """Understand a line. Raises ``CommandError``, which points at the word that is wrong."""
    walk = _Walk(root)
    for word, column in _words(line):
        walk.take(word, line, column)
    end = len(line.rstrip()) + 1
    if walk.waiting is not None and walk.waiting.value is not None:
        text = f"the line ends too early; expected {walk.waiting.value.name}"
        raise _wrong(line, end, f"{text} after '{walk.waiting.word}'")
    if walk.command.run is None:
        expected = ", ".join(sorted(walk.candidates()))
        raise _wrong(line, end, f"the line ends too early; expected one of: {expected}")
    for option in walk.command.options:
        if option.is_required and option.word not in walk.options:
            value = f" <{option.value.name}>" if option.value is not None else ""
            raise _wrong(line, end, f"the line ends too early; expected '{option.word}{value}'")
    return Invocation(walk.command, walk.options)


def complete(
    root: Command, line: str, configuration: Configuration | None = None
) -> Sequence[tuple[str, str]]:
    """What the last word of a line may become (or what may follow a space): words and help, names
    of ``configuration`` among them."""
    words = _words(line)
    last = "" if not words or line[-1:].isspace() else words.pop()[0]
    walk = _Walk(root, configuration=configuration)
    try:
        for word, column in words:
            walk.take(word, line, column)
    except CommandError:
        return []
    found = [*walk.candidates().items()]
    if walk.waiting is None:
        # What stands for a value helps only where nothing of it was typed.
        found += [offer for offer in walk.bare_values() if not last or offer[0][0] != "<"]
    whole = [] if last or not walk.is_whole() else [ENTER, BAR]
    return whole + [(word, text) for word, text in found if word.startswith(last) or word[0] == "<"]
