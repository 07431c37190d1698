"""Gates at the central point: matching, counting, time, and the ports they hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.central_point.gates import GateTable
from controller.central_point.leases import Binding, Lease
from controller.central_point.nat_arbiter import NatArbiter
from controller.config.schema import SECOND
from controller.flow import FlowKey, Tuple5
from controller.gate import Endpoint, GateOrder
from controller.reasons import Drop

INSIDE, SERVER, OTHER, HOLE = b"\x0a\0\1\2", b"\x0a\0\2\2", b"\x0a\0\2\3", b"\x0a\0\2\1"
UDP, GRE = 17, 47
PLAIN = GateOrder(UDP, 3, SERVER, INSIDE, Endpoint(INSIDE, 5000), 10 * SECOND)
HIDDEN = replace(PLAIN, hole=HOLE)
FLOW = FlowKey(SERVER, INSIDE, 999, 5000, UDP, 3)


def table(ports: range = range(2000, 2010), maximum: int = 100) -> tuple[GateTable, NatArbiter]:
    arbiter = NatArbiter(ports)
    return GateTable(arbiter, maximum), arbiter


def opened(gates: GateTable, *orders: GateOrder, parent: int = 77, now: int = 0) -> list[Endpoint]:
    holes = gates.open(parent, 1, orders, now)
    assert not isinstance(holes, Drop)
    return holes


def test_only_what_was_announced_passes() -> None:
    gates, _ = table()
    opened(gates, PLAIN)
    for wrong in (
        FLOW._replace(src=OTHER),
        FLOW._replace(dst=HOLE),
        FLOW._replace(dport=5001),
        FLOW._replace(protocol=6),
        FLOW._replace(token=1),
    ):
        assert gates.match(wrong) is None
    gate = gates.match(FLOW._replace(sport=1))
    assert gate is not None
    assert gate.parent == 77


def test_the_one_binding_of_a_protocol_without_ports_is_one_hosts() -> None:
    gates, arbiter = table()
    tunnel = replace(HIDDEN, protocol=47, listener=Endpoint(INSIDE, 0), listener_token=1)
    assert opened(gates, tunnel) == [Endpoint(HOLE, 0)]
    # The same host to another peer, and again after its first announcement.
    assert opened(gates, replace(tunnel, source=OTHER), parent=78) == [Endpoint(HOLE, 0)]
    # Not another host, nor the same address in another virtual router.
    for other in (
        replace(tunnel, listener=Endpoint(b"\x0a\0\1\3", 0)),
        replace(tunnel, listener_token=2),
    ):
        assert gates.open(79, 1, (other,), 0) is Drop.NAT_EXHAUSTED
    gates.close(77)
    assert arbiter.in_use() == {(HOLE, 47): 1}
    gates.close(78)
    assert arbiter.in_use() == {}
    assert opened(gates, replace(tunnel, listener_token=2)) == [Endpoint(HOLE, 0)]


def test_gate_for_the_source_comes_before_one_for_anybody() -> None:
    gates, _ = table()
    opened(gates, replace(PLAIN, source=None), PLAIN)
    first, second = gates.match(FLOW), gates.match(FLOW._replace(src=OTHER))
    assert first is not None
    assert second is not None
    assert (first.order.source, second.order.source) == (SERVER, None)


def test_uses_are_counted() -> None:
    gates, _ = table()
    opened(gates, replace(PLAIN, uses=2), replace(PLAIN, uses=0, listener=Endpoint(INSIDE, 1)))
    for left in (2, 1):
        gate = gates.match(FLOW)
        assert gate is not None
        assert gates.enter(gate, FLOW) is not None
        assert len(gates) == left
    for _ in range(5):
        gate = gates.match(FLOW._replace(dport=1))
        assert gate is not None
        assert gates.enter(gate, FLOW._replace(dport=1)) is not None
    assert gates.holders(gate.id) == 5


def test_hole_is_translated_and_its_port_is_free_when_nobody_needs_it() -> None:
    gates, arbiter = table()
    (hole,) = opened(gates, HIDDEN)
    assert hole == Endpoint(HOLE, 2000)
    flow = FLOW._replace(dst=HOLE, dport=2000)
    gate = gates.match(flow)
    assert gate is not None
    entered = gates.enter(gate, flow)
    assert entered is not None
    passage, leases = entered
    assert passage.translated == Tuple5(SERVER, INSIDE, 999, 5000, UDP)
    assert len(gates) == 0
    assert arbiter.in_use() == {(HOLE, UDP): 1}
    for lease in leases:
        gates.leave(lease)
    assert arbiter.in_use() == {}


def test_pair_of_ports_begins_with_an_even_one() -> None:
    gates, arbiter = table(range(2001, 2005))
    pair = replace(HIDDEN, count=2, listener=Endpoint(INSIDE, 5001))
    assert opened(gates, pair) == [Endpoint(HOLE, 2002)]
    assert gates.match(FLOW._replace(dst=HOLE, dport=2003)) is not None
    assert arbiter.in_use() == {(HOLE, UDP): 2}
    assert gates.open(78, 1, (pair,), 0) is Drop.NAT_EXHAUSTED
    assert arbiter.in_use() == {(HOLE, UDP): 2}, "what was tried is given back"


def test_source_gets_the_port_it_announced_or_one_of_its_own() -> None:
    """Symmetric RTP: who announced a port sends from it."""
    gates, arbiter = table()
    theirs = GateOrder(UDP, 1, None, SERVER, Endpoint(SERVER, 7000), SECOND, source_as=HOLE)
    hole, _ = opened(gates, HIDDEN, theirs)
    out = FlowKey(INSIDE, SERVER, 5000, 7000, UDP, 1)
    gate = gates.match(out)
    assert gate is not None
    entered = gates.enter(gate, out)
    assert entered is not None
    assert entered[0].translated == Tuple5(HOLE, SERVER, hole.port, 7000, UDP)
    opened(gates, theirs)
    gate = gates.match(out)
    assert gate is not None
    other = gates.enter(gate, out._replace(sport=6000))
    assert other is not None
    assert other[0].translated.sport not in (hole.port, 6000)
    for lease in entered[1] + other[1]:
        gates.leave(lease)
    gates.close(77)
    assert arbiter.in_use() == {}


def test_port_shared_with_the_parent_is_freed_by_the_last_of_both() -> None:
    for parent_first in (True, False):
        gates, arbiter = table()
        port = arbiter.allocate(HOLE, UDP, 2005)
        assert port == 2005
        opened(gates, replace(HIDDEN, shared_port=port))
        if parent_first:
            assert gates.defers(HOLE, UDP, port)
            assert arbiter.in_use()
            gates.close(77)
        else:
            gates.close(77)
            assert not gates.defers(HOLE, UDP, port)
            arbiter.release(HOLE, UDP, port)
        assert arbiter.in_use() == {}


def test_who_holds_a_port_that_gates_share_is_none_of_those_who_share_it() -> None:
    """Such as a caller of a persistent binding, from which a control session comes, too."""
    gates, arbiter = table()
    port = arbiter.allocate(HOLE, UDP, 2005)
    assert port is not None
    opened(gates, replace(HIDDEN, shared_port=port))
    gates.leave(Lease([Binding(HOLE, UDP, port)]))
    assert gates.defers(HOLE, UDP, port), "the gate is open"
    assert arbiter.in_use() == {(HOLE, UDP): 1}
    gates.close(77)
    assert arbiter.in_use() == {}


def test_all_gates_of_an_announcement_or_none() -> None:
    gates, arbiter = table(maximum=1)
    other = replace(HIDDEN, listener=Endpoint(INSIDE, 1))
    assert gates.open(77, 1, (HIDDEN, other), 0) is Drop.GATE_TABLE_FULL
    assert len(gates) == 0
    assert arbiter.in_use() == {}


def test_gates_expire_close_by_call_and_are_renewed() -> None:
    gates, _ = table()
    calls = [replace(PLAIN, call=c, listener=Endpoint(INSIDE, n)) for n, c in enumerate("aab", 1)]
    opened(gates, *calls)
    assert gates.close(77, "a") == 2
    assert gates.deadline() == 10 * SECOND
    opened(gates, calls[2], now=8 * SECOND)
    gates.tick(10 * SECOND)
    assert len(gates) == 1
    (gate,) = gates
    assert gates.left(gate.id, 10 * SECOND) == 8 * SECOND
    gates.tick(18 * SECOND)
    assert len(gates) == 0
    assert not gates.remove(gate.id)


def test_a_gate_belongs_to_the_call_that_announced_it_last() -> None:
    """A telephone uses the port of a call that failed, without a word of its end, for the next."""
    gates, _ = table()
    opened(gates, replace(PLAIN, call="first"))
    opened(gates, replace(PLAIN, call="second"))
    assert gates.close(77, "first") == 0
    assert gates.close(77, "second") == 1


@pytest.mark.parametrize("parent", [77, 78])
def test_same_announcement_has_the_same_hole_for_its_parent_alone(parent: int) -> None:
    gates, _ = table()
    first = opened(gates, HIDDEN)
    again = opened(gates, HIDDEN, parent=parent)
    assert (first == again) == (parent == 77)


class Doors(RuleBasedStateMachine):
    """Gates, children and parents come and go; ports are neither lost nor given twice, tunnels
    through one address are one host's, and there are never more gates than there may be."""

    MOST = 6

    def __init__(self) -> None:
        super().__init__()
        self.gates, self.arbiter = table(range(2000, 2012), self.MOST)
        self.children: list[tuple[bytes, list[Lease]]] = []
        """Of tunnels with their host."""
        self.own: dict[int, int] = {}
        self.now = 0

    def holes(self) -> set[tuple[int, int]]:
        return {
            (gate.order.protocol, gate.hole.port + n)
            for gate in self.gates
            for n in range(gate.order.count)
            if gate.order.hole == HOLE
        }

    def hosts(self) -> set[bytes]:
        """Who has a tunnel, or is to have one."""
        announced = {g.order.listener.address for g in self.gates if g.order.hole == HOLE
                     and g.order.protocol == GRE}  # fmt: skip
        return announced | {host for host, _ in self.children if host}

    @rule(parent=st.integers(1, 3), port=st.integers(1, 4), count=st.integers(1, 2),
          uses=st.integers(0, 2))  # fmt: skip
    def announce(self, parent: int, port: int, count: int, uses: int) -> None:
        order = replace(HIDDEN, listener=Endpoint(INSIDE, port), count=count, uses=uses)
        self.open(parent, order)

    def open(self, parent: int, order: GateOrder) -> list[Endpoint] | Drop:
        """What stands is renewed; a further gate needs room first, and then a port."""
        before = len(self.gates)
        holes = self.gates.open(parent, 1, (order,), self.now)
        if isinstance(holes, Drop):
            assert len(self.gates) == before
            assert holes is (Drop.GATE_TABLE_FULL if before == self.MOST else Drop.NAT_EXHAUSTED)
        else:
            assert len(self.gates) - before in (0, 1)
        return holes

    @rule(parent=st.integers(1, 3))
    def share(self, parent: int) -> None:
        if parent not in self.own:
            port = self.arbiter.allocate(HOLE, UDP, 2000)
            if port is None:
                return
            self.own[parent] = port
        port = self.own[parent]
        order = replace(HIDDEN, listener=Endpoint(INSIDE, 9), shared_port=port)
        assert self.open(parent, order) in ([Endpoint(HOLE, port)], Drop.GATE_TABLE_FULL)

    @rule(parent=st.integers(1, 3), host=st.sampled_from((INSIDE, OTHER)))
    def tunnel(self, parent: int, host: bytes) -> None:
        order = replace(HIDDEN, protocol=GRE, listener=Endpoint(host, 0), listener_token=1)
        taken = bool(self.hosts() - {host})
        known = any(g.order.listener == order.listener for g in self.gates if g.parent == parent)
        opened = self.open(parent, order)
        if not known and len(self.gates) < self.MOST:
            assert (opened is Drop.NAT_EXHAUSTED) == taken

    @rule(parent=st.integers(1, 3), host=st.sampled_from((INSIDE, OTHER)))
    def tunnel_outward(self, parent: int, host: bytes) -> None:
        self.open(parent, GateOrder(GRE, 1, host, SERVER, Endpoint(SERVER, 0), 10 * SECOND,
                                    source_as=HOLE, listener_token=3))  # fmt: skip

    @rule(host=st.sampled_from((INSIDE, OTHER)), is_inward=st.booleans())
    def come_by_tunnel(self, host: bytes, is_inward: bool) -> None:
        flow = FlowKey(host, SERVER, 0, 0, GRE, 1)
        if is_inward:
            flow = FlowKey(SERVER, HOLE, 0, 0, GRE, 3)
        gate = self.gates.match(flow)
        if gate is None:
            return
        taken = not is_inward and bool(self.hosts() - {host})
        entered = self.gates.enter(gate, flow)
        assert (entered is None) == taken
        if entered is not None:
            passage, leases = entered
            inside = passage.translated.dst if is_inward else host
            assert is_inward or passage.translated.src == HOLE
            self.children.append((inside, leases))

    @rule(port=st.integers(2000, 2011))
    def come(self, port: int) -> None:
        flow = FLOW._replace(dst=HOLE, dport=port)
        gate = self.gates.match(flow)
        assert (gate is not None) == ((UDP, port) in self.holes())
        if gate is not None:
            entered = self.gates.enter(gate, flow)
            assert entered is not None
            self.children.append((b"", entered[1]))

    @precondition(lambda self: self.children)
    @rule(data=st.data())
    def child_ends(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.children) - 1))
        for lease in self.children.pop(at)[1]:
            self.gates.leave(lease)

    @rule(parent=st.integers(1, 3))
    def parent_ends(self, parent: int) -> None:
        port = self.own.pop(parent, None)
        if port is not None and not self.gates.defers(HOLE, UDP, port):
            self.arbiter.release(HOLE, UDP, port)
        self.gates.close(parent)

    @rule(span=st.integers(1, 6))
    def time_passes(self, span: int) -> None:
        self.now += span * SECOND
        self.gates.tick(self.now)

    @invariant()
    def gates_are_bounded(self) -> None:
        assert len(self.gates) <= self.MOST

    @invariant()
    def ports_are_in_use_while_somebody_needs_them(self) -> None:
        needed = self.holes() | {(UDP, port) for port in self.own.values()}
        for _, leases in self.children:
            needed |= {(b.protocol, b.port) for lease in leases for b in lease.bindings}
        assert sum(self.arbiter.in_use().values()) == len(needed)

    @invariant()
    def tunnels_are_one_hosts(self) -> None:
        assert len(self.hosts()) <= 1

    def teardown(self) -> None:
        for parent in range(1, 4):
            self.parent_ends(parent)
        while self.children:
            for lease in self.children.pop()[1]:
                self.gates.leave(lease)
        assert self.arbiter.in_use() == {}
        assert self.gates.deadline() is None


TestDoors = Doors.TestCase
TestDoors.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
