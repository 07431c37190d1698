"""Whole programs, in the reference and in the native executor: packets, entries, state."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from harness import Pair, hold_against_each_other
from native_programs import META, header_type, program, standard, table_program

from p4embed.switch import program as p
from p4embed.switch.engine import Replica
from p4embed.switch.native import NativeEngine, NativeError
from p4embed.switch.program import MatchKind

SEED_COUNT = 3


@pytest.mark.parametrize(
    ("match", "widths", "kinds"),
    [
        (MatchKind.EXACT, (3, 5, 16, 48, 128), None),
        (MatchKind.LPM, (8, 32), (MatchKind.EXACT, MatchKind.LPM)),
        (MatchKind.LPM, (128,), None),
        (MatchKind.TERNARY, (9, 7, 16), (MatchKind.TERNARY, MatchKind.EXACT, MatchKind.LPM)),
        (MatchKind.RANGE, (16, 8), (MatchKind.RANGE, MatchKind.TERNARY)),
    ],
)
def test_tables(match: MatchKind, widths: tuple[int, ...], kinds: tuple[MatchKind, ...]) -> None:
    built = table_program(match, widths, kinds=kinds)
    left = sum(hold_against_each_other(built, seed, 6, 30) for seed in range(SEED_COUNT))
    assert left > 50, "hardly any packet hit an entry"


def test_tables_in_a_circle_are_refused() -> None:
    """No compiler makes them, but a file may have them."""
    built = table_program(MatchKind.EXACT, (8,))
    again = p.ByHit(p.TableNode(0), p.TableNode(0))
    built = replace(built, tables=(replace(built.tables[0], next=again),))
    with pytest.raises(NativeError, match="control 'ingress' runs in a circle"):
        NativeEngine(built)


def labels() -> p.Program:
    """A stack of labels, parsed until the bottom bit, pushed, popped, copied and indexed."""
    label = header_type("label_t", 20, 3, 1, 8)
    option = p.HeaderType("option_t", (p.Field("size", 8), p.Field("data", 64, variable=True)))
    headers = [p.Header(f"l[{i}]", label, metadata=False, stack=0) for i in range(3)]
    headers += [p.Header(f"m[{i}]", label, metadata=False, stack=1) for i in range(3)]
    headers += [p.Header("option", option, metadata=False)]
    built = program(headers, extract=[], stacks=[
        p.Stack("l", label, (1, 2, 3)), p.Stack("m", label, (4, 5, 6)),
    ])  # fmt: skip
    bottom = p.FieldOf(p.LastElement(0), 2, 1, False)
    states = (
        p.ParseState(
            "label",
            (p.ExtractNext(0),),
            (p.KeyPart(bottom, 1),),
            (p.OnValue(b"\x01", b"\x01", 1),),
            0,
        ),
        p.ParseState(
            "option",
            (
                p.Verify(
                    p.Compare(
                        p.Comparison.NE, p.FieldOf(p.LastElement(0), 3, 8, False), p.Const(9)
                    ),
                    p.Const(7),
                ),
                p.Advance(p.Arithmetic(p.DataOp.MUL, p.StackSize(0), p.Const(4))),
                p.ExtractHeader(
                    7,
                    p.Arithmetic(
                        p.DataOp.AND, p.FieldOf(p.LastElement(0), 0, 20, False), p.Const(127)
                    ),
                ),
            ),
            (p.KeyPart(p.Lookahead(4, 9), 9), p.KeyPart(p.ValidBit(2), 1)),
            (p.OnValue(b"\x00\x10\x01", b"\x00\x18\x01", 2),),
            None,
        ),
        p.ParseState("more", (p.SetField(p.FieldRef(3, 0), p.Lookahead(0, 20)),), (), (), None),
    )
    element = p.StackElement(0, p.FieldRef(1, 1))
    body: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), p.Const(2)),
        p.AssignStack(1, 0),
        p.PushFront(0, 2),
        p.AddHeader(p.StackElement(0, p.Const(0))),
        p.Assign(p.FieldOf(p.StackElement(0, p.Const(0)), 0, 20, False), p.StackSize(0)),
        p.Assign(p.FieldOf(element, 3, 8, False), p.LastStackIndex(0)),
        p.PopFront(1, 1),
        p.JumpIfZero(p.BoolToData(p.Valid(element)), 9),
        p.RemoveHeader(element),
        p.JumpIfZero(
            p.BoolToData(
                p.SameHeader(p.StackElement(0, p.Const(2)), p.StackElement(1, p.Const(0)))
            ),
            11,
        ),
        p.AssignHeader(p.StackElement(1, p.Const(2)), p.StackElement(0, p.Const(1))),
        p.Assign(p.FieldRef(4, 1), p.FieldRef(META, 5)),
    )
    return _replace(
        built,
        parser=p.Parser("parser", 0, states),
        actions=(p.Action("shuffle", 1, (), body),),
        calls=(p.Call("call", 1, None),),
        ingress=p.Pipeline("ingress", p.CallNode(0)),
    )


def counting() -> p.Program:
    """Registers, counters, hashes and checksums."""
    head = header_type("head_t", 4, 12, 16, 32)
    result = header_type("result_t", 16, 16, 32, 16, 64, 128)
    headers = [p.Header("h", head, metadata=False), p.Header("r", result, metadata=False)]
    fields: tuple[p.CalculationInput, ...] = (
        p.FieldRef(1, 0), p.FieldRef(1, 1), p.FieldRef(1, 3), p.InputConst(0xABC, 16),
    )  # fmt: skip
    odd: tuple[p.CalculationInput, ...] = (p.FieldRef(1, 0), p.FieldRef(1, 2), p.FieldRef(META, 0))
    algorithms = (
        p.Algorithm.CRC16, p.Algorithm.CRC32, p.Algorithm.XOR16, p.Algorithm.IDENTITY,
        p.Algorithm.CRC_CCITT,
    )  # fmt: skip
    calculations = [p.Calculation(a.value, a, fields) for a in algorithms]
    calculations += [
        p.Calculation("odd", p.Algorithm.CRC32, odd),
        p.Calculation("sum", p.Algorithm.CSUM16, (*fields, p.InputHeader(2), p.InputPayload())),
    ]
    index = p.Arithmetic(p.DataOp.AND, p.FieldRef(1, 1), p.Const(15))
    body: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), p.FieldRef(1, 0)),
        p.AddHeader(p.HeaderRef(2)),
        p.HashTo(p.FieldRef(2, 0), p.Const(0), 0, p.Const(1 << 16)),
        p.HashTo(p.FieldRef(2, 1), p.Const(100), 2, p.Const(1000)),
        p.HashTo(p.FieldRef(2, 2), p.FieldRef(1, 2), 1, p.Const(1 << 32)),
        p.HashTo(p.FieldRef(2, 4), p.Const(0), 3, p.Const(1 << 60)),
        p.HashTo(p.FieldRef(META, 9), p.Const(0), 4, p.Const(0)),
        p.ExecuteMeter(0, index, p.FieldRef(1, 2)),
        p.ExecuteMeter(1, index, p.FieldRef(META, 8)),
        p.CountIn(0, index),
        p.CountIn(0, p.FieldRef(1, 3)),
        p.RegisterRead(p.FieldRef(2, 5), 0, index),
        p.RegisterWrite(
            0, index, p.Arithmetic(p.DataOp.ADD, p.RegisterCell(0, index), p.FieldRef(2, 4))
        ),
        p.RegisterWrite(1, index, p.Arithmetic(p.DataOp.SHL, p.FieldRef(1, 3), p.Const(110))),
        p.RegisterWrite(2, p.FieldRef(1, 1), p.FieldRef(1, 3)),
    )
    built = program(
        headers,
        extract=[1],
        actions=[p.Action("count", 1, (), body)],
        calls=[p.Call("call", 1, None)],
        start=p.CallNode(0),
        counters=[p.Counter("packets", 8, direct=False)],
        registers=[p.Register("a", 8, 100), p.Register("b", 16, 140), p.Register("c", 4096, 9)],
        calculations=calculations,
        checksums=[
            p.Checksum("sum", p.FieldRef(2, 3), 6, False, True, p.BoolConst(True)),
            p.Checksum("check", p.FieldRef(1, 2), 5, True, False, p.BoolConst(True)),
        ],
        deparse=[2, 1],
    )
    meters = (p.Meter("m", 8, False, True, None), p.Meter("n", 8, False, False, None))
    return _replace(built, meters=meters)


def copying() -> p.Program:
    """Clones, multicast, resubmit and recirculate, as the first byte says."""
    head = header_type("head_t", 4, 4, 8)
    meta = header_type("meta_t", 8)
    headers = [p.Header("h", head, metadata=False), p.Header("m", meta, metadata=True)]
    kind, number, ttl, kept = (
        p.FieldRef(1, 0),
        p.FieldRef(1, 1),
        p.FieldRef(1, 2),
        p.FieldRef(2, 0),
    )

    def unless(value: int, to: int) -> p.JumpIfZero:
        return p.JumpIfZero(p.BoolToData(p.Compare(p.Comparison.EQ, kind, p.Const(value))), to)

    fresh = p.JumpIfZero(p.BoolToData(p.Compare(p.Comparison.LT, kept, p.Const(3))), 9)
    count: p.Primitive = p.Assign(kept, p.Arithmetic(p.DataOp.ADD, kept, p.Const(1)))
    ingress: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), number),
        count,
        unless(1, 4),
        p.Clone(number, 0, egress=False),
        unless(2, 6),
        p.Assign(standard("mcast_grp"), number),
        unless(3, 9),
        fresh,
        p.Resubmit(0),
        unless(4, 11),
        p.MarkToDrop(standard("egress_spec"), standard("mcast_grp")),
    )
    egress: tuple[p.Primitive, ...] = (
        p.Assign(ttl, p.Arithmetic(p.DataOp.ADD, ttl, standard("instance_type"))),
        count,
        unless(5, 6),
        p.JumpIfZero(p.BoolToData(p.Compare(p.Comparison.LT, kept, p.Const(9))), 6),
        p.Recirculate(0),
        p.Truncate(p.Const(40)),
        unless(6, 9),
        p.JumpIfZero(p.BoolToData(p.Compare(p.Comparison.LT, kept, p.Const(4))), 9),
        p.Clone(number, 0, egress=True),
    )
    built = program(
        headers,
        extract=[1],
        actions=[p.Action("in", 1, (), ingress), p.Action("out", 2, (), egress)],
        calls=[p.Call("call_in", 1, None), p.Call("call_out", 2, None)],
        start=p.CallNode(0),
        egress=p.CallNode(1),
        deparse=[1],
    )
    return _replace(built, field_lists=(p.FieldList("kept", (kept,)),))


def selecting() -> p.Program:
    """A table whose actions come from members and groups of a profile."""
    built = table_program(MatchKind.EXACT, (8, 8))
    selector = p.Calculation("s", p.Algorithm.CRC16, (p.FieldRef(1, 1), standard("ingress_port")))
    table = replace(
        built.tables[0],
        key=built.tables[0].key[:1],
        implementation=p.Implementation.SELECTOR,
        profile=0,
        default=None,
    )
    return _replace(built, tables=(table,), profiles=(p.Profile("ap", 16, selector),))


def telling() -> p.Program:
    """A value set steers the parser; a digest tells what was found."""
    head = header_type("h_t", 4, 4, 8)
    headers = [p.Header("h", head, metadata=False), p.Header("i", head, metadata=False)]
    body: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), p.FieldRef(1, 0)),
        p.JumpIfZero(p.BoolToData(p.Valid(p.HeaderRef(2))), 3),
        p.Digest(p.Const(0), 0),
        p.Assign(p.FieldRef(1, 2), p.FieldRef(2, 2)),
    )
    built = program(
        headers,
        extract=[1],
        actions=[p.Action("tell", 1, (), body)],
        calls=[p.Call("call", 1, None)],
        start=p.CallNode(0),
    )
    key = (p.KeyPart(p.FieldRef(1, 1), 4), p.KeyPart(p.Lookahead(0, 8), 8))
    first = p.ParseState("first", (p.ExtractHeader(1),), key, (p.OnSet(0, b"\x0f\xff", 1),), None)
    second = p.ParseState("second", (p.ExtractHeader(2),), (), (), None)
    return _replace(
        built,
        parser=p.Parser("parser", 0, (first, second)),
        value_sets=(p.ValueSet("vs", 12, 8),),
        digests=(p.DigestList("d", (p.FieldRef(1, 0), p.FieldRef(1, 2), p.FieldRef(2, 1))),),
    )


def picky() -> p.Program:
    """The deparser drops what it does not like, and so does the queue."""
    head = header_type("h_t", 4, 4, 8)
    body: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), p.FieldRef(1, 0)),
        p.JumpIfZero(p.Arithmetic(p.DataOp.AND, p.FieldRef(1, 1), p.Const(8)), 3),
        p.Assign(standard("priority"), p.Arithmetic(p.DataOp.AND, p.FieldRef(1, 2), p.Const(1))),
    )
    built = program(
        [p.Header("h", head, metadata=False)],
        extract=[1],
        actions=[p.Action("send", 1, (), body)],
        calls=[p.Call("call", 1, None)],
        start=p.CallNode(0),
    )
    condition = p.DataToBool(p.Arithmetic(p.DataOp.AND, p.FieldRef(1, 2), p.Const(0x70)))
    statements = p.Action(
        "deparser",
        p.NO_ID,
        (),
        (p.LogMessage("{}", (p.FieldRef(1, 2),)), p.Assert(condition, False)),
    )
    return _replace(built, deparser=p.Deparser("deparser", (1,), statements))


def options() -> p.Program:
    """A stack of unions of two kinds of options, parsed, pushed, popped, copied and indexed."""
    short, long = header_type("short_t", 8, 8), header_type("long_t", 8, 24)
    headers: list[p.Header] = []
    for union in range(6):
        headers.append(p.Header(f"s{union}", short, metadata=False, union=union))
        headers.append(p.Header(f"l{union}", long, metadata=False, union=union))
    built = program(headers, extract=[])

    def on(byte: int, following: int) -> p.OnValue:
        return p.OnValue(bytes([byte]), b"\x03", following)

    key = (p.KeyPart(p.Lookahead(0, 8), 8),)
    states = (
        p.ParseState("next", (), key, (on(1, 1), on(2, 2)), None),
        p.ParseState("short", (p.ExtractNextUnion(0, 0),), (), (), 0),
        p.ParseState("long", (p.ExtractNextUnion(0, 1),), (), (), 0),
    )
    last, second = p.LastUnion(0), p.UnionElement(0, p.Const(1))
    body: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), p.BoolToData(p.UnionValid(last))),
        p.AssignUnionStack(1, 0),
        p.PushUnions(0, 1),
        p.AddHeader(p.UnionMember(p.UnionElement(0, p.Const(0)), 1)),
        p.Assign(p.FieldOf(p.UnionMember(last, 0), 1, 8, False), p.Const(0x77)),
        p.PopUnions(1, 2),
        p.JumpIfZero(p.BoolToData(p.SameUnion(second, p.UnionElement(1, p.Const(0)))), 8),
        p.AssignUnion(p.UnionElement(1, p.Const(2)), second),
        p.AddHeader(p.UnionMember(p.UnionElement(1, p.FieldRef(3, 0)), 0)),
    )
    return _replace(
        built,
        unions=tuple(p.Union(f"u{i}", (2 * i + 1, 2 * i + 2), stack=i // 3) for i in range(6)),
        union_stacks=(p.UnionStack("a", (0, 1, 2)), p.UnionStack("b", (3, 4, 5))),
        parser=p.Parser("parser", 0, states),
        actions=(p.Action("shuffle", 1, (), body),),
        calls=(p.Call("call", 1, None),),
        ingress=p.Pipeline("ingress", p.CallNode(0)),
    )


def _replace(built: p.Program, **changes: object) -> p.Program:
    values = {name: getattr(built, name) for name in p.Program.__dataclass_fields__}
    return p.Program(**(values | changes))


@pytest.mark.parametrize("build", [labels, counting, copying, selecting, telling, picky, options])
def test_random_packets(build: object) -> None:
    assert callable(build)
    left = sum(hold_against_each_other(build(), seed, 5, 60) for seed in range(SEED_COUNT))
    assert left > 200


def test_every_kind_of_copy_is_made() -> None:
    pair = Pair(copying(), random.Random(0))
    replicas = [Replica(7, 1), Replica(8, 2)]
    for engine in (pair.reference, pair.native):
        engine.set_clone_session(5, replicas)
        engine.set_multicast_group(5, replicas)
    made = {kind: pair.send(1, bytes([kind << 4 | 5, 0]) + bytes(60)) for kind in range(7)}
    assert made == {0: 1, 1: 3, 2: 2, 3: 1, 4: 0, 5: 1, 6: 7}
    pair.close()
