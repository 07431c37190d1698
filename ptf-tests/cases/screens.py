"""Every screen, on the way in and on the way out: what falls, and its neighbour that passes."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw

from controller.reasons import Drop, Punt, Send
from support import base
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNTRUST, out_of, to
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    SERVER,
    SERVER6,
    SERVER_PORT,
    fabric,
    icmp4,
    later_fragment4,
    tcp4,
    tcp6,
    udp4,
)
from support.pairs import Pair, cases
from support.wings import Session, wing

LAST_IN_64K = 8183
"""Fragment offset (8 bytes each) at which 64 bytes end 7 bytes below 65535."""


def first_fragment4(payload: object) -> bytes:
    """The first of several fragments."""
    return bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, flags="MF") / payload)


def first_fragment6(payload: object) -> bytes:
    """The first of several fragments, IPv6."""
    return bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrFragment(m=1) / payload)


def later_fragment6(protocol: int, offset: int) -> bytes:
    """The last of several fragments, IPv6; ``offset`` in units of 8 bytes."""
    fragment = IPv6ExtHdrFragment(nh=protocol, offset=offset, m=0)
    return bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / fragment / Raw(DATA))


def protocol4(number: int) -> bytes:
    """A packet of some protocol."""
    return bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, proto=number) / Raw(DATA))


SYN = TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="S") / Raw(DATA)
ACK = TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="A") / Raw(DATA)

PAIRS = {
    "Land": Pair(
        Drop.SCREEN_LAND,
        falls=tcp4(to(TRUST), src=SERVER, flags="S"),
        passes=tcp4(to(TRUST), flags="S"),
    ),
    "LandIpv6": Pair(
        Drop.SCREEN_LAND,
        falls=tcp6(to(TRUST), src=SERVER6, flags="S"),
        passes=tcp6(to(TRUST), src=SERVER6, flags="A"),
    ),
    "SynFin": Pair(
        Drop.SCREEN_SYN_FIN,
        falls=tcp4(to(TRUST), flags="SF"),
        passes=tcp4(to(TRUST), flags="S"),
    ),
    "SynFinIpv6": Pair(
        Drop.SCREEN_SYN_FIN,
        falls=tcp6(to(TRUST), flags="SFA"),
        passes=tcp6(to(TRUST), flags="FA"),
    ),
    "TcpNoFlag": Pair(
        Drop.SCREEN_TCP_NO_FLAG,
        falls=tcp4(to(TRUST), flags=""),
        passes=tcp4(to(TRUST), flags="A"),
    ),
    "TcpNoFlagButEcn": Pair(
        Drop.SCREEN_TCP_NO_FLAG,
        falls=tcp4(to(TRUST), flags="EC"),
        passes=tcp4(to(TRUST), flags="RA"),
    ),
    "PingDeath": Pair(
        Drop.SCREEN_PING_DEATH,
        falls=later_fragment4(to(TRUST), 1, LAST_IN_64K + 1, DATA),
        passes=later_fragment4(to(TRUST), 1, LAST_IN_64K, DATA),
        punt=Punt.FRAGMENT,
    ),
    "PingDeathIpv6": Pair(
        Drop.SCREEN_PING_DEATH,
        falls=later_fragment6(58, LAST_IN_64K + 1),
        passes=later_fragment6(58, LAST_IN_64K),
        punt=Punt.FRAGMENT,
    ),
    "PingDeathIsIcmp": Pair(
        Drop.SCREEN_PING_DEATH,
        falls=later_fragment4(to(TRUST), 1, 0x1FFF, DATA),
        passes=later_fragment4(to(TRUST), 17, 0x1FFF, DATA),
        punt=Punt.FRAGMENT,
    ),
    "FinNoAck": Pair(
        Drop.SCREEN_FIN_NO_ACK,
        falls=tcp4(to(TRUST), flags="F"),
        passes=tcp4(to(TRUST), flags="FA"),
    ),
    "Winnuke": Pair(
        Drop.SCREEN_WINNUKE,
        falls=tcp4(to(TRUST), dport=139, flags="UPA"),
        passes=tcp4(to(TRUST), dport=139, flags="PA"),
    ),
    "WinnukeIsPort139": Pair(
        Drop.SCREEN_WINNUKE,
        falls=tcp6(to(TRUST), dport=139, flags="UA"),
        passes=tcp6(to(TRUST), sport=139, flags="UA"),
    ),
    "IcmpFragment": Pair(
        Drop.SCREEN_ICMP_FRAGMENT,
        falls=first_fragment4(ICMP() / Raw(DATA)),
        passes=first_fragment4(UDP() / Raw(DATA)),
        punt=Punt.FRAGMENT,
    ),
    "IcmpFragmentIpv6": Pair(
        Drop.SCREEN_ICMP_FRAGMENT,
        falls=first_fragment6(ICMPv6EchoRequest(data=DATA)),
        passes=first_fragment6(UDP() / Raw(DATA)),
        punt=Punt.FRAGMENT,
    ),
    "IcmpLaterFragment": Pair(
        Drop.SCREEN_ICMP_FRAGMENT,
        falls=later_fragment4(to(TRUST), 1, 8, DATA),
        passes=icmp4(to(TRUST), flags="DF"),
    ),
    "IcmpLarge": Pair(
        Drop.SCREEN_ICMP_LARGE,
        falls=icmp4(to(TRUST), data=bytes(1017)),
        passes=icmp4(to(TRUST), data=bytes(1016)),
    ),
    "IcmpLargeIpv6": Pair(
        Drop.SCREEN_ICMP_LARGE,
        falls=bytes(
            to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / ICMPv6EchoRequest(data=bytes(1017))
        ),
        passes=bytes(
            to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / ICMPv6EchoRequest(data=bytes(1016))
        ),
    ),
    "BlockFrag": Pair(
        Drop.SCREEN_BLOCK_FRAG,
        falls=first_fragment4(UDP() / Raw(DATA)),
        passes=udp4(to(TRUST), flags="DF"),
    ),
    "BlockFragLater": Pair(
        Drop.SCREEN_BLOCK_FRAG,
        falls=later_fragment4(to(TRUST), 17, 8, DATA),
        passes=udp4(to(TRUST)),
    ),
    "BlockFragIpv6": Pair(
        Drop.SCREEN_BLOCK_FRAG,
        falls=first_fragment6(UDP() / Raw(DATA)),
        passes=tcp6(to(TRUST)),
    ),
    "UnknownProtocol": Pair(
        Drop.SCREEN_UNKNOWN_PROTOCOL, falls=protocol4(137), passes=protocol4(136)
    ),
    "SynFrag": Pair(
        Drop.SCREEN_SYN_FRAG,
        falls=first_fragment4(SYN),
        passes=first_fragment4(ACK),
        punt=Punt.FRAGMENT,
    ),
    "SynFragIpv6": Pair(
        Drop.SCREEN_SYN_FRAG,
        falls=first_fragment6(SYN),
        passes=first_fragment6(ACK),
        punt=Punt.FRAGMENT,
    ),
}


globals().update(cases(PAIRS, __name__))


class NoProfile(base.NpuTest):
    """Without screens everything passes, and nothing is counted."""

    def runTest(self) -> None:
        for pair in PAIRS.values():
            self.send(TRUST.port, pair.falls)
            self.client.packet_in(base.ARRIVES)
        moved = self.moved()
        self.assertEqual(moved["drops"], {})
        self.assertEqual(moved["screen_hits"], {})


class AlarmOnly(base.NpuTest):
    """An alarm counts and lets pass, on the way in."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_SYN_FIN
        self.ingress_screens(TRUST, screen, alarm_only=(screen,))
        frame = tcp4(to(TRUST), flags="SF")
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 1}, screen_hits={(TRUST, screen): 1})


