"""The central point's global session table: pending wings, sessions, and what is left of them."""

from __future__ import annotations

from controller.central_point.sessions import CpWing, Entry, SessionTable
from controller.flow import Direction, FlowKey, WingState
from controller.packet import UDP

CLIENT, SERVER = bytes([10, 1, 1, 2]), bytes([10, 2, 2, 2])
FORWARD = FlowKey(CLIENT, SERVER, 1000, 53, UDP, 1)
REVERSE = FlowKey(SERVER, CLIENT, 53, 1000, UDP, 2)


def test_a_pending_flow_becomes_a_session_with_two_wings() -> None:
    table, entry = SessionTable(), Entry(FORWARD, 2)
    table.enter(entry, 100)
    assert list(table.wings()) == [CpWing(0, 2, Direction.FORWARD, WingState.PENDING, FORWARD)]
    assert table.pending.next() == 100
    assert table.active == 0
    table.activate(entry, REVERSE, 7)
    assert set(table.wings()) == {
        CpWing(7, 2, Direction.FORWARD, WingState.ACTIVE, FORWARD),
        CpWing(7, 2, Direction.REVERSE, WingState.ACTIVE, REVERSE),
    }
    assert table.pending.next() is None
    assert table.active == 1
    assert list(table.entries()) == [entry]


def test_a_session_is_found_by_both_wings_and_by_no_other_id() -> None:
    table, entry = SessionTable(), Entry(FORWARD, 1)
    table.enter(entry, 100)
    assert table.session(FORWARD, 0) is None, "pending"
    table.activate(entry, REVERSE, 7)
    assert table.session(FORWARD, 7) is entry
    assert table.session(REVERSE, 7) is entry
    assert table.session(FORWARD, 8) is None
    assert table.session(FORWARD._replace(sport=1), 7) is None


def test_what_is_removed_leaves_nothing() -> None:
    table = SessionTable()
    table.enter(Entry(FORWARD, 1), 100)
    assert len(table.audit()) == 2, "a wing and its time-out"
    assert table.remove(table.by_key[FORWARD]), "it was pending"
    assert table.audit() == []
    entry = Entry(FORWARD, 1)
    table.enter(entry, 100)
    table.activate(entry, REVERSE, 7)
    assert len(table.audit()) == 3, "two wings and a session"
    assert not table.remove(entry)
    assert table.audit() == []
