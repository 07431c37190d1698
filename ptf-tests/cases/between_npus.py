"""The fabric: out to another NPU, and in from one."""

from __future__ import annotations

from scapy.layers.inet import IP
from scapy.layers.l2 import ARP
from scapy.packet import Raw

from controller.reasons import Drop, Punt
from support import base
from support.interfaces import (
    DMZ,
    FABRIC_PORT,
    TRUST,
    UNCONFIGURED_PORT,
    UNTRUST,
    Interface,
    out_of,
    to,
)
from support.packets import (
    CLIENT,
    CLIENT_PORT,
    DATA,
    PUBLIC,
    PUBLIC_PORT,
    SERVER,
    SERVER_PORT,
    fabric,
    later_fragment4,
    link,
    tcp4,
    tcp6,
    udp4,
)
from support.wings import TCP4, TCP6, Session, wing

WHO_HAS = ARP(op=1, hwsrc=UNTRUST.mac, psrc="10.0.0.1", pdst="10.0.0.2")
SESSION = Session(id=0xDEADBEEF, wing=1, spu=4)
FAR = Interface(port=7, vlan=0, zone=2, token=9, mac="02:00:00:00:00:07")
"""An interface of the NPU at the far end."""
FAR_TAGGED = Interface(port=77, vlan=40, zone=2, token=9, mac="02:00:00:00:00:08")


class Depart(base.NpuTest):
    """Translated, then wrapped: the far NPU learns port, session, and that the source is ours."""

    def runTest(self) -> None:
        translated = wing(PUBLIC, SERVER, PUBLIC_PORT, SERVER_PORT, 6, 0)
        self.express_v4(TCP4, SESSION, translated, FAR, port=FABRIC_PORT, remote_port=FAR.port)
        inner = tcp4(out_of(FAR), src=PUBLIC, sport=PUBLIC_PORT, ttl=63)
        wrapped = fabric(inner, FAR.port, SESSION.id)
        self.forwarded(TRUST, tcp4(to(TRUST)), FABRIC_PORT, wrapped)


class DepartIpv6(base.NpuTest):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.express_v6(TCP6, SESSION, FAR, port=FABRIC_PORT, remote_port=FAR.port)
        wrapped = fabric(tcp6(out_of(FAR), hop_limit=63), FAR.port, SESSION.id, TRUST.zone)
        self.forwarded(TRUST, tcp6(to(TRUST)), FABRIC_PORT, wrapped)


class DepartTagged(base.NpuTest):
    """The tag of the far interface is inside already."""

    def runTest(self) -> None:
        self.express_v4(
            TCP4, SESSION, TCP4, FAR_TAGGED, port=FABRIC_PORT, remote_port=FAR_TAGGED.port
        )
        inner = tcp4(out_of(FAR_TAGGED), ttl=63)
        wrapped = fabric(inner, FAR_TAGGED.port, SESSION.id, TRUST.zone)
        self.forwarded(TRUST, tcp4(to(TRUST)), FABRIC_PORT, wrapped)


class DepartFromTagged(base.NpuTest):
    """The tag of the near interface is gone."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, DMZ.token)
        self.express_v4(key, SESSION, key, FAR, port=FABRIC_PORT, remote_port=FAR.port)
        wrapped = fabric(tcp4(out_of(FAR), ttl=63), FAR.port, SESSION.id, DMZ.zone)
        self.forwarded(DMZ, tcp4(to(DMZ)), FABRIC_PORT, wrapped)


class DepartureIsNotScreenedHere(base.NpuTest):
    """The far NPU knows the egress zone; here none applies, and no egress interface is asked."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, Drop.SCREEN_WINNUKE)
        key = wing(CLIENT, SERVER, CLIENT_PORT, 139, 6, TRUST.token)
        self.express_v4(key, SESSION, key, FAR, port=FABRIC_PORT, remote_port=UNTRUST.port)
        inner = tcp4(out_of(FAR), dport=139, flags="UA", ttl=63)
        wrapped = fabric(inner, UNTRUST.port, SESSION.id, TRUST.zone)
        self.forwarded(TRUST, tcp4(to(TRUST), dport=139, flags="UA"), FABRIC_PORT, wrapped)


