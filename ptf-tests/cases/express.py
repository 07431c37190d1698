"""Express Path: the frame that leaves is, byte for byte, the one scapy builds from scratch."""

from __future__ import annotations

from dataclasses import dataclass

from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from controller.reasons import Drop, Punt
from support import base
from support.interfaces import DMZ, TRUST, UNTRUST, Interface, out_of, to
from support.names import Value
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    HOST_MAC,
    NEXT_HOP_MAC,
    PUBLIC,
    PUBLIC_PORT,
    SERVER,
    SERVER6,
    SERVER_PORT,
    echo6,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from support.wings import TCP4, TCP6, UDP4, Session, source_translated, wing

SESSION = Session(id=0x0A0B0C0D, wing=0, spu=2)


class PlainForwarding(base.NpuTest):
    """Nothing translated: MAC addresses and TTL change, checksums with them."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        self.forwarded(TRUST, tcp4(to(TRUST)), UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))


class DamagedChecksumStaysDamaged(base.NpuTest):
    """A wrong TCP checksum is corrected by the change alone, so the receiver sees it wrong."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        arrives = bytearray(tcp4(to(TRUST)))
        leaves = bytearray(tcp4(out_of(UNTRUST), ttl=63))
        for frame in (arrives, leaves):
            frame[-1] ^= 0x55
        self.forwarded(TRUST, bytes(arrives), UNTRUST.port, bytes(leaves))


class LastHop(base.NpuTest):
    """TTL 2 leaves as 1; 1 and 0 go to the owner, who has the sender told."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        self.send(TRUST.port, tcp4(to(TRUST), ttl=2))
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), ttl=1))
        frames = [tcp4(to(TRUST), ttl=ttl) for ttl in (1, 0)]
        self.all_punted(TRUST, frames, Punt.TTL_EXPIRED, **SESSION.header())


class LastHopIpv6(base.NpuTest):
    """Hop limit 2 leaves as 1; 1 and 0 leave no more."""

    def runTest(self) -> None:
        self.express_v6(TCP6, SESSION, UNTRUST)
        self.send(TRUST.port, tcp6(to(TRUST), hop_limit=2))
        self.expect_frame(UNTRUST.port, tcp6(out_of(UNTRUST), hop_limit=1))
        frames = [tcp6(to(TRUST), hop_limit=limit) for limit in (1, 0)]
        self.all_punted(TRUST, frames, Punt.TTL_EXPIRED, **SESSION.header())


class OutOfVlan(base.NpuTest):
    """From a tagged interface to an untagged one: the tag goes."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, DMZ.token)
        self.express_v4(key, SESSION, key, UNTRUST)
        self.forwarded(DMZ, tcp4(to(DMZ)), UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))


class IntoVlan(base.NpuTest):
    """From an untagged interface to a tagged one: a tag comes, of lowest priority."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, DMZ)
        self.forwarded(TRUST, tcp4(to(TRUST)), DMZ.port, tcp4(out_of(DMZ), ttl=63))


class FromVlanToVlan(base.NpuTest):
    """The tag's VLAN changes, its priority stays."""

    def runTest(self) -> None:
        guests = Interface(port=3, vlan=31, zone=3, token=9, mac="02:00:00:00:00:04")
        self.set_interface(guests)
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, guests.token)
        self.express_v4(key, SESSION, key, DMZ)
        arrives = tcp4(Ether(dst=guests.mac, src=HOST_MAC) / Dot1Q(vlan=31, prio=5))
        leaves = tcp4(Ether(dst=NEXT_HOP_MAC, src=DMZ.mac) / Dot1Q(vlan=30, prio=5), ttl=63)
        self.forwarded(guests, arrives, DMZ.port, leaves)


class PriorityTagIsTakenOff(base.NpuTest):
    """A frame with VLAN 0 leaves an untagged interface without a tag."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        arrives = tcp4(Ether(dst=TRUST.mac, src=HOST_MAC) / Dot1Q(vlan=0, prio=3))
        self.forwarded(TRUST, arrives, UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))


class VlanIpv6(base.NpuTest):
    """A tag comes and goes around IPv6 too."""

    def runTest(self) -> None:
        self.express_v6(TCP6, SESSION, DMZ)
        self.send(TRUST.port, tcp6(to(TRUST)))
        self.expect_frame(DMZ.port, tcp6(out_of(DMZ), hop_limit=63))
        key = wing(SERVER6, CLIENT6, SERVER_PORT, CLIENT_PORT, 6, DMZ.token)
        self.express_v6(key, SESSION, TRUST)
        self.send(DMZ.port, tcp6(to(DMZ), SERVER6, CLIENT6, SERVER_PORT, CLIENT_PORT))
        leaves = tcp6(out_of(TRUST), SERVER6, CLIENT6, SERVER_PORT, CLIENT_PORT, hop_limit=63)
        self.expect_frame(TRUST.port, leaves)
        self.conclude()


@dataclass(frozen=True)
class Ipv6Flow:
    """An IPv6 packet as it arrives and as it leaves."""

    key: dict[str, Value]
    arrives: bytes
    leaves: bytes


IPV6_FLOWS = {
    "TcpIpv6": Ipv6Flow(TCP6, tcp6(to(TRUST)), tcp6(out_of(UNTRUST), hop_limit=63)),
    "UdpIpv6": Ipv6Flow(
        wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 17, TRUST.token),
        udp6(to(TRUST)),
        udp6(out_of(UNTRUST), hop_limit=63),
    ),
    "EchoIpv6": Ipv6Flow(
        wing(CLIENT6, SERVER6, 0x1234, 0x8000, 58, TRUST.token),
        echo6(to(TRUST)),
        echo6(out_of(UNTRUST), hop_limit=63),
    ),
    "EchoReplyIpv6": Ipv6Flow(
        wing(CLIENT6, SERVER6, 0x8000, 0x1234, 58, TRUST.token),
        echo6(to(TRUST), reply=True),
        echo6(out_of(UNTRUST), reply=True, hop_limit=63),
    ),
}


class _Ipv6(base.NpuTest):
    flow: Ipv6Flow

    def runTest(self) -> None:
        self.express_v6(self.flow.key, SESSION, UNTRUST)
        self.forwarded(TRUST, self.flow.arrives, UNTRUST.port, self.flow.leaves)


for _name, _flow in IPV6_FLOWS.items():
    globals()[_name] = type(
        _name,
        (_Ipv6,),
        {
            "flow": _flow,
            "__module__": __name__,
            "__doc__": f"{_name}: MAC addresses and hop limit change, nothing else.",
        },
    )
del _Ipv6


class TcpControlGoesToTheSpu(base.NpuTest):
    """SYN, FIN and RST, alone or with others, unchanged and with the session."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, source_translated(6), UNTRUST)
        flags = ["S", "SA", "F", "FA", "FPA", "R", "RA", "SF", "SFRPAUEC"]
        frames = [tcp4(to(TRUST), flags=flag) for flag in flags]
        self.all_punted(TRUST, frames, Punt.TCP_CONTROL, **SESSION.header())


