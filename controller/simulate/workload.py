"""Which flow has which number: kinds by weight, ends by number, all from the seed."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from controller.flow import Address, Tuple5
from controller.packet import ICMP, ICMPV6, TCP, UDP
from controller.simulate.dice import Dice
from controller.simulate.flow import Flow, Network
from controller.simulate.kinds import (
    Connection,
    Datagrams,
    Deaf,
    Expiring,
    Fragments,
    Mesh,
    Ping,
    PingUs,
    Stray,
)
from controller.simulate.pieces import Patient, Pieces
from controller.simulate.prefix_flows import PrefixConnection, PrefixDatagrams, PrefixPing
from controller.simulate.prefixes import PREFIXES
from controller.simulate.site import (
    FARM,
    STATIC,
    STATIC_PORT,
    STATIC_SERVER,
    WEB,
    WEB_SERVERS,
    Wire,
)
from controller.simulate.streams import Besieged
from controller.simulate.styles import Fragments as Treatment
from controller.simulate.styles import style_of
from controller.simulate.talks.dns import Dns
from controller.simulate.talks.ftp import Ftp, Tftp
from controller.simulate.talks.gatekeeper import Gatekeeper
from controller.simulate.talks.h323 import H323
from controller.simulate.talks.ike import Ike
from controller.simulate.talks.pptp import Pptp
from controller.simulate.talks.rtsp import Rtsp
from controller.simulate.talks.sip import SipTcp, SipUdp

_HOSTS = 1 << 12
_SERVERS = 1 << 16
_FIRST_PORT = 5000
_PORTS = 60_000

_OURS = {4: ip_address("10.0.1.1").packed, 6: ip_address("2001:db8:1::1").packed}
_NOWHERE = ip_address("203.0.113.9").packed


class _Kind(NamedTuple):
    """A kind of flow, how often it is, and where it goes."""

    weight: int
    flow: type[Flow]
    protocol: int
    port: int
    """Of the server; with ``spread``, the first of so many."""
    spread: int = 1
    ways: str = "all"
    """``all`` ways that policies permit; ``out``: trust to untrust; ``own``: to the firewall;
    ``silent``: to an address that nobody has; ``nowhere``: to where no route leads; ``gates``:
    from trust; ``mesh``: from the dmz; ``web``, ``static``: from untrust, by destination and
    static NAT; ``port``: likewise, with another port; ``farm``: from trust, by destination NAT;
    ``prefix``: between dmz and untrust, by NPTv6; ``wrong``: from the wrong side."""
    versions: str = "46"


_KINDS = (
    _Kind(230, Connection, TCP, 80),
    _Kind(130, Connection, TCP, 8000, 1000),
    _Kind(60, Connection, TCP, 9000, 1000),
    _Kind(180, Datagrams, UDP, 6000, 1000),
    _Kind(120, Datagrams, UDP, 4000, 500),
    _Kind(80, Ping, ICMP, 0),
    _Kind(30, PingUs, ICMP, 0, 1, "own"),
    _Kind(40, Fragments, UDP, 7000, 100, "all", "4"),
    _Kind(30, Pieces, UDP, 7200, 100),
    _Kind(60, Patient, UDP, 4600, 300),
    _Kind(60, Besieged, TCP, 700, 200),
    _Kind(40, Mesh, UDP, 7100, 800, "mesh"),
    _Kind(20, Deaf, UDP, 33000, 100, "all", "4"),
    _Kind(15, Expiring, UDP, 6000, 1000),
    _Kind(20, Stray, TCP, 443),
    _Kind(12, Connection, TCP, 23, 1, "out"),
    _Kind(12, Datagrams, UDP, 9, 1, "out"),
    _Kind(25, Connection, TCP, WEB[1], 1, "web", "4"),
    _Kind(10, Datagrams, UDP, WEB[1], 1, "web", "4"),
    _Kind(20, Datagrams, UDP, 4000, 500, "static", "4"),
    _Kind(12, Besieged, TCP, 700, 200, "farm", "4"),
    _Kind(10, Connection, TCP, STATIC_PORT[1], 1, "port", "4"),
    _Kind(14, PrefixDatagrams, UDP, 6000, 1000, "prefix", "6"),
    _Kind(14, PrefixConnection, TCP, 8000, 1000, "prefix", "6"),
    _Kind(6, PrefixPing, ICMP, 0, 1, "prefix", "6"),
    _Kind(6, Pieces, UDP, 7200, 100, "prefix", "6"),
    _Kind(20, Ftp, TCP, 21, 1, "gates", "4"),
    _Kind(15, Rtsp, TCP, 554, 1, "gates", "4"),
    _Kind(12, Pptp, TCP, 1723, 1, "gates", "4"),
    _Kind(12, SipUdp, UDP, 5060, 1, "gates", "4"),
    _Kind(10, SipTcp, TCP, 5060, 1, "gates", "4"),
    _Kind(10, Ike, UDP, 500, 1, "gates", "4"),
    _Kind(8, H323, TCP, 1720, 1, "gates", "4"),
    _Kind(6, Gatekeeper, UDP, 1719, 1, "gates", "4"),
    _Kind(20, Dns, UDP, 53, 1, "out"),
    _Kind(15, Tftp, UDP, 69, 1, "gates", "4"),
    _Kind(6, Datagrams, UDP, 6000, 1, "silent", "4"),
    _Kind(6, Patient, UDP, 4600, 1, "silent", "4"),
    _Kind(5, Datagrams, UDP, 6000, 1, "nowhere", "4"),
    _Kind(5, Stray, TCP, 80, 1, "wrong"),
)
_TOTAL = sum(kind.weight for kind in _KINDS)
_WAYS = (("trust", "untrust"),) * 6 + (("trust", "dmz"),) * 2 + (("dmz", "untrust"),) * 2


class Workload:
    """Makes flow ``number`` of a seed, the same one every time."""

    def __init__(self, seed: int, wires: dict[str, Wire], network: Network) -> None:
        self._seed = seed
        self._puts_together = style_of(seed).fragments is not Treatment.PASS
        self._wires = wires
        self._network = network

    def flow(self, number: int) -> Flow:
        """The flow with a number from 1."""
        dice = Dice(self._seed, number)
        kind = _pick(dice)
        version = int(kind.versions[0])
        if len(kind.versions) > 1 and dice.hits(200):
            version = 6
        names = _WAYS[dice.below(len(_WAYS))]
        match kind.ways:
            case "out" | "silent" | "nowhere" | "own":
                names = ("trust", "untrust")
            case "gates":
                names = ("trust", "untrust" if dice.hits(700) else "dmz")
            case "farm":
                names = ("trust", "dmz")
            case "mesh":
                names = ("dmz", "untrust")
            case "prefix":
                names = ("untrust", "dmz") if dice.hits(500) else ("dmz", "untrust")
            case "wrong" | "web" | "static" | "port":
                names = ("untrust", "dmz")
        client, server = (self._wires[name] for name in names)
        # An odd factor: neighbours in number are none in address, and no two numbers share one.
        source = _behind(client, version, number * 1021 % _HOSTS)
        protocol, port = kind.protocol, kind.port + dice.below(kind.spread)
        destination = self._server(server, version, number, port)
        far: tuple[Address, ...] = ()
        match kind.ways:
            case "silent":
                destination = server.silent
            case "nowhere":
                destination = _NOWHERE
            case "own":
                destination = _OURS[version]
            case "web":
                destination = WEB[0]
                far = WEB_SERVERS
            case "static":
                last = number % 64
                destination = _plus(STATIC[0], last)
                far = (_plus(STATIC[1], last),)
            case "farm":
                last = self._free(number, port)
                destination, far = _plus(FARM[0], last), (_plus(FARM[1], last),)
            case "port":
                destination, far = STATIC_PORT[0], (STATIC_SERVER,)
            case "prefix":
                prefixes = PREFIXES[number & 1]
                if names[0] == "dmz":
                    source = prefixes.host(number * 1021 % _HOSTS)
                else:
                    host = prefixes.host(number % _SERVERS)
                    destination, far = prefixes.published(host), (host,)
            case "wrong":
                # What a host of trust would say, heard on the other side.
                source = _behind(self._wires["trust"], version, number * 1021 % _HOSTS)
        sport = _FIRST_PORT + number // _HOSTS % _PORTS
        if protocol == ICMP:
            protocol, port = (ICMP, 0x0800) if version == 4 else (ICMPV6, 0x8000)
        ahead = Tuple5(source, destination, sport, port, protocol)
        fate = Dice(self._seed, number, 5)
        flow_kind = kind.flow
        if flow_kind is Fragments and self._puts_together:
            flow_kind = Pieces  # of which is not told when they fall
        flow = flow_kind(number, (dice, fate), self._network, (client, server), ahead)
        if far:
            flow.far = far
        if kind.ways == "farm":
            flow.door = far[0], port
        return flow

    def _free(self, number: int, port: int) -> int:
        """Which of the servers that share a prefix serves nobody at a port."""
        for last in range(number, number + 64):
            if not self._network.is_taken(_plus(FARM[1], last % 64), port):
                break
        return last % 64

    def _server(self, wire: Wire, version: int, number: int, port: int) -> Address:
        """Whose port a flow goes to. Who hears by address and port serves one client at a time, so
        where the number's own server is busy it is the next one, as a balancer would have it."""
        for host in range(number, number + _SERVERS):
            address = _behind(wire, version, host % _SERVERS)
            if not self._network.is_taken(address, port):
                break
        return address


def kind_of(seed: int, number: int) -> type[Flow]:
    """What the flow with a number is."""
    return _pick(Dice(seed, number)).flow


def way_of(seed: int, number: int) -> str:
    """Where the flow with a number goes, as ``_Kind.ways`` says it."""
    return _pick(Dice(seed, number)).ways


def _pick(dice: Dice) -> _Kind:
    at = dice.below(_TOTAL)
    for kind in _KINDS:
        at -= kind.weight
        if at < 0:
            return kind
    raise AssertionError("weights add up")


def _plus(address: Address, offset: int) -> Address:
    return (int.from_bytes(address, "big") + offset).to_bytes(len(address), "big")


def _behind(wire: Wire, version: int, host: int) -> Address:
    """A host behind a wire's router."""
    if version == 4:
        return wire.network4 + (host + 256 & 0xFFFF).to_bytes(2, "big")
    return wire.network6 + host.to_bytes(11, "big")
