"""What is not cleared when a packet arrives, and that nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from native_programs import header_type, program, standard

from p4embed.switch import program as p
from p4embed.switch.codegen.temporaries import passing_stacks, temporaries
from p4embed.switch.native import NativeEngine

BYTE, RESULT, LOCAL = (p.FieldRef(header, 0) for header in (1, 2, 3))
SMALL = p.Compare(p.Comparison.LT, BYTE, p.Const(100))

WRITES = p.Assign(LOCAL, p.Arithmetic(p.DataOp.ADD, BYTE, p.Const(1)))
SHOWS = (
    p.AddHeader(p.HeaderRef(2)),
    p.Assign(RESULT, LOCAL),
    p.Assign(standard("egress_spec"), p.Const(1)),
)


def branching(
    small: tuple[p.Primitive, ...],
    large: tuple[p.Primitive, ...],
    after: tuple[p.Primitive, ...] = SHOWS,
    **more: object,
) -> p.Program:
    """One byte is parsed; packets below 100 and others go different ways, then one."""
    headers = (
        p.Header("byte", header_type("byte_t", 8), metadata=False),
        p.Header("result", header_type("result_t", 16), metadata=False),
        p.Header("locals", header_type("locals_t", 16, 8), metadata=True),
    )
    bodies = {"small": small, "large": large, "after": after}
    built = program(
        headers,
        extract=[1],
        actions=[p.Action(name, n, (), body) for n, (name, body) in enumerate(bodies.items())],
        calls=[
            p.Call("small", 0, p.CallNode(2)),
            p.Call("large", 1, p.CallNode(2)),
            p.Call("after", 2, None),
        ],
        start=p.BranchNode(0),
        deparse=[2, 1],
    )
    changes = {"branches": (p.Branch("if", SMALL, p.CallNode(0), p.CallNode(1)),), **more}
    return replace(built, **changes)  # type: ignore[arg-type]


def shown(built: p.Program, *packets: int) -> list[int]:
    """What leaves in front of packets of one byte."""
    engine = NativeEngine(built)
    sent = engine.process_burst(1, [bytes([n]) for n in packets], 0)
    engine.close()
    return [int.from_bytes(s.frame[:2], "big") for s in sent]


def test_written_on_every_way_before_it_is_read() -> None:
    built = branching((WRITES,), (p.Assign(LOCAL, p.Const(7)),))
    assert temporaries(built) == {LOCAL}
    assert shown(built, 5, 200, 9, 201, 202) == [6, 7, 10, 7, 7]


def test_read_where_one_way_does_not_write_it() -> None:
    # The second packet must not see what the first one left.
    built = branching((WRITES,), ())
    assert temporaries(built) == frozenset()
    assert shown(built, *([5, 200] * 10)) == [6, 0] * 10


def test_read_before_it_is_written() -> None:
    built = branching((), (), (*SHOWS, WRITES))
    assert temporaries(built) == frozenset()
    assert shown(built, 5, 6, 7) == [0, 0, 0]


@pytest.mark.parametrize("index", [p.Const(3), p.Const(4), BYTE], ids=["there", "not", "maybe"])
@pytest.mark.parametrize(
    ("read", "more"),
    [
        (lambda i: p.RegisterRead(LOCAL, 0, i), {"registers": (p.Register("r", 4, 16),)}),
        (lambda i: p.ExecuteMeter(0, i, LOCAL), {"meters": (p.Meter("m", 4, False, True, None),)}),
    ],
    ids=["register", "meter"],
)
def test_what_a_cell_that_does_not_exist_leaves_is_not_written(
    read: Callable[[p.DataExpr], p.Primitive], more: dict[str, object], index: p.DataExpr
) -> None:
    # Such a packet must not see what the one before it left.
    built = branching((WRITES,), (read(index),), **more)
    assert temporaries(built) == ({LOCAL} if index == p.Const(3) else frozenset())
    assert shown(built, *([5, 200] * 10)) == [6, 0] * 10


def test_a_part_is_no_whole() -> None:
    # As compilers write a slice: the rest of the field is read.
    low = p.Arithmetic(p.DataOp.OR, p.Arithmetic(p.DataOp.AND, LOCAL, p.Const(0xFF00)), BYTE)
    built = branching((p.Assign(LOCAL, low),), (p.Assign(LOCAL, low),))
    assert temporaries(built) == frozenset()
    assert shown(built, 5, 200) == [5, 200]


def test_what_may_be_jumped_over_is_not_written() -> None:
    skip = (p.JumpIfZero(p.FieldRef(1, 0), 2), WRITES, p.NoOp())
    built = branching(skip, skip)
    assert temporaries(built) == frozenset()
    assert shown(built, 5, 0, 6, 0) == [6, 0, 7, 0]


def test_by_a_table_that_may_run_another_action() -> None:
    built = branching((WRITES,), (WRITES,))
    table = p.Table(
        name="t", id=0, match=p.MatchKind.EXACT,
        key=(p.KeyField("b", p.MatchKind.EXACT, BYTE, 8, 255),),
        implementation=p.Implementation.SIMPLE, profile=None, size=8, counter=None, meter=None,
        support_timeout=False, actions=(0, 2), next=p.ByAction((p.CallNode(2), p.CallNode(2))),
        next_without_action=p.CallNode(2), default=p.DefaultEntry(0, b"", True, True),
        const_entries=(),
    )  # fmt: skip
    every = replace(built, tables=(table,), ingress=p.Pipeline("ingress", p.TableNode(0)))
    assert temporaries(replace(every, tables=(replace(table, actions=(0, 1)),))) == {LOCAL}
    assert temporaries(every) == frozenset()
    none = replace(table, actions=(0, 1), default=None)
    assert temporaries(replace(every, tables=(none,))) == frozenset()


@pytest.mark.parametrize(
    "more",
    [
        {"field_lists": (p.FieldList("l", (LOCAL,)),)},
        {"digests": (p.DigestList("d", (LOCAL,)),)},
        {
            "calculations": (p.Calculation("c", p.Algorithm.CSUM16, (LOCAL,)),),
            "checksums": (p.Checksum("c", RESULT, 0, False, True, p.BoolConst(True)),),
        },
        {
            "deparser": p.Deparser(
                "deparser", (2, 1), p.Action("log", -1, (), (p.Assign(RESULT, LOCAL),))
            )
        },
    ],
    ids=["kept by copies", "in a digest", "in a checksum", "read by the deparser"],
)
def test_what_others_look_at(more: dict[str, object]) -> None:
    assert temporaries(branching((WRITES,), (WRITES,), **more)) == frozenset()


def test_egress_does_not_rely_on_ingress() -> None:
    built = branching((WRITES,), (WRITES,), (p.Assign(standard("egress_spec"), p.Const(1)),))
    assert temporaries(built) == {LOCAL}
    shows = p.Action("shows", 3, (), SHOWS)
    later = replace(
        built,
        actions=(*built.actions, shows),
        calls=(*built.calls, p.Call("shows", 3, None)),
        egress=p.Pipeline("egress", p.CallNode(3)),
    )
    assert temporaries(later) == frozenset()
    assert shown(later, 5, 6) == [6, 7]


def stacked(**more: object) -> p.Program:
    """Two elements at most are parsed: one as long as bytes are left."""
    type_ = header_type("element_t", 8)
    elements = [p.Header(f"s[{i}]", type_, metadata=False, stack=0) for i in range(2)]
    built = program(elements, extract=[], stacks=[p.Stack("s", type_, (1, 2))])
    state = p.ParseState("start", (p.ExtractNext(0),), (), (), 0)
    send = p.Action("send", 0, (), (p.Assign(standard("egress_spec"), p.Const(1)),))
    changes: dict[str, object] = {
        "parser": p.Parser("parser", 0, (state,)),
        "actions": (send,),
        "calls": (p.Call("send", 0, None),),
        "ingress": p.Pipeline("ingress", p.CallNode(0)),
        **more,
    }
    return replace(built, **changes)  # type: ignore[arg-type]


def test_a_stack_that_passes_through() -> None:
    built = stacked()
    assert passing_stacks(built) == {0}
    engine = NativeEngine(built)
    frames = [b"ab", b"c", b"", b"defg", b"h"]
    sent = engine.process_burst(1, frames, 0)
    assert [s.frame for s in sent] == frames
    engine.close()


@pytest.mark.parametrize(
    "primitive",
    [
        p.Assign(standard("egress_spec"), p.FieldRef(1, 0)),
        p.Assign(standard("egress_spec"), p.ValidBit(2)),
        p.RemoveHeader(p.HeaderRef(1)),
        p.PopFront(0, 1),
        p.Assign(p.FieldOf(p.LastElement(0), 0, 8, False), p.Const(1)),
    ],
    ids=["read", "asked for", "removed", "popped", "written"],
)
def test_a_stack_that_is_looked_at(primitive: p.Primitive) -> None:
    assert passing_stacks(stacked(actions=(p.Action("a", 0, (), (primitive,)),))) == frozenset()
