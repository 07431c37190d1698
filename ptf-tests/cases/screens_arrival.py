"""Screens of the way in alone: sources whose way back leads elsewhere, overlapping fragments."""

from __future__ import annotations

from itertools import count

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw

from controller.reasons import Drop, Punt
from support import base
from support.base import DMZ, TRUST, UNTRUST, to
from support.names import Value
from support.packets import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    address,
    tcp4,
    tcp6,
)

SPOOFING = Drop.SCREEN_SPOOFING
TEAR_DROP = Drop.SCREEN_TEAR_DROP
datagrams = count(2000)
"""Identifications: the NPU remembers a datagram for longer than a case takes."""


class _Routes(base.NpuTest):
    def route(self, prefix: str, length: int, zone: int, vr: int = 0) -> None:
        """The way to a prefix leads to a zone."""
        source: tuple[Value, Value] = (address(prefix), length)
        table = f"reverse_path_v{6 if ':' in prefix else 4}"
        self.client.insert(table, {"vr": vr, "src_addr": source}, "reverse_zone", {"zone": zone})


class Spoofed(_Routes):
    """From trust with a source that is routed to untrust."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING)
        self.route("10.0.0.0", 8, TRUST.zone)
        self.route("203.0.113.0", 24, UNTRUST.zone)
        self.send(TRUST.port, tcp4(to(TRUST), src="203.0.113.77"))
        passes = tcp4(to(TRUST), src=CLIENT)
        self.send(TRUST.port, passes)
        self.expect_punt(passes, Punt.MISS, TRUST)
        self.conclude(drops={SPOOFING: 1}, punts={Punt.MISS: 1}, screen_hits={(TRUST, SPOOFING): 1})


class SpoofedIpv6(_Routes):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING)
        self.route("2001:db8::", 32, UNTRUST.zone)
        self.route(CLIENT6, 128, TRUST.zone)
        self.send(TRUST.port, tcp6(to(TRUST), src="2001:db8:ffff::1"))
        passes = tcp6(to(TRUST), src=CLIENT6)
        self.send(TRUST.port, passes)
        self.expect_punt(passes, Punt.MISS, TRUST)
        self.conclude(drops={SPOOFING: 1}, punts={Punt.MISS: 1}, screen_hits={(TRUST, SPOOFING): 1})


class SpoofedWithoutRoute(_Routes):
    """No way back at all."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING)
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.conclude(drops={SPOOFING: 1}, screen_hits={(TRUST, SPOOFING): 1})


class SpoofedLongestPrefix(_Routes):
    """The most specific route decides, whichever zone the default route has."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING)
        self.route("0.0.0.0", 0, UNTRUST.zone)
        self.route(CLIENT, 32, TRUST.zone)
        self.misses(TRUST, tcp4(to(TRUST), src=CLIENT))


class SpoofedByVirtualRouter(_Routes):
    """A route of another virtual router is none."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING)
        self.ingress(TRUST, vr=5)
        self.route("10.0.0.0", 8, TRUST.zone)
        self.route("10.0.0.0", 8, UNTRUST.zone, vr=5)
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.conclude(drops={SPOOFING: 1}, screen_hits={(TRUST, SPOOFING): 1})


class SpoofedOff(_Routes):
    """Switched off, routes mean nothing."""

    def runTest(self) -> None:
        self.route("10.0.0.0", 8, UNTRUST.zone)
        self.misses(TRUST, tcp4(to(TRUST)))


class SpoofedAlarm(_Routes):
    """An alarm counts and lets pass."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING, alarm_only=(SPOOFING,))
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 1}, screen_hits={(TRUST, SPOOFING): 1})


def fragment(datagram: int, offset: int, blocks: int, *, source: str = CLIENT) -> bytes:
    """A fragment of some blocks of 8 bytes; never the last."""
    ip = IP(src=source, dst=SERVER, id=datagram, proto=47, frag=offset, flags="MF")
    return bytes(to(TRUST) / ip / Raw(bytes(8 * blocks)))


def fragment6(datagram: int, offset: int, blocks: int) -> bytes:
    """The same over IPv6."""
    header = IPv6ExtHdrFragment(nh=47, id=datagram, offset=offset, m=1)
    return bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / header / Raw(bytes(8 * blocks)))


class _TearDrop(base.NpuTest):
    def check(self, fragments: list[bytes], found: list[int]) -> None:
        """Of these fragments, those at these places overlap."""
        self.ingress_screens(TRUST, TEAR_DROP)
        for place, frame in enumerate(fragments):
            self.send(TRUST.port, frame)
            if place not in found:
                self.expect_punt(frame, Punt.FRAGMENT, TRUST)
        self.conclude(
            drops={TEAR_DROP: len(found)} if found else {},
            punts={Punt.FRAGMENT: len(fragments) - len(found)},
            screen_hits={(TRUST, TEAR_DROP): len(found)} if found else {},
        )


class TearDrop(_TearDrop):
    """The second begins before the first ends; its neighbour begins just there."""

    def runTest(self) -> None:
        overlapping, sound = next(datagrams), next(datagrams)
        self.check(
            [
                fragment(overlapping, 0, 4),
                fragment(overlapping, 3, 4),
                fragment(sound, 0, 4),
                fragment(sound, 4, 4),
            ],
            found=[1],
        )


class TearDropIpv6(_TearDrop):
    """The same over IPv6."""

    def runTest(self) -> None:
        overlapping, sound = next(datagrams), next(datagrams)
        self.check(
            [
                fragment6(overlapping, 0, 4),
                fragment6(overlapping, 3, 4),
                fragment6(sound, 0, 4),
                fragment6(sound, 4, 4),
            ],
            found=[1],
        )


class TearDropInReverse(_TearDrop):
    """Fragments in reverse order, the last of which overlaps."""

    def runTest(self) -> None:
        one = next(datagrams)
        self.check(
            [fragment(one, 8, 4), fragment(one, 4, 4), fragment(one, 1, 4)],
            found=[2],
        )


class TearDropInside(_TearDrop):
    """One that lies within what is there, and one that covers it all."""

    def runTest(self) -> None:
        inside, around = next(datagrams), next(datagrams)
        self.check(
            [
                fragment(inside, 0, 8),
                fragment(inside, 2, 1),
                fragment(around, 4, 2),
                fragment(around, 2, 8),
            ],
            found=[1, 3],
        )


class TearDropOfAnother(_TearDrop):
    """Another datagram, or the same number from another source, overlaps nothing."""

    def runTest(self) -> None:
        one, other = next(datagrams), next(datagrams)
        self.check(
            [
                fragment(one, 0, 4),
                fragment(other, 1, 4),
                fragment(one, 1, 4, source="10.0.1.200"),
            ],
            found=[],
        )


class TearDropOutOfOrder(_TearDrop):
    """Fragments that leave a gap are none of it."""

    def runTest(self) -> None:
        one = next(datagrams)
        self.check([fragment(one, 0, 4), fragment(one, 8, 4), fragment(one, 4, 4)], found=[])


class EachZoneItsOwnRoutes(_Routes):
    """What is right for one zone is wrong for another."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, SPOOFING)
        self.ingress_screens(DMZ, SPOOFING)
        self.route("10.0.0.0", 8, DMZ.zone)
        self.send(TRUST.port, tcp4(to(TRUST)))
        frame = tcp4(to(DMZ))
        self.send(DMZ.port, frame)
        self.expect_punt(frame, Punt.MISS, DMZ)
        self.conclude(drops={SPOOFING: 1}, punts={Punt.MISS: 1}, screen_hits={(TRUST, SPOOFING): 1})


del _Routes, _TearDrop
