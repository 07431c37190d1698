"""Source files, spans and diagnostics.

A `Span` is a stretch of one source file *as its author wrote it*: tokens keep the
file they came from through `#include` and macro expansion, so a diagnostic never
points into preprocessed text. Tokens that a macro produced carry the span of the
macro's use.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum

MAX_LINE = 160
"""Characters of a source line that are shown; of a longer one, the part around the caret."""


class SourceFile:
    """One file's text, with offsets turned into lines and columns on demand."""

    __slots__ = ("_starts", "path", "system", "text")

    def __init__(self, path: str, text: str, *, system: bool = False) -> None:
        """`path` is shown to the user as it is; `system` marks the compiler's own includes."""
        self.path = path
        self.text = text
        self.system = system
        self._starts: list[int] | None = None

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of `offset`, both counted from 1."""
        if self._starts is None:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, offset: int) -> str:
        """The whole line around `offset`, without its line end."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")

    def __repr__(self) -> str:
        return f"SourceFile({self.path!r})"


class Span:
    """The characters `start` to `end` (exclusive) of `source`."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: SourceFile, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    @property
    def file(self) -> str:
        """Path of the file as it was named on the command line or found by an include."""
        return self.source.path

    @property
    def line(self) -> int:
        """First line, counted from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """First column, counted from 1."""
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        """The source text that is covered (BMv2 JSON calls it the source fragment)."""
        return self.source.text[self.start : self.end]

    def to(self, last: Span) -> Span:
        """From the start of this span to the end of `last`, or this one if they do not meet."""
        if last.source is self.source and last.end > self.end:
            return Span(self.source, self.start, last.end)
        return self

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.path}:{line}:{column}"

    def __repr__(self) -> str:
        return f"Span({self})"


class Severity(Enum):
    """How bad it is: only an error stops the compiler."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Note:
    """An addition to a diagnostic: another place that explains it, or the remedy."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What is wrong, where, and (as notes) what would be right."""

    severity: Severity
    message: str
    span: Span | None
    notes: tuple[Note, ...] = ()

    def render(self) -> str:
        """`file:line:col: error: message`, the source line with a caret, then the notes."""
        parts = [_render(self.severity.value, self.message, self.span)]
        parts += [_render("note", note.message, note.span) for note in self.notes]
        return "\n".join(parts)


def _render(label: str, message: str, span: Span | None) -> str:
    if span is None:
        return f"{label}: {message}"
    head = f"{span}: {label}: {message}"
    text = span.source.line(span.start)
    if not text.strip():
        return head
    before = span.column - 1
    if len(text) > MAX_LINE:
        cut = max(0, min(before - MAX_LINE // 2, len(text) - MAX_LINE))
        text, before = text[cut : cut + MAX_LINE], before - cut
    # Tabs are kept in the padding, so that the caret stands right whatever their width.
    padding = "".join("\t" if c == "\t" else " " for c in text[:before])
    length = max(1, min(span.end - span.start, len(text) - before))
    return f"{head}\n{text}\n{padding}^{'~' * (length - 1)}"


class CompileError(Exception):
    """Raised to leave a construct after its diagnostic was recorded."""


@dataclass(slots=True)
class Diagnostics:
    """Collects what the compiler has to say; order of discovery is kept."""

    items: list[Diagnostic] = field(default_factory=list)
    limit: int = 50
    """Errors after this many are counted, not kept."""
    error_count: int = 0
    _seen: set[tuple[int, int, str]] = field(default_factory=set)

    def error(self, message: str, span: Span | None, *notes: Note | str) -> None:
        """Record an error; a plain string among `notes` is a note without a place."""
        key = (id(span.source), span.start, message) if span else (0, 0, message)
        if key in self._seen:
            return
        self._seen.add(key)
        self.error_count += 1
        if self.error_count <= self.limit:
            self._add(Severity.ERROR, message, span, notes)

    def warning(self, message: str, span: Span | None, *notes: Note | str) -> None:
        """Record a warning."""
        self._add(Severity.WARNING, message, span, notes)

    def _add(
        self, severity: Severity, message: str, span: Span | None, notes: Iterable[Note | str]
    ) -> None:
        made = tuple(note if isinstance(note, Note) else Note(note) for note in notes)
        self.items.append(Diagnostic(severity, message, span, made))

    @property
    def failed(self) -> bool:
        """Whether any error was recorded."""
        return self.error_count > 0

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)

    def render(self) -> str:
        """All diagnostics as the user sees them."""
        lines = [item.render() for item in self.items]
        if self.error_count > self.limit:
            lines.append(f"error: {self.error_count - self.limit} more errors not shown")
        return "\n".join(lines)


def did_you_mean(word: str, known: Iterable[str]) -> tuple[Note, ...]:
    """A note with the most similar of the `known` words, if one is similar at all."""
    close = get_close_matches(word, sorted(set(known)), n=1, cutoff=0.7)
    return (Note(f"did you mean '{close[0]}'?"),) if close else ()
