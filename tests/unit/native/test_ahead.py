"""How far packets of a burst may run ahead of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from native_programs import standard, table_program

from p4embed.switch import program as p
from p4embed.switch.codegen.ahead import LARGE, plan
from p4embed.switch.engine import Entry, EntryKey, Op, Status, Update
from p4embed.switch.native import NativeEngine
from p4embed.switch.program import MatchKind

FIRST, TABLE, AFTER = p.CallNode(0), p.TableNode(0), p.CallNode(1)


def counting(first: tuple[p.Primitive, ...], after: tuple[p.Primitive, ...]) -> p.Program:
    """``first``, then table ``t``, then ``after``; register 0 has one cell of 16 bits."""
    built = table_program(MatchKind.EXACT, [8])
    actions = (
        *built.actions,
        p.Action("first", 3, (), first),
        p.Action("after", 4, (), after),
    )
    (table,) = built.tables
    return replace(
        built,
        actions=actions,
        tables=(replace(table, next=p.ByAction((AFTER, AFTER)), next_without_action=AFTER),),
        calls=(p.Call("first", 3, TABLE), p.Call("after", 4, None)),
        registers=(p.Register("r", 1, 16), p.Register("s", 1, 16)),
        ingress=p.Pipeline("ingress", FIRST),
    )


def adds(register: int) -> tuple[p.Primitive, ...]:
    """The register's cell, one more."""
    cell = p.RegisterCell(register, p.Const(0))
    more = p.Arithmetic(p.DataOp.ADD, cell, p.Const(1))
    return (p.RegisterWrite(register, p.Const(0), more),)


def shows(register: int) -> tuple[p.Primitive, ...]:
    """The register's cell leaves with the packet."""
    return (
        p.AddHeader(p.HeaderRef(2)),
        p.RegisterRead(p.FieldRef(2, 0), register, p.Const(0)),
        p.Assign(standard("egress_spec"), p.Const(1)),
    )


def test_up_to_a_large_table() -> None:
    built = counting(adds(0), ())
    assert plan(built).stops == (TABLE,)
    assert plan(built).tables == {0}


@pytest.mark.parametrize(("size", "match"), [(LARGE - 1, MatchKind.EXACT), (LARGE, MatchKind.LPM)])
def test_not_for_a_table_that_cannot_be_prepared_for(size: int, match: MatchKind) -> None:
    assert plan(table_program(match, [8], size=size)).stops == ()


def test_not_past_what_is_written_later() -> None:
    # A packet would count, or see, those before it too late.
    for first, after in ((adds(0), adds(0)), (shows(0), adds(0)), (adds(0), shows(0))):
        assert plan(counting(first, after)).stops == ()
    assert plan(counting(shows(0), shows(0))).stops == (TABLE,)
    assert plan(counting(adds(0), adds(1))).stops == (TABLE,)


def test_not_past_state_if_packets_come_again() -> None:
    again = (p.Resubmit(0),)
    assert plan(counting(adds(0), again)).stops == ()
    assert plan(counting((), again)).stops == (TABLE,)


def test_a_burst_is_as_if_one_came_after_the_other() -> None:
    built = counting(adds(0), shows(0))
    engine = NativeEngine(built)
    sent = engine.process_burst(1, [bytes([n]) for n in range(40)], 0)
    assert [s.frame[:2] for s in sent] == [n.to_bytes(2, "big") for n in range(1, 41)]
    engine.close()


def test_a_stop_behind_another_is_passed() -> None:
    # Half of the packets get to the register by way of the table, half without.
    small = p.Compare(p.Comparison.LT, p.FieldRef(1, 0), p.Const(20))
    built = replace(
        counting((), (*adds(0), *shows(0))),
        branches=(p.Branch("small", small, TABLE, AFTER),),
        ingress=p.Pipeline("ingress", p.BranchNode(0)),
    )
    assert set(plan(built).stops) == {TABLE, AFTER}
    engine = NativeEngine(built)
    for burst in range(3):
        sent = engine.process_burst(1, [bytes([7 * n % 40]) for n in range(40)], 0)
        counted = [int.from_bytes(s.frame[:2], "big") for s in sent]
        assert counted == list(range(40 * burst + 1, 40 * burst + 41))
    engine.close()


def test_packets_of_a_burst_find_their_entries() -> None:
    engine = NativeEngine(table_program(MatchKind.EXACT, [16]))
    keys = [n.to_bytes(2, "big") for n in range(0, 20000, 7)]
    rows = [Update(Op.INSERT, 0, Entry(EntryKey(key), 1, b"\x00\x05" + key)) for key in keys]
    assert set(engine.write(rows)) == {Status.OK}
    frames = [n.to_bytes(2, "big") for n in range(700, 760)]
    sent = engine.process_burst(1, frames, 0)
    assert [s.frame for s in sent] == [f + f for f in frames if f in set(keys)]
    engine.close()
