"""Screens that count packets, on the way out: what leaves into a zone."""

from __future__ import annotations

from controller.reasons import Drop, Punt, Send
from support import rates
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNTRUST, out_of, to
from support.packets import CLIENT_PORT, echo6, fabric, icmp4, tcp4, tcp6, udp4, udp6
from support.rates import TARGETS, WINDOW, fresh, fresh6
from support.wings import Session, wing


class IcmpFlood(rates.Departing):
    """Echo requests to one address, whoever sends them; replies do not count."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_ICMP_FLOOD, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, icmp_flood=3)
        frames = [icmp4(out_of(UNTRUST), dst=target, type=0) for _ in range(4)]
        frames += [icmp4(out_of(UNTRUST), src=fresh(), dst=target) for _ in range(5)]
        self.leaves(frames, 7, screen)


class IcmpFloodIpv6(rates.Departing):
    """ICMPv6 echo requests."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_ICMP_FLOOD, fresh6()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, icmp_flood=3)
        self.leaves([echo6(out_of(UNTRUST), dst=target) for _ in range(5)], 3, screen)


class UdpFlood(rates.Departing):
    """Datagrams to one address; as many to another one leave."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_flood=3)
        other = [udp4(out_of(UNTRUST), dst=address) for address in (fresh(), fresh())]
        frames = [udp4(out_of(UNTRUST), src=fresh(), dst=target) for _ in range(5)]
        self.leaves(other + frames, 5, screen)


class UdpFloodIpv6(rates.Departing):
    """The same over IPv6."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh6()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_flood=3)
        self.leaves([udp6(out_of(UNTRUST), dst=target) for _ in range(5)], 3, screen)


class UdpFloodCountsEveryPath(rates.Departing):
    """Express Path, fabric and SPU: what they send into the zone is one flood."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_UDP_FLOOD, fresh(), fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_flood=3)
        key = wing(source, target, CLIENT_PORT, 53, 17, TRUST.token)
        self.express_v4(key, Session(id=9, wing=0, spu=1), key, UNTRUST)
        frame = udp4(to(TRUST), src=source, dst=target, dport=53)
        leaves = udp4(out_of(UNTRUST), src=source, dst=target, dport=53, ttl=63)
        for _ in range(2):
            self.send(TRUST.port, frame)
            self.expect_frame(UNTRUST.port, leaves)
        self.send(FABRIC_PORT, fabric(leaves, UNTRUST.port, 5, DMZ.zone))
        self.expect_frame(UNTRUST.port, leaves)
        self.send(TRUST.port, frame)
        self.send(FABRIC_PORT, fabric(leaves, UNTRUST.port, 5, DMZ.zone))
        self.packet_out(leaves, UNTRUST.port, Send.EGRESS)
        self.conclude(egress_drops={screen: 3}, egress_screen_hits={(UNTRUST, screen): 3})


class UdpFloodOfEachSideAndZone(rates.Departing):
    """What arrives from a zone counts for itself, and so does what leaves into another."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        for interface in (UNTRUST, DMZ):
            self.egress_screens(interface, screen)
            self.thresholds(interface, udp_flood=2)
        self.ingress_screens(UNTRUST, screen)
        threshold = dict.fromkeys(rates.THRESHOLDS, 0) | {"udp_flood": 2}
        key: dict[str, rates.Value] = {"zone": UNTRUST.zone}
        self.client.insert("screen_thresholds", key, "set_thresholds", {**threshold})
        for interface in (UNTRUST, DMZ):
            frame = udp4(out_of(interface), dst=target)
            for _ in range(2):
                self.packet_out(frame, interface.port, Send.EGRESS)
                self.expect_frame(interface.port, frame)
        arrives = udp4(to(UNTRUST), dst=target)
        for _ in range(2):
            self.send(UNTRUST.port, arrives)
            self.expect_punt(arrives, Punt.MISS, UNTRUST)
        self.send(UNTRUST.port, arrives)
        self.packet_out(udp4(out_of(DMZ), dst=target), DMZ.port, Send.EGRESS)
        self.conclude(
            drops={screen: 1},
            egress_drops={screen: 1},
            punts={Punt.MISS: 2},
            screen_hits={(UNTRUST, screen): 1},
            egress_screen_hits={(DMZ, screen): 1},
        )


