"""Annotations as P4Info shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from p4embed.compiler import ast
from p4embed.compiler.checked import Value
from p4embed.compiler.elaborate.values import Unsupported
from p4embed.compiler.syntax.lexer import parse_int, parse_string

Message: TypeAlias = Any
"""A protobuf message; finsy's stubs do not cover the fields that several share."""


def text(annotation: ast.Annotation) -> str:
    """An annotation as P4Info shows it: its tokens with a space between."""
    if annotation.tokens is None:
        return f"@{annotation.name}"
    return f"@{annotation.name}({' '.join(annotation.tokens)})"


def _constant(value: object, into: Message) -> None:
    match value:
        case bool():
            into.bool_value = value
        case int():
            into.int64_value = value
        case str():
            into.string_value = value


def annotate(
    message: Message,
    annotations: Iterable[ast.Annotation],
    constants: Mapping[ast.Expression, Value],
    without: Sequence[str] = (),
) -> None:
    """Annotations that P4Info has no field of its own for."""
    for a in annotations:
        if a.expressions is not None or a.pairs is not None:
            structured = message.structured_annotations.add(name=a.name)
            for expr in a.expressions or ():
                _constant(constants.get(expr), structured.expression_list.expressions.add())
            for pair in a.pairs or ():
                into = structured.kv_pair_list.kv_pairs.add(key=pair.key)
                _constant(constants.get(pair.value), into.value)
        elif a.name not in ("name", "id", "brief", "description", *without):
            message.annotations.append(text(a))


def document(message: Message, annotations: Iterable[ast.Annotation]) -> None:
    for a in annotations:
        if a.name in ("brief", "description") and a.literals:
            setattr(message.doc, a.name, str(a.literals[0]))


def given_id(annotations: Iterable[ast.Annotation]) -> int | None:
    for a in annotations:
        if a.name == "id" and a.literals and isinstance(a.literals[0], int):
            return a.literals[0]
    return None


def number_of(annotations: Iterable[ast.Annotation], name: str) -> int | None:
    for a in annotations:
        if a.name == name and a.literals and isinstance(a.literals[0], int):
            return a.literals[0]
    return None


def pairs(annotation: ast.Annotation) -> Iterator[tuple[str, str | int]]:
    """`key = value` in an annotation with unparsed tokens. Raises `Unsupported`."""
    tokens = [t for t in annotation.tokens or () if t != ","]
    for key, equals, value in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if equals != "=":
            continue
        if value.startswith('"'):
            yield key, parse_string(value)
        elif value[0].isdigit():
            yield key, parse_int(value)[0]
        else:
            raise Unsupported(
                f"@{annotation.name} wants strings and integers, not {key} = {value}",
                annotation.span,
            )