class TcpControlGoesToTheSpuIpv6(base.NpuTest):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.express_v6(TCP6, SESSION, UNTRUST)
        frames = [tcp6(to(TRUST), flags=flag) for flag in ("S", "FA", "R")]
        self.all_punted(TRUST, frames, Punt.TCP_CONTROL, **SESSION.header())


class OtherTcpFlagsRide(base.NpuTest):
    """ACK, PSH, URG, ECN: the NPU forwards."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, source_translated(6), UNTRUST)
        for flag in ("A", "PA", "UA", "EA", "CEA", ""):
            self.send(TRUST.port, tcp4(to(TRUST), flags=flag))
            expected = tcp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, flags=flag, ttl=63)
            self.expect_frame(UNTRUST.port, expected)
        self.conclude()


class FragmentsNeverRide(base.NpuTest):
    """First fragment of an Express Path session: to the SPU, unchanged."""

    def runTest(self) -> None:
        self.express_v4(UDP4, SESSION, source_translated(17), UNTRUST)
        frame = bytes(
            to(TRUST)
            / IP(src=CLIENT, dst=SERVER, flags="MF")
            / UDP(sport=CLIENT_PORT, dport=SERVER_PORT)
            / Raw(DATA)
        )
        self.punted(TRUST, frame, Punt.FRAGMENT, **SESSION.header())


class FragmentsNeverRideIpv6(base.NpuTest):
    """The same over IPv6, and an atomic fragment too."""

    def runTest(self) -> None:
        self.express_v6(TCP6, SESSION, UNTRUST)
        tcp = TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="A") / Raw(DATA)
        frames = [
            bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrFragment(m=more) / tcp)
            for more in (1, 0)
        ]
        self.all_punted(TRUST, frames, Punt.FRAGMENT, **SESSION.header())


class OptionsNeverRide(base.NpuTest):
    """A packet with IP options visits its SPU."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, source_translated(6), UNTRUST)
        frame = tcp4(to(TRUST), options=[IPOption_Router_Alert()])
        self.punted(TRUST, frame, Punt.SESSION, **SESSION.header())


class DontFragmentRides(base.NpuTest):
    """DF marks no fragment, and stays."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, 0, 0, 50, TRUST.token)
        self.express_v4(key, SESSION, key, UNTRUST)
        arrives = bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, proto=50, flags="DF") / Raw(DATA))
        leaves = bytes(
            out_of(UNTRUST) / IP(src=CLIENT, dst=SERVER, proto=50, flags="DF", ttl=63) / Raw(DATA)
        )
        self.forwarded(TRUST, arrives, UNTRUST.port, leaves)


class NoEgressInterface(base.NpuTest):
    """A wing that points to a port or VLAN without an interface: dropped on the egress side."""

    def runTest(self) -> None:
        nowhere = Interface(port=4, vlan=0, zone=9, token=9, mac=UNTRUST.mac)
        self.express_v4(TCP4, SESSION, TCP4, nowhere)
        self.express_v4(
            UDP4, SESSION, UDP4, Interface(port=3, vlan=31, zone=9, token=9, mac=DMZ.mac)
        )
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.send(TRUST.port, udp4(to(TRUST)))
        self.conclude(egress_drops={Drop.NO_EGRESS: 2})


class Hairpin(base.NpuTest):
    """A packet may leave by the interface it came in on."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, TRUST)
        self.forwarded(TRUST, tcp4(to(TRUST)), TRUST.port, tcp4(out_of(TRUST), ttl=63))


class PaddingStays(base.NpuTest):
    """What follows the packet in its frame is carried along."""

    def runTest(self) -> None:
        self.express_v4(UDP4, SESSION, source_translated(17), UNTRUST)
        pad = bytes(16)
        leaves = udp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, ttl=63, data=b"hi") + pad
        self.forwarded(TRUST, udp4(to(TRUST), data=b"hi") + pad, UNTRUST.port, leaves)


class LargestFrame(base.NpuTest):
    """A frame of full size."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, source_translated(6), UNTRUST)
        data = bytes(1460)
        leaves = tcp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, ttl=63, data=data)
        self.forwarded(TRUST, tcp4(to(TRUST), data=data), UNTRUST.port, leaves)