class FloodWithoutThreshold(rates.Departing):
    """The thresholds of the zone a packet comes from are not those of the one it goes to."""

    def runTest(self) -> None:
        source, target = fresh(), fresh()
        screen = Drop.SCREEN_UDP_FLOOD
        self.ingress_screens(TRUST, screen)
        self.egress_screens(UNTRUST, screen)
        threshold = dict.fromkeys(rates.THRESHOLDS, 0) | {"udp_flood": 4}
        key: dict[str, rates.Value] = {"zone": TRUST.zone}
        self.client.insert("screen_thresholds", key, "set_thresholds", {**threshold})
        self.thresholds(DMZ, udp_flood=1)
        tuple_ = wing(source, target, CLIENT_PORT, 53, 17, TRUST.token)
        self.express_v4(tuple_, Session(id=9, wing=0, spu=1), tuple_, UNTRUST)
        for _ in range(5):
            self.send(TRUST.port, udp4(to(TRUST), src=source, dst=target, dport=53))
        leaves = udp4(out_of(UNTRUST), src=source, dst=target, dport=53, ttl=63)
        for _ in range(4):
            self.expect_frame(UNTRUST.port, leaves)
        self.conclude(drops={screen: 1}, screen_hits={(TRUST, screen): 1})


class FloodAlarm(rates.Departing):
    """An alarm counts and lets pass."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_ICMP_FLOOD, fresh()
        self.egress_screens(UNTRUST, screen, alarm_only=(screen,))
        self.thresholds(UNTRUST, icmp_flood=1)
        frame = icmp4(out_of(UNTRUST), dst=target)
        for _ in range(3):
            self.packet_out(frame, UNTRUST.port, Send.EGRESS)
            self.expect_frame(UNTRUST.port, frame)
        self.conclude(egress_screen_hits={(UNTRUST, screen): 2})


class SynFloodSource(rates.Departing):
    """SYN from one address, to whomever; segments with ACK are none."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_SYN_FLOOD_SOURCE, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, syn_flood_source=3)
        frames = [tcp4(out_of(UNTRUST), src=source, flags="SA") for _ in range(4)]
        frames += [tcp4(out_of(UNTRUST), src=source, dst=fresh(), flags="S") for _ in range(5)]
        self.leaves(frames, 7, screen)


class SynFloodOfATranslatedSource(rates.Departing):
    """An address that stands for many is nobody's to count by."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_SYN_FLOOD_SOURCE, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, syn_flood_source=2)
        frames = [tcp4(out_of(UNTRUST), src=source, dst=fresh(), flags="S") for _ in range(4)]
        self.leaves(frames, 4, screen, zone=0)


class SynFloodDestination(rates.Departing):
    """SYN to one address, from whomever, translated or not."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_DESTINATION, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, syn_flood_destination=3)
        frames = [tcp4(out_of(UNTRUST), src=fresh(), dst=target, flags="S") for _ in range(5)]
        self.leaves(frames, 3, screen, zone=0)


class SynFloodDestinationIpv6(rates.Departing):
    """The same over IPv6."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_DESTINATION, fresh6()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, syn_flood_destination=3)
        self.leaves([tcp6(out_of(UNTRUST), dst=target, flags="S") for _ in range(5)], 3, screen)


class _Detected(rates.Departing):
    screen: Drop
    threshold: str

    def detect(self) -> None:
        """The third and fourth SYN to a port are found and pass; that to another is not."""
        target = fresh()
        self.egress_screens(UNTRUST, self.screen)
        self.thresholds(UNTRUST, **{self.threshold: 2})
        for port in (80, 80, 80, 80, 81):
            frame = tcp4(out_of(UNTRUST), src=fresh(), dst=target, dport=port, flags="S")
            self.packet_out(frame, UNTRUST.port, Send.EGRESS, first=1)
            self.expect_frame(UNTRUST.port, frame)
        self.conclude(egress_screen_hits={(UNTRUST, self.screen): 2})


class SynFloodAttack(_Detected):
    """Above the attack threshold SYN are counted: the way in has let them through."""

    screen, threshold = Drop.SCREEN_SYN_FLOOD_ATTACK, "syn_flood_attack"

    def runTest(self) -> None:
        self.detect()


class SynFloodAlarm(_Detected):
    """Above the alarm threshold likewise."""

    screen, threshold = Drop.SCREEN_SYN_FLOOD_ALARM, "syn_flood_alarm"

    def runTest(self) -> None:
        self.detect()


class SynFloodWhiteList(rates.Departing):
    """Who is on it may; who is not may not. The list of the way in is another one."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_SYN_FLOOD_DESTINATION, fresh(), fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, syn_flood_destination=2, white_lists=1)
        self.white_list(UNTRUST, 6, src=f"{source}/32", dst=f"{target}/32")
        frames = [tcp4(out_of(UNTRUST), src=source, dst=target, flags="S") for _ in range(4)]
        frames += [tcp4(out_of(UNTRUST), src=fresh(), dst=target, flags="S") for _ in range(3)]
        self.leaves(frames, 6, screen)