class AlarmOnlyDeparture(base.NpuTest):
    """An alarm counts and lets pass, on the way out."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_WINNUKE
        self.egress_screens(UNTRUST, screen, alarm_only=(screen,))
        frame = tcp4(to(TRUST), dport=139, flags="UA")
        self.packet_out(frame, UNTRUST.port, Send.EGRESS)
        self.expect_frame(UNTRUST.port, frame)
        self.conclude(egress_screen_hits={(UNTRUST, screen): 1})


class FirstScreenDrops(base.NpuTest):
    """Of several screens that find a packet, the lowest bit drops it and alone is counted."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, Drop.SCREEN_LAND, Drop.SCREEN_SYN_FIN, Drop.SCREEN_FIN_NO_ACK)
        self.send(TRUST.port, tcp4(to(TRUST), src=SERVER, flags="SF"))
        self.conclude(drops={Drop.SCREEN_LAND: 1}, screen_hits={(TRUST, Drop.SCREEN_LAND): 1})


class AlarmsBeforeTheDrop(base.NpuTest):
    """Alarms below the screen that drops are counted, what stands behind it is not."""

    def runTest(self) -> None:
        self.ingress_screens(
            TRUST,
            Drop.SCREEN_LAND,
            Drop.SCREEN_SYN_FIN,
            Drop.SCREEN_FIN_NO_ACK,
            alarm_only=(Drop.SCREEN_LAND, Drop.SCREEN_FIN_NO_ACK),
        )
        self.send(TRUST.port, tcp4(to(TRUST), src=SERVER, flags="SF"))
        self.conclude(
            drops={Drop.SCREEN_SYN_FIN: 1},
            screen_hits={(TRUST, Drop.SCREEN_LAND): 1, (TRUST, Drop.SCREEN_SYN_FIN): 1},
        )


