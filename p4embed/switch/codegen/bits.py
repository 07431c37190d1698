"""Fields in bytes: how runs of adjacent fields are read and written with few memory accesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Adjacent fields that begin and end at byte boundaries, as few as possible."""

    offset: int
    """Bytes from the start of the whole."""
    size: int
    """Bytes."""
    members: tuple[int, ...]
    """Indices of the fields."""


def runs(widths: Sequence[int]) -> list[Run] | None:
    """Cut fields of these widths (bits) into runs; ``None`` if they do not fill whole bytes."""
    result: list[Run] = []
    start, at, members = 0, 0, list[int]()
    for index, width in enumerate(widths):
        members.append(index)
        at += width
        if at % 8 == 0:
            if at > start:
                result.append(Run(start // 8, (at - start) // 8, tuple(members)))
            start, members = at, []
    return None if at % 8 else result


def shifts(widths: Sequence[int], run: Run) -> list[int]:
    """How far each member of a run stands from the run's low end."""
    left = 8 * run.size
    result = []
    for member in run.members:
        left -= widths[member]
        result.append(left)
    return result


def pack(widths: Sequence[int], texts: Sequence[str], at: str) -> list[str]:
    """Statements that write values (each within its width) to consecutive bits from ``at`` on.

    ``texts`` are C expressions of the type that their width calls for. Bits that are left in the
    last byte must have been cleared before.
    """
    lines: list[str] = []
    parts = runs(widths)
    bit = 0
    if parts is None:
        for width, text in zip(widths, texts, strict=True):
            lines += _put(at, bit, width, text)
            bit += width
        return lines
    for run in parts:
        place = f"{at} + {run.offset}" if run.offset else at
        if run.size <= 16:
            wide = run.size > 8
            cast = "(u128)" if wide else "(uint64_t)"
            terms = []
            for member, shift in zip(run.members, shifts(widths, run), strict=True):
                if widths[member]:
                    term = texts[member] if len(run.members) == 1 else f"{cast}{texts[member]}"
                    terms.append(f"{term} << {shift}" if shift else term)
            call = "wp_store128" if wide else "wp_store"
            lines.append(f"{call}({place}, {run.size}, {' | '.join(terms)});")
        elif len(run.members) == 1:
            lines.append(f"wide_store({place}, {run.size}, {texts[run.members[0]]});")
        else:
            bit = 8 * run.offset
            for member in run.members:
                lines += _put(at, bit, widths[member], texts[member])
                bit += widths[member]
    return lines


def _put(at: str, bit: int, width: int, text: str) -> list[str]:
    if width > 128:
        return [f"wide_put_bits({at}, {bit}, {width}, {text});"]
    if width > 64:
        return [
            f"wp_put_bits({at}, {bit}, {width - 64}, (uint64_t)({text} >> 64));",
            f"wp_put_bits({at}, {bit + width - 64}, 64, (uint64_t){text});",
        ]
    return [f"wp_put_bits({at}, {bit}, {width}, {text});"]


def load(at: str, bit: int, width: int) -> str:
    """A C expression for ``width`` bits that start ``bit`` bits after ``at``.

    64 bits, 128 bits or ``wide``, as ``width`` calls for.
    """
    first, last = bit // 8, (bit + width + 7) // 8
    size, below = last - first, 8 * last - bit - width
    place = f"{at} + {first}" if first else at
    if width > 128:
        if below == 0 and bit % 8 == 0:
            return f"wide_load({place}, {size})"
        return f"wide_get_bits({at}, {bit}, {width})"
    if size > 16:
        high = f"(u128)wp_get_bits({at}, {bit}, {width - 64})"
        return f"({high} << 64 | wp_get_bits({at}, {bit + width - 64}, 64))"
    text = f"wp_load128({place}, {size})" if size > 8 else f"wp_load({place}, {size})"
    if below:
        text = f"{text} >> {below}"
    if bit % 8:
        mask = (1 << width) - 1
        literal = f"0x{mask:x}" if width <= 64 else f"(((u128)1 << {width}) - 1)"
        text = f"({text}) & {literal}"
    if size > 8 and width <= 64:
        return f"(uint64_t)({text})"
    return f"({text})" if below or bit % 8 else text
