"""Random expressions, in the reference and in the native executor.

The reference computes on Python's unbounded integers, so it is the truth by construction; what is
tried here is the native executor's choice of containers, masks and signs.
"""

from __future__ import annotations

import random

import pytest
from native_programs import header_type, program, standard

from p4embed.switch import program as p
from p4embed.switch.codegen import Unsupported, generate
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.expressions import Expressions
from p4embed.switch.native import NativeEngine
from p4embed.switch.reference import ReferenceEngine

UNSIGNED = (1, 7, 8, 13, 16, 3, 32, 33, 48, 63, 64, 65, 127, 128, 32)
SIGNED = (8, 5, 16, 3, 32, 33, 64, 63, 128, 40)
WIDE = (129, 200, 256, 39, 512, 24)
INPUTS = (UNSIGNED, SIGNED, WIDE)
WIDTHS = (1, 4, 8, 11, 16, 31, 32, 64, 65, 128, 129, 200)
"""Of results."""


class Random:
    """Draws expressions over the input headers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def leaf(self) -> p.DataExpr:
        if self.rng.random() < 0.3:
            bits = self.rng.choice((1, 3, 8, 16, 32, 64, 100, 130))
            value = self.rng.choice((0, 1, (1 << bits) - 1, self.rng.getrandbits(bits)))
            return p.Const(-value if self.rng.random() < 0.15 else value)
        header = self.rng.choice((0, 0, 0, 1, 2))
        return p.FieldRef(1 + header, self.rng.randrange(len(INPUTS[header])))

    def data(self, depth: int) -> p.DataExpr:
        rng = self.rng
        if depth == 0:
            return self.leaf()
        width = rng.choice(WIDTHS)
        match rng.randrange(12):
            case 0:
                return p.Negate(self.data(depth - 1))
            case 1:
                return p.Invert(self.data(depth - 1))
            case 2:
                return p.TwoCompMod(self.data(depth - 1), width)
            case 3:
                return p.Saturate(self.data(depth - 1), width, rng.random() < 0.5)
            case 4:
                return p.Choose(self.bool(depth - 1), self.data(depth - 1), self.data(depth - 1))
            case 5:
                return p.BoolToData(self.bool(depth - 1))
            case 6 | 7:
                mask = p.Const((1 << width) - 1)
                return p.Arithmetic(p.DataOp.AND, self.data(depth - 1), mask)
            case 8:
                shift = p.DataOp.SHL if rng.random() < 0.5 else p.DataOp.SHR
                distance: p.DataExpr = p.Const(rng.randint(0, 140))
                if rng.random() < 0.3:
                    distance = p.FieldRef(1, 1)
                return p.Arithmetic(shift, self.data(depth - 1), distance)
            case _:
                op = rng.choice([o for o in p.DataOp if o not in (p.DataOp.SHL, p.DataOp.SHR)])
                return p.Arithmetic(op, self.data(depth - 1), self.data(depth - 1))

    def bool(self, depth: int) -> p.BoolExpr:
        rng = self.rng
        match rng.randrange(4 if depth else 2):
            case 0:
                op = rng.choice(list(p.Comparison))
                below = max(depth - 1, 0)
                return p.Compare(op, self.data(below), self.data(below))
            case 1:
                return p.DataToBool(self.data(max(depth - 1, 0)))
            case 2:
                return p.Not(self.bool(depth - 1))
            case _:
                op_ = rng.choice(list(p.BoolOp))
                return p.Logic(op_, self.bool(depth - 1), self.bool(depth - 1))

    def frame(self) -> bytes:
        """Values for all input fields; the extremes are likely."""
        bits = width = 0
        for widths in INPUTS:
            for field in widths:
                full = (1 << field) - 1
                value = self.rng.choice(
                    (0, 1, full, full >> 1, full ^ (full >> 1), self.rng.getrandbits(field))
                )
                bits, width = bits << field | value, width + field
        return bits.to_bytes(width // 8, "big")


def build(seed: int, count: int) -> p.Program:
    """A program that stores ``count`` random expressions in fields of a result header."""
    draw = Random(seed)
    inputs = [
        p.Header("u", header_type("u_t", *UNSIGNED), metadata=False),
        p.Header("s", header_type("s_t", *SIGNED, signed=True), metadata=False),
        p.Header("w", header_type("w_t", *WIDE), metadata=False),
    ]
    probe = program(inputs, extract=[1, 2, 3])
    expressions: list[tuple[int, bool, p.DataExpr]] = []
    while len(expressions) < count:
        expr, width = draw.data(draw.rng.randint(1, 4)), draw.rng.choice(WIDTHS)
        try:
            Expressions(Context(probe)).data(expr, width)
        except Unsupported:
            continue
        expressions.append((width, width > 1 and draw.rng.random() < 0.2, expr))
    fields = [p.Field(f"r{i}", width, signed) for i, (width, signed, _) in enumerate(expressions)]
    fields.append(p.Field("pad", -sum(f.width for f in fields) % 8 + 8))
    result = p.Header("r", p.HeaderType("r_t", tuple(fields)), metadata=False)
    body: list[p.Primitive] = [
        p.Assign(standard("egress_spec"), p.Const(1)),
        p.AddHeader(p.HeaderRef(4)),
    ]
    body += [p.Assign(p.FieldRef(4, i), expr) for i, (_, _, expr) in enumerate(expressions)]
    return program(
        [*inputs, result],
        extract=[1, 2, 3],
        actions=[p.Action("compute", 1, (), tuple(body))],
        calls=[p.Call("call", 1, None)],
        start=p.CallNode(0),
        deparse=[4],
        name=f"expressions {seed}",
    )


@pytest.mark.parametrize("seed", range(6))
def test_random_expressions(seed: int) -> None:
    built = build(seed, 120)
    reference, native = ReferenceEngine(built), NativeEngine(built)
    draw = Random(seed + 1000)
    result = built.headers[4].type
    for _ in range(40):
        frame = draw.frame()
        one, other = reference.process(0, frame, 0), native.process(0, frame, 0)
        if one == other:
            continue
        a, b = (
            int.from_bytes(sent[0].frame[: result.fixed_width // 8], "big") for sent in (one, other)
        )
        body = built.actions[0].body
        for index, (field, offset) in enumerate(zip(result.fields, result.offsets, strict=True)):
            below = result.fixed_width - offset - field.width
            got = [value >> below & (1 << field.width) - 1 for value in (a, b)]
            assert got[0] == got[1], f"{body[index + 2]} on {frame.hex()}"
        raise AssertionError(frame.hex())
    native.close()


def test_the_generated_code_names_what_it_computes() -> None:
    text = generate(build(0, 3))
    assert "/* action compute */" in text
    assert "static void action_compute(struct packet *p)" in text
    assert "p->h.r.r0 = " in text