class UdpFloodWhiteList(rates.Departing):
    """That of UDP, IPv6."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_UDP_FLOOD, fresh6(), fresh6()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_flood=2, white_lists=1)
        self.white_list(UNTRUST, 17, src=f"{source}/128")
        frames = [udp6(out_of(UNTRUST), src=source, dst=target) for _ in range(4)]
        frames += [udp6(out_of(UNTRUST), src=fresh6(), dst=target) for _ in range(3)]
        self.leaves(frames, 6, screen)


class IpSweep(rates.Departing):
    """ICMP from one source to eleven addresses; the same address again is none more."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_IP_SWEEP, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, ip_sweep=WINDOW)
        targets = [fresh() for _ in range(TARGETS)]
        frames = [icmp4(out_of(UNTRUST), src=source, dst=to_) for to_ in targets + targets[:3]]
        frames += [icmp4(out_of(UNTRUST), src=source, dst=to_) for to_ in (fresh(), targets[0])]
        self.leaves(frames, TARGETS + 3, screen)


class TcpSweep(rates.Departing):
    """SYN of one source to eleven addresses; other sources are free."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_TCP_SWEEP, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, tcp_sweep=WINDOW)
        frames = [tcp4(out_of(UNTRUST), src=fresh(), dst=fresh(), flags="S") for _ in range(12)]
        frames += [
            tcp4(out_of(UNTRUST), src=source, dst=fresh(), flags="S") for _ in range(TARGETS + 2)
        ]
        self.leaves(frames, 12 + TARGETS, screen)


class UdpSweep(rates.Departing):
    """UDP of one source to eleven addresses, IPv6."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_UDP_SWEEP, fresh6()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_sweep=WINDOW)
        frames = [udp6(out_of(UNTRUST), src=source, dst=fresh6()) for _ in range(TARGETS + 3)]
        self.leaves(frames, TARGETS, screen)


class PortScan(rates.Departing):
    """SYN of one source to eleven ports of one address; those of another are free."""

    def runTest(self) -> None:
        screen, source, target, other = Drop.SCREEN_PORT_SCAN, fresh(), fresh(), fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, port_scan=WINDOW)
        frames = [
            tcp4(out_of(UNTRUST), src=source, dst=host, dport=port, flags="S")
            for host, ports in ((other, TARGETS), (target, TARGETS + 2))
            for port in range(100, 100 + ports)
        ]
        self.leaves(frames, 2 * TARGETS, screen)


class UdpPortScan(rates.Departing):
    """UDP of one source to eleven ports of one address."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_UDP_PORT_SCAN, fresh(), fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_port_scan=WINDOW)
        frames = [
            udp4(out_of(UNTRUST), src=source, dst=target, dport=port)
            for port in range(100, 100 + TARGETS + 2)
        ]
        self.leaves(frames, TARGETS, screen)


class AnswersAreNoSweep(rates.Departing):
    """What is no first packet may go to as many as it likes."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_UDP_SWEEP, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, udp_sweep=WINDOW)
        frames = [udp4(out_of(UNTRUST), src=source, dst=fresh()) for _ in range(TARGETS + 3)]
        self.leaves(frames, TARGETS + 3, screen, first=0)


class TranslatedSourcesAreNoSweep(rates.Departing):
    """An address that stands for many may go to as many as it likes."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_TCP_SWEEP, fresh()
        self.egress_screens(UNTRUST, screen)
        self.thresholds(UNTRUST, tcp_sweep=WINDOW)
        frames = [
            tcp4(out_of(UNTRUST), src=source, dst=fresh(), flags="S") for _ in range(TARGETS + 3)
        ]
        self.leaves(frames, TARGETS + 3, screen, zone=0)


class OffCountsNothing(rates.Departing):
    """Thresholds without their screens mean nothing."""

    def runTest(self) -> None:
        every: dict[str, int] = dict.fromkeys(rates.THRESHOLDS, 1)
        self.thresholds(UNTRUST, **every)
        source, target = fresh(), fresh()
        frames = [
            make(out_of(UNTRUST), src=source, dst=target)
            for make in (icmp4, udp4, tcp4)
            for _ in range(3)
        ]
        self.leaves(frames, 9)


del _Detected