class AllAlarmsCount(base.NpuTest):
    """With alarms alone, every screen that finds the packet counts it, and it passes."""

    def runTest(self) -> None:
        found = (Drop.SCREEN_LAND, Drop.SCREEN_SYN_FIN, Drop.SCREEN_FIN_NO_ACK)
        self.ingress_screens(TRUST, *found, Drop.SCREEN_WINNUKE, alarm_only=found)
        frame = tcp4(to(TRUST), src=SERVER, flags="SF")
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 1}, screen_hits={(TRUST, screen): 1 for screen in found})


class AlarmWithoutScreen(base.NpuTest):
    """An alarm bit whose screen is off does nothing."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, alarm_only=(Drop.SCREEN_SYN_FIN,))
        self.misses(TRUST, tcp4(to(TRUST), flags="SF"))


class EachZoneHasItsOwn(base.NpuTest):
    """A profile belongs to its zone: counters too."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, Drop.SCREEN_SYN_FIN)
        self.ingress_screens(DMZ, Drop.SCREEN_SYN_FIN)
        self.send(TRUST.port, tcp4(to(TRUST), flags="SF"))
        self.send(DMZ.port, tcp4(to(DMZ), flags="SF"))
        self.send(DMZ.port, tcp4(to(DMZ), flags="SF"))
        frame = tcp4(to(UNTRUST), flags="SF")
        self.send(UNTRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, UNTRUST)
        self.conclude(
            drops={Drop.SCREEN_SYN_FIN: 3},
            punts={Punt.MISS: 1},
            screen_hits={(TRUST, Drop.SCREEN_SYN_FIN): 1, (DMZ, Drop.SCREEN_SYN_FIN): 2},
        )


class ScreensBeforeSessions(base.NpuTest):
    """A packet that a screen drops hits no wing, though its session stands."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        self.to_spu(key, Session(id=1, wing=0, spu=1))
        self.ingress_screens(TRUST, Drop.SCREEN_FIN_NO_ACK)
        self.send(TRUST.port, tcp4(to(TRUST), flags="F"))
        self.conclude(
            drops={Drop.SCREEN_FIN_NO_ACK: 1},
            screen_hits={(TRUST, Drop.SCREEN_FIN_NO_ACK): 1},
        )
        self.assertEqual(self.client.direct_count("session_v4", key).packets, 0)


class ExpressPathLeavesThroughScreens(base.NpuTest):
    """Express Path traffic passes the screens of its egress zone, after translation."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_TCP_NO_FLAG
        self.egress_screens(UNTRUST, screen)
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        self.express_v4(key, Session(id=9, wing=0, spu=1), key, UNTRUST)
        self.send(TRUST.port, tcp4(to(TRUST), flags=""))
        self.send(TRUST.port, tcp4(to(TRUST), flags="A"))
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), flags="A", ttl=63))
        self.conclude(egress_drops={screen: 1}, egress_screen_hits={(UNTRUST, screen): 1})


class FabricLeavesThroughScreens(base.NpuTest):
    """What another NPU sends passes the screens of its egress zone here."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_SYN_FIN
        self.egress_screens(UNTRUST, screen)
        falls = tcp4(out_of(UNTRUST), flags="SF")
        passes = tcp4(out_of(UNTRUST), flags="S")
        self.send(FABRIC_PORT, fabric(falls, UNTRUST.port, 5))
        self.send(FABRIC_PORT, fabric(passes, UNTRUST.port, 5))
        self.expect_frame(UNTRUST.port, passes)
        self.conclude(egress_drops={screen: 1}, egress_screen_hits={(UNTRUST, screen): 1})


class RawPacketOutSkipsScreens(base.NpuTest):
    """What the controller sends raw is its own business."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, Drop.SCREEN_SYN_FIN)
        frame = tcp4(out_of(UNTRUST), flags="SF")
        self.packet_out(frame, UNTRUST.port, Send.RAW)
        self.expect_frame(UNTRUST.port, frame)
        self.conclude()