class ControlSegmentsDoNotDepart(base.NpuTest):
    """TCP control goes to the SPU, not over the fabric."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, FAR, port=FABRIC_PORT, remote_port=FAR.port)
        self.punted(TRUST, tcp4(to(TRUST), flags="FA"), Punt.TCP_CONTROL, **SESSION.header())


class Arrive(base.NpuTest):
    """Unwrapped and transmitted as it is: IPv4, IPv6, and a TTL of 1 that the near NPU left."""

    def runTest(self) -> None:
        frames = [
            tcp4(out_of(UNTRUST), ttl=1),
            tcp6(out_of(UNTRUST)),
            udp4(out_of(UNTRUST), data=bytes(1400)),
            tcp4(out_of(UNTRUST), flags="S"),
            later_fragment4(out_of(UNTRUST), 17, 8, DATA),
            bytes(out_of(UNTRUST) / WHO_HAS),
            bytes(out_of(UNTRUST) / IP(src=CLIENT, dst=SERVER, chksum=1) / Raw(DATA)),
        ]
        for frame in frames:
            self.send(FABRIC_PORT, fabric(frame, UNTRUST.port, SESSION.id))
            self.expect_frame(UNTRUST.port, frame)
        self.conclude()


class ArriveTagged(base.NpuTest):
    """Port and tag together name the egress interface."""

    def runTest(self) -> None:
        frame = tcp4(out_of(DMZ))
        self.send(FABRIC_PORT, fabric(frame, DMZ.port, SESSION.id))
        self.expect_frame(DMZ.port, frame)
        self.conclude()


class ArriveForNoInterface(base.NpuTest):
    """A port without interface, a VLAN without interface, port 0, fabric and CPU ports."""

    def runTest(self) -> None:
        self.send(FABRIC_PORT, fabric(tcp4(out_of(UNTRUST)), 4, 1))
        self.send(FABRIC_PORT, fabric(tcp4(out_of(UNTRUST)), DMZ.port, 1))
        self.send(FABRIC_PORT, fabric(tcp4(out_of(DMZ)), UNTRUST.port, 1))
        self.send(FABRIC_PORT, fabric(tcp4(out_of(UNTRUST)), 0, 1))
        self.conclude(egress_drops={Drop.NO_EGRESS: 4})
        self.send(FABRIC_PORT, fabric(tcp4(out_of(UNTRUST)), FABRIC_PORT, 1))
        self.send(FABRIC_PORT, fabric(tcp4(out_of(UNTRUST)), 255, 1))
        self.send(FABRIC_PORT, fabric(tcp4(out_of(UNTRUST)), 511, 1))
        self.conclude(egress_drops={Drop.NO_EGRESS: 4}, drops={Drop.NO_EGRESS: 3})


class PlainFrameOnFabricPort(base.NpuTest):
    """A fabric link carries nothing else, ARP neither."""

    def runTest(self) -> None:
        self.send(FABRIC_PORT, tcp4(to(TRUST)))
        self.send(FABRIC_PORT, tcp6(to(TRUST)))
        self.send(FABRIC_PORT, bytes(link("ff:ff:ff:ff:ff:ff") / WHO_HAS))
        self.conclude(drops={Drop.BAD_FABRIC: 3})


class FabricFrameOnInterface(base.NpuTest):
    """Nobody outside injects frames behind the session lookup."""

    def runTest(self) -> None:
        frame = fabric(tcp4(out_of(UNTRUST)), UNTRUST.port, SESSION.id)
        self.send(TRUST.port, frame)
        self.send(UNCONFIGURED_PORT, frame)
        self.conclude(drops={Drop.BAD_FABRIC: 2})


class FabricWithinFabric(base.NpuTest):
    """Wrapped twice: the inner frame is no frame for an interface."""

    def runTest(self) -> None:
        inner = fabric(tcp4(out_of(UNTRUST)), UNTRUST.port, 1)
        frame = fabric(inner, UNTRUST.port, 1)
        self.send(FABRIC_PORT, frame)
        self.expect_frame(UNTRUST.port, inner)
        self.conclude()


class TruncatedOnFabric(base.NpuTest):
    """Frames that end inside the fabric header, the inner Ethernet, IP or TCP header."""

    def runTest(self) -> None:
        frame = fabric(tcp4(out_of(UNTRUST)), UNTRUST.port, 1)
        self.send(FABRIC_PORT, frame[: 14 + 5])
        self.conclude(drops={Drop.BAD_FABRIC: 1})
        for length in (14 + 6 + 13, 14 + 6 + 14 + 19, 14 + 6 + 14 + 20 + 19):
            self.send(FABRIC_PORT, frame[:length])
        self.conclude(drops={Drop.BAD_FABRIC: 1, Drop.TRUNCATED: 3})
