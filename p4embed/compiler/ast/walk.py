"""All nodes of a piece of syntax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from p4embed.compiler import ast


def walk(node: object) -> Iterator[ast.Node]:
    """The node and every node inside it, outer ones first."""
    if isinstance(node, ast.Node):
        yield node
        for f in fields(node):
            if f.name != "span":
                yield from walk(getattr(node, f.name))
    elif isinstance(node, list):
        for item in node:
            yield from walk(item)
