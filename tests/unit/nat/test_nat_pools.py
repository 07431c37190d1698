"""The arbiter against a model: whatever is asked, released and reconfigured, in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.central_point.free_map import FreeMap
from controller.central_point.nat_arbiter import NatArbiter
from controller.config.nat import Nat, Persistence, PortUse, Reach, SourceNatRule
from controller.config.schema import SECOND
from controller.flow import FlowKey, Tuple5
from controller.messages import AllocateNat, Grant

from .pools import block, pool, to_pool

INTERFACE = bytes((10, 0, 2, 1))
SHARED = bytes((203, 0, 113, 32))
HOSTS = st.sampled_from([bytes((10, 0, 1, n)) for n in range(1, 4)])
PEERS = st.sampled_from([bytes((192, 0, 2, n)) for n in range(1, 4)])
PROTOCOLS = st.sampled_from([6, 6, 17, 47])

POOLS = {
    "plain": pool("plain", block("203.0.113.0", "203.0.113.1"), ports=range(2000, 2002),
                  overflow="spare"),
    "spare": pool("spare", block("203.0.113.8"), ports=range(2000, 2002), overflow="interface"),
    "paired": pool("paired", block("203.0.113.16", "203.0.113.17"), ports=range(2000, 2004),
                   is_paired=True),
    "shared": pool("shared", block("203.0.113.32"), ports=range(2000, 2002), overloading=3),
    "kept": pool("kept", block("203.0.113.64", "203.0.113.65"), port_use=PortUse.KEEP),
}  # fmt: skip
SMALLER = dict(POOLS, plain=replace(POOLS["plain"], ports=range(2000, 2001)))
KEPT = Persistence(Reach.ANY, 60 * SECOND, 3)
RULES = {
    name: to_pool(name, number, persistence=KEPT if name == "spare" else None)
    for number, name in enumerate(POOLS, start=1)
}
NATS = [
    Nat(source=tuple(RULES.values()), source_pools=POOLS),
    Nat(source=tuple(RULES.values()), source_pools=SMALLER),
]


@dataclass(frozen=True)
class Held:
    """What a flow has."""

    rule: SourceNatRule
    flow: FlowKey
    protocol: int
    grant: Grant
    peer: tuple[bytes, int]


class Arbitration(RuleBasedStateMachine):
    """Flows come and go. No binding is given twice, none is lost, and pairs stay pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.arbiter = NatArbiter(range(2000, 2003), NATS[0])
        self.held: list[Held] = []
        self.nat = NATS[0]

    @rule(name=st.sampled_from(sorted(RULES)), host=HOSTS, port=st.integers(1999, 2004),
          peer=PEERS, dport=st.integers(80, 81), protocol=PROTOCOLS)  # fmt: skip
    def ask(
        self, name: str, host: bytes, port: int, peer: bytes, dport: int, protocol: int
    ) -> None:
        asked = RULES[name]
        sport = port if protocol != 47 else 0
        flow = FlowKey(host, peer, sport, dport, protocol, 1)
        routed = Tuple5(host, peer, sport, dport, protocol)
        if any((h.flow, h.rule) == (flow, asked) for h in self.held):
            return
        got = self.arbiter.grant(AllocateNat(flow, 1, INTERFACE, protocol, sport, asked, routed))
        if got is None:
            self.may_refuse(asked, flow, (peer, dport))
            return
        new = Held(asked, flow, protocol, got, (peer, dport))
        if got.pool != asked.pool and asked.persistence is None:
            assert self.is_full(asked.pool, flow, (peer, dport), overflows=False)
        self.check(new)
        self.held.append(new)

    @rule(name=st.sampled_from(sorted(RULES)), peers=st.lists(PEERS, min_size=2, max_size=8),
          host=HOSTS, protocol=PROTOCOLS)  # fmt: skip
    def ask_often(self, name: str, peers: list[bytes], host: bytes, protocol: int) -> None:
        for number, peer in enumerate(peers):
            self.ask(name, host, 3000 + number, peer, 80, protocol)

    def may_refuse(self, asked: SourceNatRule, flow: FlowKey, peer: tuple[bytes, int]) -> None:
        """Only what is really exhausted is refused."""
        mine = [h for h in self.held if h.rule == asked and h.flow.src == flow.src]
        if asked.persistence is not None:
            binding = [h for h in mine if h.flow.sport == flow.sport and self.same(h, flow)]
            assert len(binding) == KEPT.max_sessions or self.is_full(asked.pool, flow, peer)
            return
        mine = [h for h in mine if h.grant.pool == asked.pool]
        if asked.pool == "paired" and mine:
            assert self.is_full_at(mine[0].grant.address, flow, range(2000, 2004), peer)
            return
        assert not (asked.pool == "kept" and mine)
        assert self.is_full(asked.pool, flow, peer)

    @staticmethod
    def same(held: Held, flow: FlowKey) -> bool:
        return held.protocol == flow.protocol

    def is_full(
        self, name: str, flow: FlowKey, peer: tuple[bytes, int], overflows: bool = True
    ) -> bool:
        if name == "interface":
            return self.is_full_at(INTERFACE, flow, range(2000, 2003), peer)
        config = self.nat.source_pools[name]
        addresses = [b.at(n) for b in config.blocks for n in range(b.count)]
        if config.port_use is PortUse.KEEP:
            return {h.grant.address for h in self.held if h.grant.pool == name} == set(addresses)
        if not all(self.is_full_at(a, flow, config.ports, peer) for a in addresses):
            return False
        over = config.overflow if overflows else ""
        return not over or self.is_full(over, flow, peer)

    def is_full_at(
        self, address: bytes, flow: FlowKey, ports: range, peer: tuple[bytes, int]
    ) -> bool:
        uses: dict[int, list[tuple[bytes, int]]] = {}
        for held in self.held:
            if held.grant.address == address and held.protocol == flow.protocol:
                uses.setdefault(held.grant.port, []).append(held.peer)
        for binding in self.arbiter.persistent.all():
            if binding.outside[0::2] == (address, flow.protocol):
                uses.setdefault(binding.outside.port, []).append((b"", 0))
        room = range(1) if flow.protocol == 47 else ports
        most = 3 if address == SHARED and flow.protocol != 47 else 1
        return all(
            len(uses.get(port, ())) >= most or (port in uses and peer in uses[port])
            for port in room
        )

    def check(self, new: Held) -> None:
        address, _, port, name, _, _ = new.grant
        same = [
            h
            for h in self.held
            if (h.grant.address, h.protocol) == (address, new.protocol) and h.grant.port == port
        ]
        if name != "interface":
            assert address in self.nat.source_pools[name]
        if new.rule.persistence is not None:
            for other in same:
                assert (other.flow.src, other.flow.sport) == (new.flow.src, new.flow.sport)
            assert len(same) < KEPT.max_sessions
            return
        if name == "shared":
            assert len(same) < 3
            assert all(other.peer != new.peer for other in same)
        elif name == "kept":
            assert port == new.flow.sport
            assert all(h.flow.src == new.flow.src for h in same)
        else:
            assert not same, "given twice"
        if name in ("paired", "kept"):
            mine = {h.grant.address for h in self.held if h.flow.src == new.flow.src
                    and h.grant.pool == name}  # fmt: skip
            assert mine <= {address}, "a host has one address"

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        gone = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        address, _, port, _, peer, shared = gone.grant
        host = gone.flow.src, gone.flow.token
        assert self.arbiter.release(address, gone.protocol, port, host, peer, is_persistent=shared)

    @precondition(lambda self: len(self.held) > 4)
    @rule(data=st.data())
    def release_some(self, data: st.DataObject) -> None:
        for _ in range(3):
            self.release(data)

    @rule(nat=st.sampled_from(NATS))
    def reconfigure(self, nat: Nat) -> None:
        self.nat = nat
        self.arbiter.configure(nat)

    @rule(seconds=st.integers(1, 61))
    def time_passes(self, seconds: int) -> None:
        self.arbiter.now += seconds * SECOND
        self.arbiter.tick()

    @invariant()
    def what_is_in_use_is_what_is_held(self) -> None:
        expected: Counter[bytes] = Counter()
        for held in self.held:
            if held.rule.persistence is None:
                expected[held.grant.address] += 1
        for binding in self.arbiter.persistent.all():
            expected[binding.outside.address] += 1
        found: Counter[bytes] = Counter()
        for (address, _), count in self.arbiter.in_use().items():
            found[address] += count
        assert found == expected

    @invariant()
    def persistent_sessions_agree(self) -> None:
        sessions = Counter(
            (h.flow.src, h.flow.sport, h.protocol) for h in self.held if h.rule.persistence
        )
        for binding in self.arbiter.persistent.all():
            assert binding.sessions == sessions.pop(binding.inside[:3], 0)
        assert not sessions

    def teardown(self) -> None:
        for held in self.held:
            address, _, port, _, peer, shared = held.grant
            host = held.flow.src, held.flow.token
            assert self.arbiter.release(
                address, held.protocol, port, host, peer, is_persistent=shared
            )
        self.arbiter.now += 61 * SECOND
        self.arbiter.tick()
        assert self.arbiter.in_use() == {}
        assert list(self.arbiter.pairs()) == []
        for name in POOLS:
            view = self.arbiter.pool(name)
            assert view is not None
            assert (view.used, view.utilization) == (0, 0)


