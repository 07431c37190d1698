"""Traffic for properties that hold in any order of events, and what happens to SPUs meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from random import Random

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, TCP, UDP
from scapy.packet import Packet

from controller.config.schema import SECOND
from controller.config.stateless import STATELESS, Distribution
from controller.flow import Direction, WingState
from controller.simulated_npu import Sent

from .world import MILLISECOND, Host, World, answer, ping, tcp, udp

Flow = tuple[int, int, int, int]
"""Client (0: a, 1: c), kind (0: UDP, 1: ping, 2: TCP), port, and when it begins."""
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

HASHED = replace(STATELESS, distribution=Distribution.HASH_BASED)

Event = tuple[str, int, int]
"""What happens, to which SPU, and how long the world then goes on."""


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

    def flows(self, flows: Iterable[Flow]) -> None:
        """Many of them."""
        for who, kind, port, start in flows:
            self.flow((self.world.a, self.world.c)[who], kind, port, start)

    def accounted(self) -> int:
        """Packets that were delivered or dropped by name."""
        world = self.world
        ip = sum(
            1
            for host in world.hosts
            for packet in host.received
            if UDP in packet or TCP in packet or ICMP in packet
        )
        return ip + len(world.sim.dropped)


def owners(world: World) -> Counter[int]:
    """Sessions by SPU, as the central point has them."""
    forward = [w for w in world.sim.cp.wings() if w.direction is Direction.FORWARD]
    return Counter(wing.spu for wing in forward)


def settle(world: World) -> None:
    """Everything that is under way arrives, deadlines of now included."""
    world.sim.run(100 * MILLISECOND)


def set_up(world: World, sports: range) -> None:
    """UDP flows from a to b from these ports."""
    for sport in sports:
        world.send(world.a, udp(world.a, world.b, sport=sport))
    settle(world)


def assert_agree(world: World) -> None:
    """Central point, SPUs and NPUs have the same sessions."""
    sim = world.sim
    cp = {wing.key: wing.session_id for wing in sim.cp.wings() if wing.session_id}
    spus = {
        wing.key: view.id
        for spu in sim.spus.values()
        for view in spu.sessions()
        for wing in (view.forward, view.reverse)
    }
    npus = {key: id_ for npu in sim.npus.values() for key, (id_, _) in npu.owners.items()}
    assert cp == spus == npus
    ports = sum(sim.cp.nat.in_use().values())
    views = [view for spu in sim.spus.values() for view in spu.sessions()]
    assert ports == sum(view.forward.is_translated for view in views)


def live_through(world: World, events: Iterable[Event]) -> None:
    """SPUs fail, join and drain, and flows from a to b begin; in the end all SPUs are back."""
    sport = 2000
    for what, spu, span in events:
        match what:
            case "fail":
                world.sim.fail_spu(spu)
            case "join":
                world.sim.join_spu(spu)
            case "drain":
                world.sim.drain_spu(spu)
            case "flows":
                for _ in range(3):
                    world.send(world.a, udp(world.a, world.b, sport=sport))
                    sport += 1
        world.sim.run(span)
    for spu in world.sim.cp.members():
        world.sim.join_spu(spu)
    world.sim.run(10 * SECOND)
