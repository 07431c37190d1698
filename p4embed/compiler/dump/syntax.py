"""The syntax tree as text; after the checker with the types and values it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram

INDENT = "  "
_PLACES = ("span", "name_span")


def dump_syntax(program: ast.Program) -> str:
    """Every declaration, included files first, a node a line."""
    return _whole(program, None)


def dump_checked(checked: CheckedProgram) -> str:
    """The same; expressions with `: type`, and `= value` if known at compile time."""
    return _whole(checked.program, checked)


def _whole(program: ast.Program, checked: CheckedProgram | None) -> str:
    return "".join(f"{line}\n" for d in program.declarations for line in _lines("", d, checked))


def _lines(label: str, value: object, checked: CheckedProgram | None) -> Iterator[str]:
    """The node, what is simple in it on the same line, then the nodes in it."""
    if isinstance(value, list | tuple):
        yield label
        for item in value:
            yield from (INDENT + line for line in _lines("", item, checked))
        return
    if not isinstance(value, ast.Node) or not is_dataclass(value):
        yield f"{label} {_simple(value)}".lstrip()
        return
    parts = [(f.name, getattr(value, f.name)) for f in fields(value) if f.name not in _PLACES]
    parts = [(n, v) for n, v in parts if v is not None and v is not False and v not in ([], ())]
    head = [label, type(value).__name__]
    head += [f"{n}={_simple(v)}" for n, v in parts if not _has_nodes(v)]
    if checked is not None and isinstance(value, ast.Expression):
        head += _found(value, checked)
    yield " ".join(word for word in head if word)
    for name, part in parts:
        if _has_nodes(part):
            yield from (INDENT + line for line in _lines(f"{name}:", part, checked))


def _has_nodes(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(_has_nodes(item) for item in value)
    return isinstance(value, ast.Node)


def _simple(value: object) -> str:
    return value.name if isinstance(value, Enum) else repr(value)


def _found(value: ast.Expression, checked: CheckedProgram) -> list[str]:
    natural, wanted = checked.types.get(value), checked.coercions.get(value)
    words = [] if natural is None else [f": {natural}"]
    if wanted is not None:
        words.append(f"-> {wanted}")
    constant = checked.constants.get(value)
    if constant is not None:
        words.append(f"= {constant}")
    return words
