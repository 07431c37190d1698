"""Spoofing on the way in: sources whose way back leads elsewhere."""

from __future__ import annotations

from controller.reasons import Drop, Punt
from support import base
from support.interfaces import DMZ, TRUST, UNTRUST, to
from support.names import Value
from support.packets import CLIENT, CLIENT6, address, tcp4, tcp6

SPOOFING = Drop.SCREEN_SPOOFING


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


del _Routes
