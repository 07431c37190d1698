"""A small world around the simulator: two NPUs, three zones, hosts that answer ARP and ND."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

from controller.config.cards import Chassis, NpuSite, SpuSite
from controller.config.host_services import HostService
from controller.config.nat import Nat, SourceNatRule, zone
from controller.config.schema import (
    SECOND,
    Action,
    Application,
    Configuration,
    Interface,
    Policy,
    StaticRoute,
    Zone,
)
from controller.flow import Port
from controller.messages import Step
from controller.reasons import Close, Drop
from controller.simulated_npu import Sent
from controller.simulator import Simulator

MILLISECOND = 1_000_000
ANY = range(65536)

TRUST = Interface(
    "ge-0/0/0.0",
    Port(0, 0),
    0,
    bytes.fromhex("020000000001"),
    (ip_interface("10.0.1.1/24"), ip_interface("2001:db8:1::1/64")),
    "trust",
    1,
)
DMZ = Interface(
    "ge-0/0/1.30",
    Port(0, 1),
    30,
    bytes.fromhex("020000000002"),
    (ip_interface("10.0.3.1/24"), ip_interface("2001:db8:3::1/64")),
    "dmz",
    2,
)
UNTRUST = Interface(
    "ge-1/0/0.0",
    Port(1, 0),
    0,
    bytes.fromhex("020000000003"),
    (ip_interface("10.0.2.1/24"), ip_interface("2001:db8:2::1/64")),
    "untrust",
    3,
)

HTTP = Application("junos-http", 6, ANY, range(80, 81), 300 * SECOND)
DNS = Application("junos-dns-udp", 17, ANY, range(53, 54))


def policy(name: str, index: int, from_zone: str, to_zone: str, **more: object) -> Policy:
    """A policy that permits anything, unless told otherwise."""
    plain = Policy(name, index, from_zone, to_zone, (), (), (), Action.PERMIT)
    return replace(plain, **more)  # type: ignore[arg-type]


def configuration(**changes: object) -> Configuration:
    """Trust may go anywhere, dmz to untrust is on Express Path, and nobody may go to trust.

    ``source_nat`` are rules of source NAT alone."""
    if "source_nat" in changes:
        changes["nat"] = Nat(source=changes.pop("source_nat"))  # type: ignore[arg-type]
    interfaces = {i.name: i for i in (TRUST, DMZ, UNTRUST)}
    config = Configuration(
        interfaces=interfaces,
        zones={
            "trust": Zone("trust", 1, (TRUST.name,), host_inbound=frozenset({HostService.PING})),
            "dmz": Zone("dmz", 2, (DMZ.name,), host_inbound=frozenset({HostService.ALL})),
            "untrust": Zone("untrust", 3, (UNTRUST.name,)),
        },
        policies=(
            policy("trust-out", 1, "trust", "untrust"),
            policy("trust-dmz", 2, "trust", "dmz"),
            policy("dmz-express", 3, "dmz", "untrust", services_offload=True),
            policy("no-telnet", 4, "untrust", "dmz", action=Action.DENY,
                   applications=(Application("junos-telnet", 6, ANY, range(23, 24)),)),
            policy("web-in", 5, "untrust", "dmz", applications=(HTTP,),
                   destinations=(ip_network("10.0.3.0/24"), ip_network("2001:db8:3::/64"))),
        ),
        routes=(
            StaticRoute(ip_network("0.0.0.0/0"), ip_address("10.0.2.254").packed),
            StaticRoute(ip_network("::/0"), ip_address("2001:db8:2::fe").packed),
        ),
        applications={a.name: a for a in (HTTP, DNS)},
    )  # fmt: skip
    return replace(config, **changes)  # type: ignore[arg-type]


NAT_OUT = SourceNatRule("out", "r1", zone("trust"), zone("untrust"), id=1)
NAT_DMZ = SourceNatRule("out", "r2", zone("dmz"), zone("untrust"), id=2)


def with_nat(**changes: object) -> Configuration:
    """The same, with source NAT towards untrust."""
    return configuration(source_nat=(NAT_OUT, NAT_DMZ), **changes)


def chassis(spus: int = 1, max_sessions: int = 1000) -> Chassis:
    """Two NPUs joined by port 200, and some SPUs."""
    return Chassis(
        npus={
            0: NpuSite(0, "127.0.0.1:9559", 1, {1: 200}),
            1: NpuSite(1, "127.0.0.1:9560", 2, {0: 200}),
        },
        spus={n: SpuSite(n, max_sessions) for n in range(1, spus + 1)},
    )


BOTH = pytest.mark.parametrize("client", ["a", "c"])
"""For tests of any session: host a is a client of a normal one, host c of one on Express Path."""


@dataclass
class Host:
    """A machine on a wire."""

    name: str
    interface: Interface
    mac: str
    addresses: tuple[str, ...]
    received: list[Packet] = field(default_factory=list)
    answers_arp: bool = True

    @property
    def ip(self) -> str:
        return self.addresses[0]

    @property
    def ip6(self) -> str:
        return self.addresses[1]

    def frame(self, packet: Packet, *, dst_mac: str | None = None) -> bytes:
        """An IP packet in a frame to the firewall."""
        ether = Ether(src=self.mac, dst=dst_mac or self.interface.mac.hex(":"))
        if self.interface.vlan:
            ether /= Dot1Q(vlan=self.interface.vlan)
        return bytes(ether / packet)


class World:
    """Hosts a (trust), b (untrust), c (dmz) and the gateway g (untrust) around a chassis."""

    def __init__(
        self, config: Configuration | None = None, site: Chassis | None = None, **options: object
    ) -> None:
        config = config or configuration()
        self.sim = Simulator(config, site or chassis(), **options)  # type: ignore[arg-type]
        self.a = Host("a", TRUST, "02:00:00:00:00:0a", ("10.0.1.2", "2001:db8:1::2"))
        self.b = Host("b", UNTRUST, "02:00:00:00:00:0b", ("10.0.2.2", "2001:db8:2::2"))
        self.c = Host("c", DMZ, "02:00:00:00:00:0c", ("10.0.3.2", "2001:db8:3::2"))
        self.g = Host("g", UNTRUST, "02:00:00:00:00:fe", ("10.0.2.254", "2001:db8:2::fe"))
        self.hosts = [self.a, self.b, self.c, self.g]
        self.sim.on_sent = self._on_sent

    def send(self, host: Host, packet: Packet, after: int = 0) -> bytes:
        """A host sends an IP packet to the firewall."""
        frame = host.frame(packet)
        self.sim.send(host.interface.port, frame, after)
        return frame

    def pass_(self, host: Host, packet: Packet, to: Host) -> Packet:
        """A host sends a packet, and the other receives exactly one: that one."""
        before = len(to.received)
        self.send(host, packet)
        self.sim.run()
        assert len(to.received) == before + 1, (
            f"{to.name} received {len(to.received) - before} packets; "
            f"dropped: {self.sim.dropped[-3:]}"
        )
        return to.received[-1]

    def steps(self) -> list[Step]:
        return [taken.step for taken in self.sim.steps]

    def reasons(self) -> list[Drop]:
        return [dropped.reason for dropped in self.sim.dropped]

    def closes(self) -> list[Close]:
        return [closed.reason for closed in self.sim.closed]

    def assert_empty(self) -> None:
        """Sessions that are gone left nothing behind."""
        self.sim.run()
        left = self.sim.left()
        assert not left, left

    def _on_sent(self, sent: Sent) -> None:
        packet = Ether(sent.frame)
        for host in self.hosts:
            if host.interface.port != sent.port:
                continue
            assert (packet.vlan if Dot1Q in packet else 0) == host.interface.vlan
            if ARP in packet:
                self._arp(host, packet[ARP])
            elif ICMPv6ND_NS in packet:
                self._nd(host, packet)
            elif packet.dst == host.mac:
                host.received.append(packet)

    def _arp(self, host: Host, arp: Packet) -> None:
        if arp.op == 2 and arp.hwdst == host.mac:
            host.received.append(arp)
        if arp.op == 1 and arp.pdst in host.addresses and host.answers_arp:
            reply = ARP(op=2, hwsrc=host.mac, psrc=arp.pdst, hwdst=arp.hwsrc, pdst=arp.psrc)
            self.sim.send(host.interface.port, host.frame(reply), 50_000)

    def _nd(self, host: Host, packet: Packet) -> None:
        target = packet[ICMPv6ND_NS].tgt
        if target in host.addresses and host.answers_arp:
            na = ICMPv6ND_NA(tgt=target, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=host.mac)
            reply = IPv6(src=target, dst=packet[IPv6].src, hlim=255) / na
            self.sim.send(host.interface.port, host.frame(reply), 50_000)


def tcp(src: Host, dst: Host | str, flags: str, sport: int = 1025, dport: int = 80) -> Packet:
    """A TCP segment from host to host, IPv4; one with ACK acknowledges the server's SYN."""
    to = dst if isinstance(dst, str) else dst.ip
    return IP(src=src.ip, dst=to) / TCP(sport=sport, dport=dport, flags=flags, ack="A" in flags)


