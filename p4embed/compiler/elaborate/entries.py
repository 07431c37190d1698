"""Constant entries of tables: keys, actions, priorities."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.elaborate import expressions, tables
from p4embed.compiler.elaborate.context import Context
from p4embed.compiler.elaborate.keysets import key_match
from p4embed.compiler.elaborate.values import (
    Unsupported,
)
from p4embed.compiler.ir import fold, tree

LARGEST_PRIORITY = (1 << 31) - 1
"""P4Runtime's priorities are positive numbers of 32 bits, with sign."""


def add_entries(ctx: Context, declaration: ast.TableDeclaration, table: tree.Table) -> None:
    assert declaration.entries is not None
    elements = declaration.key or []
    table.entries = []
    seen: set[tuple[ir.Match, ...]] = set()
    numbers = _priorities(ctx, declaration)
    for number, entry in zip(numbers, declaration.entries.entries, strict=True):
        keyset = entry.keyset
        parts = keyset.elements if isinstance(keyset, ast.TupleKeyset) else [keyset]
        if len(parts) == 1 and len(elements) > 1:
            parts = parts * len(elements)  # `_` or `default` alone stands for all keys
        matches = tuple(
            key_match(ctx, part, key.target, element.match_kind)
            for part, key, element in zip(parts, table.keys, elements, strict=True)
        )
        call = tables.table_call(ctx, declaration, table, ctx.checked.action_calls[entry.action])
        if call is None:
            raise Unsupported(
                f"action '{entry.action.name}' is not among the table's actions",
                entry.action.span,
            )
        if all(m.kind == "exact" for m in matches):
            if matches in seen:
                raise Unsupported("an entry before this one has the same key", entry.span)
            seen.add(matches)
        table.entries.append(tree.TableEntry(matches, call, number, entry.span))


def _priorities(ctx: Context, declaration: ast.TableDeclaration) -> list[int]:
    """A priority for each entry, BMv2's way: the lowest number wins.

    Without `priority =` the first entry wins. With it, the largest wins, or the smallest if
    `largest_priority_wins` is false; an entry without one follows its predecessor by
    `priority_delta` (P4_16, section 14.2.1.4).
    """
    assert declaration.entries is not None
    entries = declaration.entries.entries
    if all(e.priority is None for e in entries):
        return [_annotated_priority(e) or i for i, e in enumerate(entries, start=1)]
    if all(k.match_kind in ("exact", "lpm") for k in declaration.key or []):
        raise Unsupported(
            "entries of a table with keys of kind exact and lpm only have no priority",
            declaration.name_span,
            f"one is given at {next(e.span for e in entries if e.priority is not None)}",
        )
    wins = declaration.find("largest_priority_wins")
    largest = wins is None or expressions.scalar(ctx, wins.value) == fold.TRUE
    step = declaration.find("priority_delta")
    delta = 1 if step is None else expressions.number(ctx, step.value)
    given: list[int] = []
    for entry in entries:
        if entry.priority is not None:
            given.append(expressions.number(ctx, entry.priority))
        elif not given:
            raise Unsupported(
                "the first entry must have a priority, since a later one has",
                entry.span,
                "write 'priority = NUMBER:' before its key",
            )
        else:
            given.append(given[-1] - delta if largest else given[-1] + delta)
        if not 0 < given[-1] <= LARGEST_PRIORITY:
            raise Unsupported(
                f"an entry of table '{declaration.name}' gets priority {given[-1]}; "
                f"priorities are 1 to {LARGEST_PRIORITY}",
                declaration.name_span,
                f"the entry is at {entry.span}",
            )
    return [max(given) + 1 - p for p in given] if largest else given


def _annotated_priority(entry: ast.TableEntry) -> int | None:
    """`@priority(n)`, which p4c hands to BMv2 as it is."""
    for a in entry.annotations:
        if a.name == "priority" and a.literals and isinstance(a.literals[0], int):
            return a.literals[0]
    return None
