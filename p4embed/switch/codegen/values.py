"""C expressions and the integers that they stand for.

P4 expressions compute on unbounded integers; C does not. A ``Value`` is a C expression of an
unsigned container (64 bits, 128 bits, or ``wide``: as many limbs as the program needs) that equals
the true integer modulo the container, and the range in which the true integer lies. While the
range fits the container the value is exact. A consumer that keeps only the low bits (a store, a
mask) demands only those, and then additions and the like may wrap: that is what makes nearly
everything fit 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from p4embed.switch import program as p

C64, C128, WIDE = 64, 128, 1 << 20
"""Containers, by bits; ``WIDE`` holds anything."""

MOST_BITS = 4096
"""Widest intermediate result; a range beyond this is refused, not computed wrongly."""


class Unsupported(Exception):
    """The native executor cannot run this program; the message names the construct."""


@dataclass(frozen=True, slots=True)
class Value:
    """A C expression; ``low`` and ``high`` bound the integer that it stands for."""

    text: str
    container: int
    low: int
    high: int

    @property
    def exact(self) -> bool:
        """Whether the container tells the integer, not only its low bits."""
        return holds(self.container, self.low, self.high)

    @property
    def negative(self) -> bool:
        """Whether the integer may be negative: the container is then two's complement."""
        return self.low < 0


def holds(container: int, low: int, high: int) -> bool:
    """Whether a container can tell all integers of a range apart, unsigned or signed."""
    if container == WIDE:
        return True
    if low >= 0:
        return high < 1 << container
    return low >= -(1 << container - 1) and high < 1 << container - 1


def container_of(low: int, high: int) -> int:
    """The smallest container that can tell all integers of a range apart."""
    return next(c for c in (C64, C128, WIDE) if holds(c, low, high))


def container_for(bits: int) -> int:
    """The smallest container with so many bits."""
    return next(c for c in (C64, C128, WIDE) if bits <= c)


def bits_of(low: int, high: int) -> int:
    """Bits of the largest magnitude in a range, with a sign bit if there are negative ones."""
    return max(low.bit_length(), high.bit_length()) + (1 if low < 0 else 0)


def c_type(width: int) -> str:
    """The type of a field of so many bits."""
    for bits in (8, 16, 32, 64):
        if width <= bits:
            return f"uint{bits}_t"
    return "u128" if width <= C128 else "wide"


def constant(value: int) -> Value:
    """A literal."""
    container = container_of(value, value)
    if container == C64 and -10 < value < 10:
        text = f"{value}ull" if value >= 0 else f"(uint64_t){value}"
    elif container == C64:
        text = f"0x{value & (1 << 64) - 1:x}ull"
    elif container == C128:
        bits = value & (1 << 128) - 1
        text = f"((u128)0x{bits >> 64:x}ull << 64 | 0x{bits & (1 << 64) - 1:x}ull)"
    else:
        text = _wide_literal(value)
    return Value(text, container, value, value)


def _wide_literal(value: int) -> str:
    if value < 0:
        return f"wide_not({_wide_literal(~value)})"
    limbs = []
    while value:
        limbs.append(f"0x{value & (1 << 64) - 1:x}ull")
        value >>= 64
    return f"((wide){{{{{', '.join(limbs) or '0'}}}}})"


def convert(value: Value, container: int) -> str:
    """The same integer (or its low bits) in another container."""
    if value.container == container:
        return value.text
    if value.container == WIDE:
        return f"wide_low{container}({value.text})"
    signed = value.negative and value.exact
    if container == WIDE:
        if signed:
            cast = {C64: "int64_t", C128: "i128"}[value.container]
            return f"wide_i{value.container}(({cast})({value.text}))"
        return f"wide_u{value.container}({value.text})"
    if container == C128:
        return f"(u128)(i128)(int64_t)({value.text})" if signed else f"(u128)({value.text})"
    return f"(uint64_t)({value.text})"


def mask_text(text: str, container: int, width: int) -> str:
    """The low ``width`` bits of an expression of a container."""
    if container == WIDE:
        return f"wide_cut({text}, {width})"
    if width >= container:
        return text
    return f"({text} & {constant((1 << width) - 1).text})"


def range_of(op: p.DataOp, a: Value, b: Value) -> tuple[int, int]:
    """Where ``a op b`` lies."""
    match op:
        case p.DataOp.ADD:
            return a.low + b.low, a.high + b.high
        case p.DataOp.SUB:
            return a.low - b.high, a.high - b.low
        case p.DataOp.MUL:
            corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return min(corners), max(corners)
        case p.DataOp.AND if a.low >= 0 or b.low >= 0:
            return 0, min(v.high for v in (a, b) if v.low >= 0)
        case _:
            bits = max(bits_of(a.low, a.high), bits_of(b.low, b.high))
            if a.low >= 0 and b.low >= 0:
                return 0, (1 << bits) - 1
            return -(1 << bits), (1 << bits) - 1
