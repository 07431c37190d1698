"""An NPU of the simulators: it applies what it is told, under virtual time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from controller.central_point.balance import bucket_of
from controller.config.schema import Configuration
from controller.config.stateless import Distribution
from controller.flow import Address, Direction, FlowKey, FragmentId, Nanoseconds, Path, Port, Wing
from controller.messages import (
    CP,
    Actor,
    Distribute,
    InstallWing,
    LimitSessions,
    Message,
    Outbound,
    PacketIn,
    PurgedWing,
    PurgeSpu,
    ReadWing,
    RemoveWing,
    Role,
    SpuPurged,
    WingInstalled,
    WingRead,
    WingRemoved,
    WingsIdle,
    WingsPurged,
)
from controller.npu.purge import Fences
from controller.packet import FIN, RST, SYN, TCP, Packet, parse, rewrite, vlan_of
from controller.reasons import Drop, Punt
from controller.timers import Timers

_ND_TYPES = range(133, 138)
_FRAGMENT_CELLS = 16_384
"""Datagrams whose ports are remembered (``p4src/sizes.p4``)."""


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
        self._ports: OrderedDict[FragmentId, tuple[int, int]] = OrderedDict()
        """Of first fragments; the oldest goes first."""
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
        if message.is_renewal:
            return []
        answer = WingInstalled(message.session_id, message.direction, error)
        return [(_spu(message.spu), answer)]

    def _purge(self, message: PurgeSpu, _now: Nanoseconds) -> list[Outbound]:
        self._fences.put(message.spu, message.last_session_id)
        dead = [
            key
            for key, entry in self._table.items()
            if entry.install.spu == message.spu and self._fences.is_dead(entry.install.session_id)
        ]
        wings = []
        for key in dead:
            entry = self._table.pop(key)
            self._idle.cancel(key)
            told = entry.install
            wings.append(
                PurgedWing(told.session_id, told.direction, told.record, entry.packets, entry.bytes)
            )
        return [
            (CP, WingsPurged(self.number, message.spu, tuple(wings))),
            (CP, SpuPurged(self.number, message.spu, len(dead))),
        ]

    def _distribute(self, message: Distribute, _now: Nanoseconds) -> list[Outbound]:
        self.buckets = message.buckets
        return []

    def _remove(self, message: RemoveWing, _now: Nanoseconds) -> list[Outbound]:
        entry = None
        if not self._fences.is_dead(message.session_id):
            entry = self._table.pop(message.key, None)
            self._idle.cancel(message.key)
        packets, octets = 0, 0
        if entry is not None and not message.is_counted:
            packets, octets = entry.packets, entry.bytes
        answer = WingRemoved(message.session_id, message.direction, packets, octets)
        return [(_spu(message.spu), answer)]

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
        return [(_spu(message.spu), answer)]

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
            self._ports.move_to_end(datagram)
            if len(self._ports) > _FRAGMENT_CELLS:
                self._ports.popitem(last=False)
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

    def _is_attacked(self, packet: Packet, _token: int, _now: Nanoseconds) -> bool:
        """Whether a SYN of no session is above the attack threshold."""
        return (packet.dst, packet.dport) in self.attacked

    def deadline(self) -> Nanoseconds | None:
        """When the next wing may be idle."""
        return self._idle.next()

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Notices of wings that were idle; each is repeated only after another time-out."""
        out: list[Outbound] = []
        for key in self._idle.due(now):
            entry = self._table[key]
            install = entry.install
            quiet = now - entry.last_hit
            if quiet >= install.idle_timeout:
                out.append((_spu(install.spu), WingsIdle((install.session_id,))))
                quiet = 0
            self._idle.set(key, now + install.idle_timeout - quiet)
        return out

    def arrive(self, port: int, frame: bytes, now: Nanoseconds) -> PacketIn | Sent | None:
        """A frame from outside: punted, forwarded on Express Path, or dropped (and counted)."""
        token = self._tokens.get((port, vlan_of(frame)))
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
            is_syn = packet.protocol == TCP and packet.begins_session
            too_many = is_syn and self._is_attacked(packet, token, now)
            reason = Punt.SYN_PROXY if too_many else Punt.MISS
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
