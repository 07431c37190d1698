"""Many flows at once, any order of events: what must hold after each one, and at the end.

After every event: a wing on an NPU belongs to a session of its SPU, each session of an SPU is
active at the central point, and no NAT binding is shared. At the end: every packet was delivered
once or dropped with a reason, and nothing is left anywhere.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.packet import Packet

from controller.config.schema import SECOND
from controller.flow import WingState
from controller.simulated_npu import Sent

from .world import (
    MILLISECOND,
    Host,
    World,
    answer,
    chassis,
    configuration,
    ping,
    tcp,
    udp,
    with_nat,
)


class Watch:
    """Checks a world after every event that changed what there is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: object = None

    def __call__(self) -> None:
        sim = self._world.sim
        keys = [spu.forward_keys() for spu in sim.spus.values()]
        seen = sim.cp.counts(), keys, [npu.owners for npu in sim.npus.values()]
        if seen != self._seen:
            self._seen = seen
            check(self._world)


def check(world: World) -> None:
    sim = world.sim
    active = {w.session_id for w in sim.cp.wings() if w.state is WingState.ACTIVE}
    sessions = {view.id: view for spu in sim.spus.values() for view in spu.sessions()}
    assert sessions.keys() <= active
    for npu in sim.npus.values():
        for key, (session_id, wing) in npu.owners.items():
            assert wing in (sessions[session_id].forward, sessions[session_id].reverse)
            assert key == wing.key
    translated = [v.reverse.key for v in sessions.values()]
    assert len(translated) == len(set(translated))


class Traffic:
    """Clients a and c, server b that answers what it gets; every packet is accounted for."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = Random(seed)
        self.sent = 0
        world.sim.on_event = Watch(world)
        deliver = world.sim.on_sent
        assert deliver is not None

        def on_sent(sent: Sent) -> None:
            before = len(world.b.received)
            deliver(sent)
            if len(world.b.received) > before:
                self.serve(world.b.received[-1])

        world.sim.on_sent = on_sent

    def send(self, host: Host, packet: Packet, after: int = 0) -> None:
        self.sent += 1
        self.world.send(host, packet, after)

    def serve(self, packet: Packet) -> None:
        """What a server does, at times: answer, reset, close, or keep silent."""
        after = self.random.randrange(0, 2 * MILLISECOND)
        whim = self.random.random()
        if whim < 0.15:
            return
        reply = answer(packet)
        if TCP in packet:
            if packet[TCP].flags.R:
                return
            if whim < 0.3:
                reply[TCP].flags = "RA"
            elif packet[TCP].flags.F:
                reply[TCP].flags = "FA"
            elif packet[TCP].flags == "A" and whim < 0.7:
                return
        self.send(self.world.b, reply, after)

    def flow(self, client: Host, kind: int, port: int, start: int) -> None:
        """A handful of packets of one flow."""
        pause = self.random.choice((1_000, 100_000, 3 * MILLISECOND, SECOND))
        for n in range(self.random.randrange(1, 8)):
            if kind == 0:
                packet = udp(client, self.world.b, sport=port, n=n)
            elif kind == 1:
                packet = ping(client, self.world.b, identifier=port, seq=n)
            else:
                flags = "S" if n == 0 else self.random.choice(("A", "A", "PA", "FA", "R", "S"))
                packet = tcp(client, self.world.b, flags, sport=port)
            self.send(client, packet, start + n * pause)

    def accounted(self) -> int:
        world = self.world
        ip = sum(
            1
            for host in world.hosts
            for packet in host.received
            if UDP in packet or TCP in packet or ICMP in packet
        )
        return ip + len(world.sim.dropped)


def play(
    seed: int, nat: bool, flows: list[tuple[int, int, int, int]], capacity: int | None, clears: int
) -> None:
    world = World(
        with_nat() if nat else configuration(),
        chassis(spus=3),
        seed=seed,
        delay=(1_000, 3 * MILLISECOND),
        nat_ports=range(2000, 2040),
    )
    for npu in world.sim.npus.values():
        npu.capacity = capacity
    traffic = Traffic(world, seed)
    for who, kind, port, start in flows:
        traffic.flow((world.a, world.c)[who], kind, port, start)
    for _ in range(clears):
        world.sim.run(traffic.random.randrange(0, 10 * MILLISECOND))
        for spu in world.sim.spus.values():
            for view in spu.sessions()[:2]:
                world.sim.clear(view.id)
    world.sim.run(4000 * SECOND)
    assert world.sim.left() == []
    assert traffic.accounted() == traffic.sent


some_flows = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(3000, 3003),
        st.integers(0, 5 * MILLISECOND),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**16), st.booleans(), some_flows, st.sampled_from((None, 3)), st.integers(0, 4)
)
def test_any_interleaving_leaves_nothing_behind(
    seed: int, nat: bool, flows: list[tuple[int, int, int, int]], capacity: int | None, clears: int
) -> None:
    play(seed, nat, flows, capacity, clears)


@pytest.mark.parametrize("seed", range(3))
def test_many_flows(seed: int) -> None:
    random = Random(seed)
    flows = [
        (random.randrange(2), random.randrange(3), 3000 + n, random.randrange(200 * MILLISECOND))
        for n in range(60)
    ]
    play(seed, True, flows, None, 3)


def test_the_same_seed_plays_the_same_walk() -> None:
    walks = []
    for _ in range(2):
        world = World(with_nat(), seed=5, delay=(1_000, MILLISECOND))
        for n in range(10):
            world.send(world.a, udp(world.a, world.b, sport=3000 + n, n=n))
        world.sim.run(100 * SECOND)
        walks.append((world.sim.carried, world.sim.sent))
    assert walks[0] == walks[1]
