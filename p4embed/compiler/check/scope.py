"""Scopes of names, and where in a program the checker stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from p4embed.compiler import ast
from p4embed.compiler.types import VOID, Type


class Scope:
    """Names declared in one block; a name has several declarations if it is overloaded."""

    __slots__ = ("names", "parent")

    def __init__(self, parent: Scope | None) -> None:
        self.names: dict[str, list[ast.Declaration]] = {}
        self.parent = parent

    def lookup(self, name: str) -> list[ast.Declaration]:
        """Declarations of `name` in the innermost scope that has any."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return []

    def visible(self) -> Iterator[str]:
        """Every name that can be used here."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent


class Place(Enum):
    """What kind of code is being checked; the value is how messages call it."""

    TOP = "the top level"
    PARSER = "a parser"
    CONTROL = "a control"
    ACTION = "an action"
    FUNCTION = "a function"
    TABLE = "a table"


@dataclass(slots=True)
class Frame:
    """The code being checked."""

    place: Place = Place.TOP
    result: Type = VOID
    """What `return` has to give."""
    loops: int = 0
    """Loops around the statement."""
    this: Type | None = None
    """Type of `this`, inside the implementation of an abstract method."""


@dataclass(slots=True)
class Names:
    """The scopes in force while a program is checked."""

    globals: Scope = field(default_factory=lambda: Scope(None))
    current: Scope = field(init=False)
    unfinished: list[str] = field(default_factory=list)
    """Names whose declarations are being checked: they cannot be used yet."""

    def __post_init__(self) -> None:
        self.current = self.globals
