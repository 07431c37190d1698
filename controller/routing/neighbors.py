"""The neighbour table: who has which MAC address on which interface.

Answers ARP requests and Neighbour Solicitations for the firewall's own addresses, only on the
interface that has the address, and for those that NAT has it answer for there (proxies). Asks on
behalf of SPUs, three times, a second apart. SPUs keep what they are told; once it no longer holds,
or the address has another MAC address, they are told that, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from controller.config.nat import AddressBlock
from controller.config.schema import SECOND, Configuration, Interface
from controller.flow import Address, FlowKey, Hop, Nanoseconds, Port, text
from controller.messages import (
    NEIGHBORS,
    OBSERVER,
    Actor,
    Message,
    NeighborChanged,
    NeighborForgotten,
    NeighborResolved,
    Outbound,
    PacketDropped,
    PacketIn,
    Reconfigure,
    ResolveNeighbor,
    Role,
    Transmit,
)
from controller.packet import vlan_of
from controller.reasons import Drop, Punt, Send
from controller.routing import nd
from controller.timers import Timers

TRIES = 3
RETRY: Nanoseconds = SECOND
"""Between two requests; RFC 4861 RetransTimer."""
LIFETIME: Nanoseconds = 1200 * SECOND
"""How long what was learned holds; Junos keeps ARP entries for 20 minutes."""
MAX_FORMER = 65_536
"""Neighbours remembered beyond that, for the sessions that go by them."""
MAX_WAITING = 1024
"""Requesters held back per unresolved address."""


class NeighborState(Enum):
    """State of an entry, as ``show arp`` and ``show ipv6 neighbors`` tell it."""

    REACHABLE = "reachable"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class NeighborView:
    """An entry of the table."""

    interface: str
    address: Address
    mac: bytes | None
    """``None`` while it is asked for."""
    state: NeighborState
    age: Nanoseconds
    """Since it was learned, or asked for first."""


class _Query:
    """An address that is being asked for."""

    __slots__ = ("since", "tries", "waiting")

    def __init__(self, since: Nanoseconds) -> None:
        self.since = since
        self.tries = 0
        self.waiting: list[tuple[int, FlowKey]] = []


_Key = tuple[str, Address]


class Neighbors:
    """``handle`` a message, ``tick`` when ``deadline`` has come; both return what to send."""

    def __init__(self, config: Configuration) -> None:
        self._configure(config)
        self._known: dict[_Key, tuple[bytes, Nanoseconds]] = {}
        self._told: dict[_Key, set[int]] = {}
        """SPUs that were told what is known."""
        self._former: dict[_Key, tuple[bytes, set[int]]] = {}
        """What was known until it was too old, and who was told."""
        self._queries: dict[_Key, _Query] = {}
        self._timers: Timers[_Key] = Timers()
        self._spus: dict[int, Actor] = {}
        self._npus: dict[int, Actor] = {}
        self._now: Nanoseconds = 0
        self._out: list[Outbound] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            PacketIn: self._on_packet_in,
            ResolveNeighbor: self._on_resolve,
            Reconfigure: self._on_reconfigure,
        }

    def _configure(self, config: Configuration) -> None:
        self._interfaces = {n: i for n, i in config.interfaces.items() if i.enabled}
        self._by_port = {(i.port, i.vlan): i for i in self._interfaces.values()}
        self._own = {
            (name, address)
            for name, interface in self._interfaces.items()
            for address in _own_addresses(interface)
        }
        self._proxied: dict[str, list[AddressBlock]] = {}
        """By interface: other addresses to answer for (``security nat proxy-arp, proxy-ndp``)."""
        for proxy in config.nat.proxies:
            if proxy.interface in self._interfaces:
                self._proxied.setdefault(proxy.interface, []).append(proxy.block)

    def _on_reconfigure(self, message: Reconfigure) -> None:
        """What is no neighbour any more is forgotten; who asked for it hears so. On another port or
        VLAN there are others."""
        wires = {name: (i.port, i.vlan) for name, i in self._interfaces.items()}
        self._configure(message.configuration)
        same = {n for n, i in self._interfaces.items() if wires.get(n) == (i.port, i.vlan)}
        for key in [key for key in self._known if key[0] not in same or not self._may_be(key)]:
            self._timers.cancel(key)
            self._forget(key)
        for key in [key for key in self._former if key[0] not in same or not self._may_be(key)]:
            del self._former[key]
        for key in [key for key in self._queries if not self._may_be(key)]:
            self._answer(key, None)

    def _is_ours(self, key: _Key) -> bool:
        """Whether we answer for an address on this interface."""
        return key in self._own or any(key[1] in block for block in self._proxied.get(key[0], ()))

    def _may_be(self, key: _Key) -> bool:
        """Whether an address can be a neighbour's on this interface."""
        interface = self._interfaces.get(key[0])
        return (
            interface is not None
            and not self._is_ours(key)
            and _source_for(interface, key[1]) is not None
        )

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """Take an ARP or ND packet from an NPU, or a question from an SPU."""
        self._now = now
        self._out = []
        self._handlers[type(message)](message)
        return self._out

    def deadline(self) -> Nanoseconds | None:
        """When ``tick`` is due."""
        return self._timers.next()

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Ask again, or give up; forget what is too old."""
        self._now = now
        self._out = []
        for key in self._timers.due(now):
            query = self._queries.get(key)
            if query is None:
                self._outlive(key)
            elif query.tries < TRIES:
                self._ask(key, query)
            else:
                self._answer(key, None)
        return self._out

    def snapshot(self, now: Nanoseconds) -> list[NeighborView]:
        """The whole table, by interface and address."""
        views = [
            NeighborView(name, address, mac, NeighborState.REACHABLE, now - since)
            for (name, address), (mac, since) in self._known.items()
        ]
        views += [
            NeighborView(name, address, None, NeighborState.INCOMPLETE, now - query.since)
            for (name, address), query in self._queries.items()
        ]
        return sorted(views, key=lambda view: (view.interface, len(view.address), view.address))

    # -- SPUs ask -----------------------------------------------------------------------------

    def _on_resolve(self, message: ResolveNeighbor) -> None:
        key = (message.interface, message.address)
        known = self._known.get(key)
        if known is not None:
            self._reply(message.spu, message.flow, key, known[0])
            return
        if not self._may_be(key):
            # Nobody can answer; waiting would not help.
            self._reply(message.spu, message.flow, key, None)
            return
        query = self._queries.get(key)
        if query is None:
            query = self._queries[key] = _Query(self._now)
            self._ask(key, query)
        if len(query.waiting) >= MAX_WAITING:
            self._reply(message.spu, message.flow, key, None)
            return
        query.waiting.append((message.spu, message.flow))

    def _ask(self, key: _Key, query: _Query) -> None:
        query.tries += 1
        self._timers.set(key, self._now + RETRY)
        interface, target = self._interfaces[key[0]], key[1]
        source = _source_for(interface, target)
        assert source is not None, "checked before the query was made"
        if len(target) == 4:
            hop = _hop(interface, nd.BROADCAST)
            frame = nd.arp(1, hop, source, bytes(6), target)
        else:
            hop = _hop(interface, nd.multicast_mac(nd.solicited_node(target)))
            frame = nd.solicitation(hop, source, target)
        self._transmit(interface.port, frame)

    def _answer(self, key: _Key, mac: bytes | None) -> None:
        """All who wait for this address hear what became of it."""
        query = self._queries.pop(key)
        self._timers.cancel(key)
        for spu, flow in query.waiting:
            self._reply(spu, flow, key, mac)

    def _reply(self, spu: int, flow: FlowKey, key: _Key, mac: bytes | None) -> None:
        if mac is not None:
            self._told.setdefault(key, set()).add(spu)
        actor = self._spus.setdefault(spu, Actor(Role.SPU, spu))
        self._out.append((actor, NeighborResolved(flow, *key, mac)))

    def _forget(self, key: _Key) -> None:
        """What was learned of an address no longer holds."""
        del self._known[key]
        for spu in sorted(self._told.pop(key, ())):
            self._out.append((self._spus[spu], NeighborForgotten(*key)))

    def _outlive(self, key: _Key) -> None:
        """What is known is too old; but live sessions go by it, which follow if it changes."""
        told = self._told.get(key)
        if told:
            if len(self._former) >= MAX_FORMER:
                del self._former[next(iter(self._former))]
            self._former[key] = self._known[key][0], told
        self._forget(key)

    # -- neighbours speak ---------------------------------------------------------------------

    def _on_packet_in(self, message: PacketIn) -> None:
        frame = message.frame
        interface = self._by_port.get((message.port, vlan_of(frame)))
        if interface is None:
            self._drop(Drop.NO_INTERFACE, f"port {message.port.port} of NPU {message.port.npu}")
            return
        heard = nd.read_arp(frame) if message.reason is Punt.ARP else nd.read_nd(frame)
        if isinstance(heard, Drop):
            what = "ARP" if message.reason is Punt.ARP else nd.name_of(frame)
            self._drop(heard, f"{what} on {interface.name}")
            return
        self._learn(interface, heard)
        if heard.asks:
            self._respond(interface, heard)

    def _learn(self, interface: Interface, heard: nd.Heard) -> None:
        """RFC 826's rule: update who is known, add who speaks to us.

        A neighbour has an address of the interface's subnets, and not ours; what claims otherwise
        is not believed.
        """
        about = heard.sender
        if len(heard.target) == 16 and not heard.asks:
            about = heard.target
        key = (interface.name, about)
        mac = heard.mac
        if not mac or self._is_ours(key):
            return
        if _source_for(interface, about) is None:
            return
        asked, known, former = key in self._queries, self._known.get(key), self._former.get(key)
        to_us = self._is_ours((interface.name, heard.target))
        if not (asked or known is not None or former is not None or to_us):
            return
        before = None if known is None else known[0]
        if former is not None:
            before, told = former
            self._told[key] = told
            del self._former[key]
        if before is not None and before != mac:
            for spu in sorted(self._told.get(key, ())):
                self._out.append((self._spus[spu], NeighborChanged(*key, mac)))
        if asked:
            self._answer(key, mac)
        self._known[key] = (mac, self._now)
        self._timers.set(key, self._now + LIFETIME)

    def _respond(self, interface: Interface, heard: nd.Heard) -> None:
        target, asker = heard.target, heard.sender
        is_own = (interface.name, target) in self._own
        if asker == target and self._may_be((interface.name, asker)):
            return  # it announces itself
        if not is_own and (asker == target or not self._is_ours((interface.name, target))):
            # (Who asks for a proxied address as if it had it, announces it: somebody else's fault.)
            self._drop(Drop.NOT_FOR_US, f"who has {text(target)} on {interface.name}")
            return
        nobody = not any(asker)  # an asker that probes whether its address is free
        if not nobody and _source_for(interface, asker) is None:
            self._drop(
                Drop.MARTIAN_SOURCE, f"{text(asker)} asks on {interface.name}: not its subnet"
            )
            return
        if len(target) == 4:
            frame = nd.arp(2, _hop(interface, heard.mac), target, heard.mac, asker)
        elif nobody:
            hop = _hop(interface, nd.multicast_mac(nd.ALL_NODES))
            frame = nd.advertisement(hop, target, nd.ALL_NODES, override=is_own)
        else:
            known = self._known.get((interface.name, asker))
            mac = heard.mac or (known[0] if known else b"")
            if not mac:
                self._drop(Drop.NO_NEIGHBOR, f"{text(asker)} asks without a MAC address")
                return
            frame = nd.advertisement(_hop(interface, mac), target, asker, override=is_own)
        self._transmit(interface.port, frame)

    def _transmit(self, port: Port, frame: bytes) -> None:
        npu = self._npus.setdefault(port.npu, Actor(Role.NPU, port.npu))
        self._out.append((npu, Transmit(port, Send.RAW, frame)))

    def _drop(self, reason: Drop, detail: str) -> None:
        dropped = PacketDropped(self._now, NEIGHBORS, reason, None, detail)
        self._out.append((OBSERVER, dropped))


def _hop(interface: Interface, dst_mac: bytes) -> Hop:
    return Hop(interface.port, interface.vlan, interface.mac, dst_mac)


def _own_addresses(interface: Interface) -> list[Address]:
    own = [address.packed for address in interface.addresses]
    if any(len(address) == 16 for address in own):
        own.append(nd.link_local(interface.mac))
    return own


def _source_for(interface: Interface, neighbor: Address) -> Address | None:
    """Our address to speak to a neighbour from; ``None`` if it is not of this link."""
    beside = interface.address_beside(neighbor)
    if beside is not None:
        return beside
    if neighbor[:1] == b"\xfe" and neighbor[1] & 0xC0 == 0x80 and len(neighbor) == 16:
        local = nd.link_local(interface.mac)
        return local if (local in _own_addresses(interface)) else None
    return None