Arbitration.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestArbitration = Arbitration.TestCase


def test_an_address_stays_its_host_s_while_its_pool_is_away() -> None:
    """One host has the pool's one address, and keeps it when the pool comes back."""
    nat = Nat(
        source=(RULES["kept"],),
        source_pools={"kept": pool("kept", block("203.0.113.64"), port_use=PortUse.KEEP)},
    )
    arbiter = NatArbiter(nat=nat)

    def grant(host: int) -> Grant | None:
        flow = FlowKey(bytes((10, 0, 1, host)), INTERFACE, 4000, 80, 6, 1)
        ask = AllocateNat(flow, 1, INTERFACE, 6, 4000, RULES["kept"], flow.tuple5)
        return arbiter.grant(ask)

    def release(host: int) -> bool:
        return arbiter.release(first.address, 6, 4000, (bytes((10, 0, 1, host)), 1))

    first = grant(1)
    assert first is not None
    arbiter.configure(Nat())
    assert arbiter.in_use() == {(first.address, 0): 1}
    arbiter.configure(nat)
    assert grant(2) is None, "it is the other one's"
    assert grant(1) == first
    assert release(1)
    assert grant(2) is None
    assert release(1)
    assert arbiter.in_use() == {}
    assert grant(2) == first


def test_a_host_may_have_two_addresses_of_what_were_two_pools() -> None:
    def nat(*ends: str) -> Nat:
        one = pool("kept", block(*ends), port_use=PortUse.KEEP)
        return Nat(source=(RULES["kept"],), source_pools={"kept": one})

    flow = FlowKey(bytes((10, 0, 1, 1)), INTERFACE, 4000, 80, 6, 1)
    ask = AllocateNat(flow, 1, INTERFACE, 6, 4000, RULES["kept"], flow.tuple5)
    arbiter = NatArbiter(nat=nat("203.0.113.64"))
    grants = [arbiter.grant(ask)]
    arbiter.configure(nat("203.0.113.65"))
    grants.append(arbiter.grant(ask))
    arbiter.configure(nat("203.0.113.64", "203.0.113.65"))
    for granted in grants:
        assert granted is not None
        assert arbiter.release(granted.address, 6, 4000, (flow.src, 1))
    assert arbiter.in_use() == {}
    assert list(arbiter.pairs()) == []
    view = arbiter.pool("kept")
    assert view is not None
    assert (view.used, view.utilization) == (0, 0)


class FreeNumbers(RuleBasedStateMachine):
    """The free map against a set."""

    def __init__(self) -> None:
        super().__init__()
        self.map = FreeMap(600)
        self.free = set(range(600))

    @rule(numbers=st.sets(st.integers(0, 599)))
    def take(self, numbers: set[int]) -> None:
        for number in numbers:
            assert self.map.take(number) == (number in self.free)
            self.free.discard(number)

    @rule(numbers=st.sets(st.integers(0, 599), max_size=5))
    def give(self, numbers: set[int]) -> None:
        for number in numbers:
            assert self.map.give(number) == (number not in self.free)
            self.free.add(number)

    @rule(low=st.integers(0, 600), size=st.integers(0, 300))
    def find(self, low: int, size: int) -> None:
        found = self.map.next(range(low, min(600, low + size)))
        within = {n for n in self.free if low <= n < low + size}
        assert (found in within) if within else (found is None)

    @invariant()
    def counts_agree(self) -> None:
        assert self.map.free == len(self.free)


FreeNumbers.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestFreeMap = FreeNumbers.TestCase