def udp(src: Host, dst: Host | str, sport: int = 2000, dport: int = 5000, n: int = 0) -> Packet:
    """A UDP datagram that carries the number ``n``, IPv4."""
    to = dst if isinstance(dst, str) else dst.ip
    return IP(src=src.ip, dst=to) / UDP(sport=sport, dport=dport) / n.to_bytes(4, "big")


def udp6(src: Host, dst: Host, sport: int = 2000, dport: int = 5000, n: int = 0) -> Packet:
    """The same, IPv6."""
    return IPv6(src=src.ip6, dst=dst.ip6) / UDP(sport=sport, dport=dport) / n.to_bytes(4, "big")


def number(packet: Packet) -> int:
    """What ``udp`` put in."""
    return int.from_bytes(bytes(packet[UDP].payload)[:4], "big")


def ping(src: Host, dst: Host | str, identifier: int = 77, seq: int = 1) -> Packet:
    """An echo request, IPv4."""
    to = dst if isinstance(dst, str) else dst.ip
    return IP(src=src.ip, dst=to) / ICMP(type=8, id=identifier, seq=seq) / b"data"


def answer(packet: Packet) -> Packet:
    """What a host's stack says to what it received: the mirror image, an echo reply for a ping."""
    if IPv6 in packet:
        ip: Packet = IPv6(src=packet[IPv6].dst, dst=packet[IPv6].src)
        if ICMPv6EchoRequest in packet:
            ask = packet[ICMPv6EchoRequest]
            return ip / ICMPv6EchoReply(id=ask.id, seq=ask.seq, data=ask.data)
    else:
        ip = IP(src=packet[IP].dst, dst=packet[IP].src)
        if ICMP in packet:
            return ip / ICMP(type=0, id=packet[ICMP].id, seq=packet[ICMP].seq) / b"data"
    if UDP in packet:
        body = bytes(packet[UDP].payload)
        return ip / UDP(sport=packet[UDP].dport, dport=packet[UDP].sport) / body
    flags = "SA" if packet[TCP].flags == "S" else "A"
    ack = packet[TCP].seq + 1
    return ip / TCP(sport=packet[TCP].dport, dport=packet[TCP].sport, flags=flags, ack=ack)


def connect(world: World, src: Host, dst: Host, sport: int = 1025) -> Packet:
    """A TCP handshake; the SYN as it was received."""
    syn = world.pass_(src, tcp(src, dst, "S", sport), dst)
    world.pass_(dst, answer(syn), src)
    world.pass_(src, tcp(src, dst, "A", sport), dst)
    return syn


def reply(syn: Packet, flags: str) -> Packet:
    """A segment of the server to who it thinks its client is."""
    ip = IP(src=syn[IP].dst, dst=syn[IP].src)
    ack = syn[TCP].seq + 1
    return ip / TCP(sport=syn[TCP].dport, dport=syn[TCP].sport, flags=flags, ack=ack)
