"""Screens of the way in that count addresses, ports and sessions: sweeps, scans, limits."""

from __future__ import annotations

import time

from controller.reasons import Drop, Punt
from support import base, rates
from support.interfaces import TRUST, UNTRUST, Interface, to
from support.names import Value
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    SERVER,
    SERVER_PORT,
    icmp4,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from support.rates import TARGETS, WINDOW, fresh, fresh6
from support.wings import Session, wing


class IpSweep(rates.Arriving):
    """ICMP from one source to eleven addresses; the same address again is none more."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_IP_SWEEP, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(ip_sweep=WINDOW)
        targets = [fresh() for _ in range(TARGETS)]
        passing = [icmp4(to(TRUST), src=source, dst=target) for target in targets + targets[:3]]
        # Now anything new from this source falls, and what is old too.
        falling = [icmp4(to(TRUST), src=source, dst=target) for target in (fresh(), targets[0])]
        self.burst(passing + falling, len(passing), screen)


class TcpSweep(rates.Arriving):
    """SYN of one source to eleven addresses; other sources are free."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_TCP_SWEEP, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(tcp_sweep=WINDOW)
        frames = [tcp4(to(TRUST), src=source, dst=fresh(), flags="S") for _ in range(TARGETS + 2)]
        other = tcp4(to(TRUST), src=fresh(), flags="S")
        self.send(TRUST.port, other)
        self.expect_punt(other, Punt.MISS, TRUST)
        for frame in frames:
            self.send(TRUST.port, frame)
        for frame in frames[:TARGETS]:
            self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(
            drops={screen: 2}, punts={Punt.MISS: TARGETS + 1}, screen_hits={(TRUST, screen): 2}
        )


class TcpSweepIsOfConnections(rates.Arriving):
    """Segments without SYN open nothing."""

    def runTest(self) -> None:
        source = fresh()
        self.ingress_screens(TRUST, Drop.SCREEN_TCP_SWEEP)
        self.thresholds(tcp_sweep=WINDOW)
        frames = [tcp4(to(TRUST), src=source, dst=fresh(), flags="A") for _ in range(12)]
        self.burst(frames, 12, Drop.SCREEN_TCP_SWEEP)


class UdpSweep(rates.Arriving):
    """UDP of one source to eleven addresses."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_UDP_SWEEP, fresh6()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_sweep=WINDOW)
        frames = [udp6(to(TRUST), src=source, dst=fresh6()) for _ in range(TARGETS + 3)]
        self.burst(frames, TARGETS, screen)


class SweepIsOver(rates.Arriving):
    """In a later window the source begins anew."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_UDP_SWEEP, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_sweep=WINDOW)
        for _ in range(TARGETS + 1):
            self.send(TRUST.port, udp4(to(TRUST), src=source, dst=fresh()))
        for _ in range(TARGETS):
            self.client.packet_in(base.ARRIVES)
        time.sleep(1.1 * WINDOW / 1_000_000)  # the switch counts by its own clock
        frame = udp4(to(TRUST), src=source, dst=fresh())
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(
            drops={screen: 1}, punts={Punt.MISS: TARGETS + 1}, screen_hits={(TRUST, screen): 1}
        )


class PortScan(rates.Arriving):
    """SYN of one source to eleven ports of one address; other addresses are free."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_PORT_SCAN, fresh(), fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(port_scan=WINDOW)
        frames = [
            tcp4(to(TRUST), src=source, dst=target, dport=port, flags="S")
            for port in range(100, 100 + TARGETS + 2)
        ]
        self.burst(frames, TARGETS, screen)
        other = tcp4(to(TRUST), src=source, dst=fresh(), dport=200, flags="S")
        self.send(TRUST.port, other)
        self.expect_punt(other, Punt.MISS, TRUST)


class UdpPortScan(rates.Arriving):
    """UDP of one source to eleven ports of one address."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_UDP_PORT_SCAN, fresh(), fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_port_scan=WINDOW)
        frames = [
            udp4(to(TRUST), src=source, dst=target, dport=port)
            for port in range(100, 100 + TARGETS + 2)
        ]
        self.burst(frames, TARGETS, screen)


class SessionsAreNoScan(rates.Arriving):
    """Packets that find their session are not looked at, whatever the source does."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_UDP_PORT_SCAN, fresh(), fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_port_scan=WINDOW)
        session = Session(id=5, wing=0, spu=1)
        self.to_spu(wing(source, target, CLIENT_PORT, 99, 17, TRUST.token), session)
        for port in range(100, 100 + TARGETS + 1):
            self.send(TRUST.port, udp4(to(TRUST), src=source, dst=target, dport=port))
        for _ in range(TARGETS):
            self.client.packet_in(base.ARRIVES)
        frame = udp4(to(TRUST), src=source, dst=target, dport=99)
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.SESSION, TRUST, **session.header())
        self.conclude(
            drops={screen: 1},
            punts={Punt.MISS: TARGETS, Punt.SESSION: 1},
            screen_hits={(TRUST, screen): 1},
        )


class _Limits(rates.Arriving):
    def at_limit(self, side: str, who: str, interface: Interface = TRUST) -> None:
        """An address of a zone may have no more sessions."""
        key: dict[str, Value] = {"zone": interface.zone, "address": rates.mapped(who)}
        self.client.insert(f"session_limit_{side}", key, f"at_{side}_limit", {})


class SessionLimitSource(_Limits):
    """No new session from an address at its limit; its sessions go on, others begin."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_SESSION_LIMIT_SOURCE
        self.ingress_screens(TRUST, screen)
        self.at_limit("source", CLIENT)
        self.at_limit("source", CLIENT6)
        session = Session(id=6, wing=0, spu=1)
        self.to_spu(wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 17, TRUST.token), session)
        self.send(TRUST.port, tcp4(to(TRUST), flags="S"))
        self.send(TRUST.port, tcp6(to(TRUST), flags="S"))
        old = udp4(to(TRUST))
        self.send(TRUST.port, old)
        self.expect_punt(old, Punt.SESSION, TRUST, **session.header())
        other = tcp4(to(TRUST), src="10.0.1.201", flags="S")
        self.send(TRUST.port, other)
        self.expect_punt(other, Punt.MISS, TRUST)
        self.conclude(
            drops={screen: 2},
            punts={Punt.SESSION: 1, Punt.MISS: 1},
            screen_hits={(TRUST, screen): 2},
        )


class SessionLimitDestination(_Limits):
    """No new session to an address at its limit, from this zone."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_SESSION_LIMIT_DESTINATION
        self.ingress_screens(TRUST, screen)
        self.ingress_screens(UNTRUST, screen)
        self.at_limit("destination", SERVER)
        self.send(TRUST.port, tcp4(to(TRUST), flags="S"))
        other = tcp4(to(UNTRUST), flags="S")
        self.send(UNTRUST.port, other)
        self.expect_punt(other, Punt.MISS, UNTRUST)
        self.conclude(drops={screen: 1}, punts={Punt.MISS: 1}, screen_hits={(TRUST, screen): 1})


class SessionLimitOff(_Limits):
    """Without the screen the tables are not asked."""

    def runTest(self) -> None:
        self.at_limit("source", CLIENT)
        self.at_limit("destination", SERVER)
        self.misses(TRUST, tcp4(to(TRUST), flags="S"))


del _Limits
