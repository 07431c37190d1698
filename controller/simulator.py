"""The machines under virtual time, with NPUs that apply what they are told.

Nothing here forwards by itself: an NPU forwards a packet if and only if the wings installed on it
say so. A test sends a frame into a port and asks what left where. Messages take a delay that a
seeded generator draws per message; between any two actors they stay in order, as they do in the
running system. Time moves from event to event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from heapq import heappop, heappush
from random import Random
from typing import Any

from controller.central_point import CentralPoint
from controller.central_point.balance import bucket_of
from controller.central_point.nat_arbiter import PORTS
from controller.config.schema import Chassis, Configuration
from controller.config.stateless import Distribution
from controller.flow import Address, Direction, FlowKey, FragmentId, Nanoseconds, Path, Port, Wing
from controller.messages import (
    CP,
    NEIGHBORS,
    OBSERVER,
    Actor,
    ClearSession,
    Distribute,
    DrainSpu,
    InstallWing,
    LimitSessions,
    Message,
    NatNotice,
    Outbound,
    PacketDropped,
    PacketIn,
    PurgeSpu,
    RanOut,
    ReadWing,
    Reconfigure,
    RemoveWing,
    Role,
    SessionClosed,
    SpuChanged,
    SpuFailed,
    SpuPurged,
    StepTaken,
    Transmit,
    WatermarkPassed,
    WingIdle,
    WingInstalled,
    WingRead,
    WingRemoved,
)
from controller.npu.program import initial_buckets
from controller.npu.purge import Fences
from controller.packet import FIN, RST, SYN, TCP, Packet, parse, rewrite
from controller.reasons import Drop, Punt
from controller.routing import nd
from controller.routing.fabric import Fabric
from controller.routing.fib import fib_of
from controller.routing.neighbors import Neighbors
from controller.spu import Spu
from controller.spu_bay import stray
from controller.timers import Timers

_ND_TYPES = range(133, 138)


@cache
def _spu(number: int) -> Actor:
    """An SPU as a receiver: the same object every time."""
    return Actor(Role.SPU, number)


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that left the chassis."""

    at: Nanoseconds
    port: Port
    frame: bytes


class _Entry:
    """A wing in an NPU's table."""

    __slots__ = ("bytes", "install", "last_hit", "packets")

    def __init__(self, install: InstallWing, now: Nanoseconds) -> None:
        self.install = install
        self.packets = 0
        self.bytes = 0
        self.last_hit = now


