"""Spoofing on the way out: sources that are not of the zone they came from."""

from __future__ import annotations

from controller.reasons import Drop, Send
from support import base
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNTRUST, out_of, to
from support.names import Value
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    SERVER,
    SERVER6,
    SERVER_PORT,
    address,
    fabric,
    tcp4,
    tcp6,
)
from support.wings import Session, wing

SPOOFING = Drop.SCREEN_SPOOFING
SESSION = Session(id=9, wing=0, spu=1)
OURS = "198.51.100.7"
"""What sources are translated to."""


class _Routes(base.NpuTest):
    def route(self, prefix: str, length: int, zone: int, vr: int = 0) -> None:
        """The way to a prefix leads to a zone."""
        source: tuple[Value, Value] = (address(prefix), length)
        table = f"egress_reverse_path_v{6 if ':' in prefix else 4}"
        self.client.insert(table, {"vr": vr, "src_addr": source}, "reverse_zone", {"zone": zone})

    def sent(self, frame: bytes, zone: int) -> None:
        """An SPU sends a frame whose source is of a zone."""
        self.packet_out(frame, UNTRUST.port, Send.EGRESS, source_zone=zone)

    def concluded(self) -> None:
        """One packet was found, and fell."""
        self.conclude(egress_drops={SPOOFING: 1}, egress_screen_hits={(UNTRUST, SPOOFING): 1})


class Spoofed(_Routes):
    """Came from trust, leaves to untrust, with a source that is routed to dmz."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.route("10.0.0.0", 8, TRUST.zone)
        self.route("203.0.113.0", 24, DMZ.zone)
        self.sent(tcp4(out_of(UNTRUST), src="203.0.113.77"), TRUST.zone)
        passes = tcp4(out_of(UNTRUST), src=CLIENT)
        self.sent(passes, TRUST.zone)
        self.expect_frame(UNTRUST.port, passes)
        self.concluded()


class SpoofedIpv6(_Routes):
    """The same over IPv6, and of a zone into itself."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.route("2001:db8::", 32, UNTRUST.zone)
        self.route(CLIENT6, 128, TRUST.zone)
        claims = tcp6(out_of(UNTRUST), src="2001:db8:ffff::1")
        self.sent(claims, TRUST.zone)
        for frame, zone in ((tcp6(out_of(UNTRUST)), TRUST.zone), (claims, UNTRUST.zone)):
            self.sent(frame, zone)
            self.expect_frame(UNTRUST.port, frame)
        self.concluded()


class SpoofedWithoutRoute(_Routes):
    """No way back at all; of a source that is ours nothing is asked."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        frame = tcp4(out_of(UNTRUST))
        self.sent(frame, TRUST.zone)
        self.sent(frame, 0)
        self.expect_frame(UNTRUST.port, frame)
        self.concluded()


class SpoofedByVirtualRouter(_Routes):
    """Routes are those of the egress interface's virtual router."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.egress(UNTRUST, vr=5)
        self.route("10.0.0.0", 8, TRUST.zone)
        self.route("10.0.0.0", 8, UNTRUST.zone, vr=5)
        self.sent(tcp4(out_of(UNTRUST)), TRUST.zone)
        self.concluded()


class SpoofedOnExpressPath(_Routes):
    """The zone is that of the interface it came by."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.route("10.0.0.0", 8, TRUST.zone)
        for interface in (TRUST, DMZ):
            key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, interface.token)
            self.express_v4(key, SESSION, key, UNTRUST)
            self.send(interface.port, tcp4(to(interface)))
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))
        self.concluded()


class SpoofedOnExpressPathIpv6(_Routes):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.route(CLIENT6, 128, TRUST.zone)
        for interface in (TRUST, DMZ):
            key = wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 6, interface.token)
            self.express_v6(key, SESSION, UNTRUST)
            self.send(interface.port, tcp6(to(interface)))
        self.expect_frame(UNTRUST.port, tcp6(out_of(UNTRUST), hop_limit=63))
        self.concluded()


class TranslatedOnExpressPath(_Routes):
    """A source that Express Path wrote itself leaves, though it is routed to where it goes."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.route(OURS, 32, UNTRUST.zone)
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        out = wing(OURS, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        self.express_v4(key, SESSION, out, UNTRUST)
        frame = tcp4(out_of(UNTRUST), src=OURS, ttl=63)
        self.forwarded(TRUST, tcp4(to(TRUST)), UNTRUST.port, frame)


class SpoofedAcrossTheFabric(_Routes):
    """The near NPU says where it came from, the far one asks."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        self.route("10.0.0.0", 8, TRUST.zone)
        frame = tcp4(out_of(UNTRUST))
        for zone in (DMZ.zone, TRUST.zone, 0):
            self.send(FABRIC_PORT, fabric(frame, UNTRUST.port, 5, zone))
        for _ in range(2):
            self.expect_frame(UNTRUST.port, frame)
        self.concluded()


class SpoofedOff(_Routes):
    """Switched off, routes mean nothing."""

    def runTest(self) -> None:
        self.route("10.0.0.0", 8, UNTRUST.zone)
        frame = tcp4(out_of(UNTRUST))
        self.sent(frame, TRUST.zone)
        self.expect_frame(UNTRUST.port, frame)
        self.conclude()


class SpoofedAlarm(_Routes):
    """An alarm counts and lets pass."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING, alarm_only=(SPOOFING,))
        frame = tcp4(out_of(UNTRUST))
        self.sent(frame, TRUST.zone)
        self.expect_frame(UNTRUST.port, frame)
        self.conclude(egress_screen_hits={(UNTRUST, SPOOFING): 1})


class RoutesOfTheWayInAreNone(_Routes):
    """Each side has its own table."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, SPOOFING)
        source: tuple[Value, Value] = (address("10.0.0.0"), 8)
        key = {"vr": 0, "src_addr": source}
        self.client.insert("reverse_path_v4", key, "reverse_zone", {"zone": TRUST.zone})
        self.sent(tcp4(out_of(UNTRUST)), TRUST.zone)
        self.concluded()


del _Routes