class SimulatedNpu:
    """An NPU by what it does, not by how: tables, counters, idle notices, punts.

    ``capacity`` bounds its entries, ``lost`` makes it answer nothing but errors.
    """

    def __init__(self, number: int, config: Configuration, capacity: int | None = None) -> None:
        self.number = number
        self.capacity = capacity
        self.lost = False
        self.drops: dict[Drop, int] = {}
        self._tokens: dict[tuple[int, int], int] = {}
        self._is_hashed = False
        self._zones: dict[int, int] = {}
        self.configure(config)
        self._table: dict[FlowKey, _Entry] = {}
        self._idle: Timers[FlowKey] = Timers()
        self._handlers: dict[type, Callable[[Any, Nanoseconds], list[Outbound]]] = {
            InstallWing: self._install,
            RemoveWing: self._remove,
            ReadWing: self._read,
            PurgeSpu: self._purge,
            Distribute: self._distribute,
            LimitSessions: self._limit,
        }
        self.attacked: set[tuple[Address, int]] = set()
        """Addresses and ports that more SYNs come to than the attack threshold."""
        self._fences = Fences()
        self.buckets = b""
        """The SPU of each bucket of hash-based distribution."""
        self._ports: dict[FragmentId, tuple[int, int]] = {}
        """Of first fragments."""
        self._at_limit: set[tuple[Drop, int, Address]] = set()

    def configure(self, config: Configuration) -> None:
        """The interface tables."""
        self._is_hashed = config.stateless.distribution is Distribution.HASH_BASED
        self._tokens = {
            (i.port.port, i.vlan): i.token
            for i in config.interfaces.values()
            if i.port.npu == self.number and i.enabled
        }
        self._zones = {
            i.token: config.zones[i.zone].id for i in config.interfaces.values() if i.zone
        }

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """A table update or read; a ``Transmit`` is the simulator's."""
        return self._handlers[type(message)](message, now)

    @property
    def owners(self) -> dict[FlowKey, tuple[int, Wing]]:
        """Session id and wing by key."""
        return {
            key: (entry.install.session_id, entry.install.wing)
            for key, entry in self._table.items()
        }

    def _install(self, message: InstallWing, now: Nanoseconds) -> list[Outbound]:
        key = message.wing.key
        error = None
        if self._fences.is_dead(message.session_id):
            error = Drop.SPU_FAILED
        elif self.lost:
            error = Drop.NPU_LOST
        elif self.capacity is not None and len(self._table) >= self.capacity:
            error = Drop.NPU_TABLE_FULL
        else:
            standing = self._table.get(key)
            if standing is not None and standing.install.session_id != message.session_id:
                raise AssertionError(f"NPU {self.number}: wing {key} is installed twice")
            self._table[key] = _Entry(message, now)
            self._idle.set(key, now + message.idle_timeout)
        answer = WingInstalled(message.session_id, message.direction, error)
        return [Outbound(_spu(message.spu), answer)]

    def _purge(self, message: PurgeSpu, _now: Nanoseconds) -> list[Outbound]:
        self._fences.put(message.spu, message.last_session_id)
        dead = [
            key
            for key, entry in self._table.items()
            if entry.install.spu == message.spu and self._fences.is_dead(entry.install.session_id)
        ]
        for key in dead:
            del self._table[key]
            self._idle.cancel(key)
        return [Outbound(CP, SpuPurged(self.number, message.spu, len(dead)))]

    def _distribute(self, message: Distribute, _now: Nanoseconds) -> list[Outbound]:
        self.buckets = message.buckets
        return []

    def _remove(self, message: RemoveWing, _now: Nanoseconds) -> list[Outbound]:
        entry = None
        if not self._fences.is_dead(message.session_id):
            entry = self._table.pop(message.key, None)
            self._idle.cancel(message.key)
        packets, octets = (0, 0) if entry is None else (entry.packets, entry.bytes)
        answer = WingRemoved(message.session_id, message.direction, packets, octets)
        return [Outbound(_spu(message.spu), answer)]

    def _read(self, message: ReadWing, now: Nanoseconds) -> list[Outbound]:
        entry = self._table.get(message.key)
        if entry is None:
            answer = WingRead(message.session_id, message.direction, None, 0, 0)
        else:
            answer = WingRead(
                message.session_id,
                message.direction,
                now - entry.last_hit,
                entry.packets,
                entry.bytes,
            )
        return [Outbound(_spu(message.spu), answer)]

    def _limit(self, message: LimitSessions, _now: Nanoseconds) -> list[Outbound]:
        change = self._at_limit.add if message.at_limit else self._at_limit.discard
        change((message.screen, message.zone, message.address))
        return []

    def _fragment(self, packet: Packet, token: int, now: Nanoseconds) -> InstallWing | None:
        """The wing of a fragment; a later one has the ports of its first, if that came before."""
        key, datagram = packet.key(token), packet.datagram(token)
        if packet.is_later_fragment:
            sport, dport = self._ports.get(datagram, (0, 0))
            key = key._replace(sport=sport, dport=dport)
        else:
            self._ports[datagram] = key.sport, key.dport
        entry = self._table.get(key)
        if entry is None:
            return None
        entry.packets += 1
        entry.bytes += len(packet.frame)
        entry.last_hit = now
        return entry.install

    def _limited(self, packet: Packet, token: int) -> Drop:
        """The session limit that keeps a first packet from the central point."""
        zone = self._zones.get(token, 0)
        for screen, address in (
            (Drop.SCREEN_SESSION_LIMIT_SOURCE, packet.src),
            (Drop.SCREEN_SESSION_LIMIT_DESTINATION, packet.dst),
        ):
            if (screen, zone, address) in self._at_limit:
                return screen
        return Drop.NONE

    def deadline(self) -> Nanoseconds | None:
        """When the next wing may be idle."""
        return self._idle.next()

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Notices of wings that were idle; each is repeated only after another time-out."""
        out = []
        for key in self._idle.due(now):
            entry = self._table[key]
            install = entry.install
            quiet = now - entry.last_hit
            if quiet >= install.idle_timeout:
                notice = WingIdle(install.session_id, install.direction)
                out.append(Outbound(_spu(install.spu), notice))
                quiet = 0
            self._idle.set(key, now + install.idle_timeout - quiet)
        return out

    def arrive(self, port: int, frame: bytes, now: Nanoseconds) -> PacketIn | Sent | None:
        """A frame from outside: punted, forwarded on Express Path, or dropped (and counted)."""
        token = self._tokens.get((port, nd.vlan_of(frame)))
        if token is None:
            self._drop(Drop.NO_INTERFACE)
            return None
        at = 16 if frame[12:14] == b"\x81\x00" else 12
        if frame[at : at + 2] == b"\x08\x06":
            return self._punt(port, Punt.ARP, token, frame, now)
        packet = parse(frame)
        if isinstance(packet, Drop):
            self._drop(packet)
            return None
        if packet.version == 6 and packet.icmp_type in _ND_TYPES:
            return self._punt(port, Punt.ND, token, frame, now)
        if packet.fragment:
            return self._punt(
                port, Punt.FRAGMENT, token, frame, now, self._fragment(packet, token, now)
            )
        if packet.is_icmp_error:
            return self._punt(port, Punt.ICMP_ERROR, token, frame, now)
        entry = self._table.get(packet.key(token))
        if entry is None:
            limited = self._limited(packet, token) if self._at_limit else Drop.NONE
            if limited is not Drop.NONE:
                self._drop(limited)
                return None
            too_many = packet.begins_session and (packet.dst, packet.dport) in self.attacked
            reason = Punt.SYN_PROXY if packet.protocol == TCP and too_many else Punt.MISS
            miss = self._punt(port, reason, token, frame, now)
            if self._is_hashed:
                return replace(miss, spu=self.buckets[bucket_of(packet.key(token))])
            return miss
        entry.packets += 1
        entry.bytes += len(frame)
        entry.last_hit = now
        install = entry.install
        control = packet.flags & (SYN | FIN | RST)
        if install.path is Path.EXPRESS and not control:
            if packet.ttl <= 1:
                return self._punt(port, Punt.TTL_EXPIRED, token, frame, now, install)
            wing = install.wing
            return Sent(now, wing.hop.port, rewrite(packet, wing.translated, wing.hop))
        reason = Punt.TCP_CONTROL if install.path is Path.EXPRESS else Punt.SESSION
        return self._punt(port, reason, token, frame, now, install)

    def _punt(
        self,
        port: int,
        reason: Punt,
        token: int,
        frame: bytes,
        now: Nanoseconds,
        hit: InstallWing | None = None,
    ) -> PacketIn:
        where = Port(self.number, port)
        if hit is None:
            return PacketIn(where, reason, token, 0, Direction.FORWARD, 0, frame, now)
        return PacketIn(where, reason, token, hit.session_id, hit.direction, hit.spu, frame, now)

    def _drop(self, reason: Drop) -> None:
        self.drops[reason] = self.drops.get(reason, 0) + 1


class Simulator:
    """A whole chassis: ``send`` frames, ``run``, and look at ``sent`` and at what was observed."""

    def __init__(
        self,
        config: Configuration,
        chassis: Chassis,
        *,
        seed: int = 0,
        delay: tuple[Nanoseconds, Nanoseconds] = (1_000, 1_000),
        nat_ports: range = PORTS,
        trace: bool = True,
    ) -> None:
        """``delay`` is the range that the delay of each message is drawn from."""
        fib = fib_of(config)
        self.fabric = Fabric(chassis)
        self.now: Nanoseconds = 0
        self.cp = CentralPoint(config, chassis, nat_ports=nat_ports, trace=trace)
        self._secret = secret = seed.to_bytes(8, "big")
        self.spus = {
            n: Spu(n, config, fib, chassis, trace=trace, cookie_seed=secret) for n in chassis.spus
        }
        self.neighbors = Neighbors(config)
        self.npus = {n: SimulatedNpu(n, config) for n in chassis.npus}
        for npu in self.npus.values():
            npu.buckets = initial_buckets(chassis)
        self.sent: list[Sent] = []
        self.steps: list[StepTaken] = []
        self.dropped: list[PacketDropped] = []
        self.closed: list[SessionClosed] = []
        self.ran_out: list[RanOut] = []
        self.notices: list[NatNotice] = []
        self.spu_changes: list[SpuChanged] = []
        self.watermarks: list[WatermarkPassed] = []
        self.carried: list[Outbound] = []
        """Every message between machines and NPUs, in the order of delivery."""
        self.on_sent: Callable[[Sent], None] | None = None
        """Called for every frame that leaves: hosts may answer with ``send``."""
        self.on_event: Callable[[], None] | None = None
        """Called after every event: the place for invariants."""
        self._random = Random(seed)
        self._delay = delay
        self._events: list[tuple[Nanoseconds, int, Actor | Port, Message | bytes]] = []
        self._count = 0
        self._last: dict[tuple[Actor, Actor], Nanoseconds] = {}
        self._incarnations = 0
        self._config = config
        self._chassis = chassis
        self._trace = trace
        self._machines: dict[Actor, CentralPoint | Spu | Neighbors | SimulatedNpu] = {
            CP: self.cp,
            NEIGHBORS: self.neighbors,
            **{Actor(Role.SPU, n): spu for n, spu in self.spus.items()},
            **{Actor(Role.NPU, n): npu for n, npu in self.npus.items()},
        }

    # -- from outside -------------------------------------------------------------------------

    def send(self, port: Port, frame: bytes, after: Nanoseconds = 0) -> None:
        """A frame arrives at a port."""
        self._at(self.now + after, port, frame)

    def clear(self, session_id: int) -> None:
        """An operator ends a session."""
        spu = Actor(Role.SPU, session_id // 10_000_000)
        self._at(self.now, spu, ClearSession(session_id))

    def reconfigure(self, config: Configuration) -> None:
        """Another configuration comes into force, everywhere at once."""
        self._config = config
        for npu in self.npus.values():
            npu.configure(config)
        for actor, machine in self._machines.items():
            if actor.role is not Role.NPU:
                self._deliver(actor, machine.handle(Reconfigure(config), self.now))

    def fail_spu(
        self, number: int, why: str = "it was told to fail", flow: FlowKey | None = None
    ) -> None:
        """An SPU is gone, with all it knew; the central point hears of it behind what the SPU sent
        before. Packets that come to it go to the central point, and all else nowhere."""
        actor = Actor(Role.SPU, number)
        if self._machines.pop(actor, None) is not None:
            del self.spus[number]
            self._deliver(actor, [Outbound(CP, SpuFailed(number, why, flow))])

    def join_spu(self, number: int) -> None:
        """A fresh SPU in the place of one that is gone; one that drains gets flows again."""
        if number in self.spus:
            self._at(self.now, CP, DrainSpu(number, on=False))
            return
        self._incarnations += 1
        spu = Spu(
            number,
            self._config,
            fib_of(self._config),
            self._chassis,
            trace=self._trace,
            incarnation=self._incarnations,
            cookie_seed=self._secret,
        )
        self.spus[number] = self._machines[Actor(Role.SPU, number)] = spu
        self._deliver(Actor(Role.SPU, number), spu.tick(self.now))

    def drain_spu(self, number: int) -> None:
        """No new flows for an SPU."""
        self._at(self.now, CP, DrainSpu(number))

    def run(self, span: Nanoseconds | None = None) -> None:
        """Let time pass: ``span``, or as far as messages and frames are under way (time-outs
        that are further off than the last of them do not come)."""
        end = None if span is None else self.now + span
        while self._events or end is not None:
            actor, deadline = self._next_deadline()
            event = self._events[0][0] if self._events else None
            if event is not None and (deadline is None or event <= deadline):
                if end is not None and event > end:
                    break
                self.now, _, to, what = heappop(self._events)
                self._happen(to, what)
            elif deadline is not None and actor is not None:
                if end is not None and deadline > end:
                    break
                self.now = max(self.now, deadline)
                self._deliver(actor, self._machines[actor].tick(self.now))
            else:
                break
            if self.on_event is not None:
                self.on_event()
        if end is not None:
            self.now = end

    # -- what there is to see -----------------------------------------------------------------

    def left(self) -> list[str]:
        """What remains of sessions anywhere, in words: nothing once all are gone."""
        left = [f"central point: {what}" for what in self.cp.audit()]
        for number, spu in self.spus.items():
            left += [f"SPU {number}: {what}" for what in spu.audit()]
        for number, npu in self.npus.items():
            left += [f"NPU {number}: {key}" for key in npu.owners]
        return left

    # -- events -------------------------------------------------------------------------------

    def _at(self, when: Nanoseconds, to: Actor | Port, what: Message | bytes) -> None:
        self._count += 1
        heappush(self._events, (when, self._count, to, what))

    def _next_deadline(self) -> tuple[Actor | None, Nanoseconds | None]:
        who: Actor | None = None
        earliest: Nanoseconds | None = None
        for actor, machine in self._machines.items():
            deadline = machine.deadline()
            if deadline is not None and (earliest is None or deadline < earliest):
                who, earliest = actor, deadline
        return who, earliest

    def _happen(self, to: Actor | Port, what: Message | bytes) -> None:
        if isinstance(to, Port):
            assert isinstance(what, bytes)
            self._arrive(to, what)
            return
        assert not isinstance(what, bytes)
        self.carried.append(Outbound(to, what))
        if isinstance(what, Transmit):
            self._leave(Sent(self.now, what.port, what.frame))
        elif to.role is Role.SPU and to not in self._machines:
            instead = stray(to, what)
            if instead is not None:
                self._deliver(to, [instead])
        else:
            self._deliver(to, self._machines[to].handle(what, self.now))

    def _arrive(self, port: Port, frame: bytes) -> None:
        outcome = self.npus[port.npu].arrive(port.port, frame, self.now)
        if isinstance(outcome, Sent):
            self._leave(outcome)
        elif outcome is not None:
            to = CP
            if outcome.reason in (Punt.ARP, Punt.ND):
                to = NEIGHBORS
            elif outcome.spu:
                to = Actor(Role.SPU, outcome.spu)
            self._deliver(Actor(Role.NPU, port.npu), [Outbound(to, outcome)])

    def _leave(self, sent: Sent) -> None:
        self.sent.append(sent)
        if self.on_sent is not None:
            self.on_sent(sent)

    def _deliver(self, sender: Actor, out: list[Outbound]) -> None:
        """Under way: what is for the observer is seen at once."""
        for to, message in out:
            if to == OBSERVER:
                self._observe(message)
                continue
            at = self.now + self._random.randint(*self._delay)
            # Never before what the same sender sent to the same receiver earlier.
            at = max(at, self._last.get((sender, to), 0))
            self._last[sender, to] = at
            self._at(at, to, message)

    def _observe(self, message: Message) -> None:
        if isinstance(message, StepTaken):
            self.steps.append(message)
        elif isinstance(message, PacketDropped):
            self.dropped.append(message)
        elif isinstance(message, RanOut):
            self.ran_out.append(message)
        elif isinstance(message, SessionClosed):
            self.closed.append(message)
        elif isinstance(message, WatermarkPassed):
            self.watermarks.append(message)
        elif isinstance(message, NatNotice):
            self.notices.append(message)
        elif isinstance(message, SpuChanged):
            self.spu_changes.append(message)
