"""Screens of the way in that count packets: floods."""

from __future__ import annotations

import time

from controller.reasons import FIRST_SCREEN, Drop, Punt
from support import rates
from support.interfaces import DMZ, TRUST, UNTRUST, out_of, to
from support.packets import CLIENT, CLIENT_PORT, SERVER_PORT, echo6, icmp4, tcp4, tcp6, udp4, udp6
from support.rates import fresh, fresh6
from support.wings import Session, wing


class IcmpFlood(rates.Arriving):
    """Echo requests to one address."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_ICMP_FLOOD, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(icmp_flood=4)
        self.burst([icmp4(to(TRUST), dst=target) for _ in range(7)], 4, screen)


class IcmpFloodIpv6(rates.Arriving):
    """ICMPv6 echo requests."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_ICMP_FLOOD, fresh6()
        self.ingress_screens(TRUST, screen)
        self.thresholds(icmp_flood=4)
        self.burst([echo6(to(TRUST), dst=target) for _ in range(7)], 4, screen)


class IcmpFloodIsOfRequests(rates.Arriving):
    """Replies and other messages do not count."""

    def runTest(self) -> None:
        target = fresh()
        self.ingress_screens(TRUST, Drop.SCREEN_ICMP_FLOOD)
        self.thresholds(icmp_flood=2)
        frames = [icmp4(to(TRUST), dst=target, type=0) for _ in range(5)]
        self.burst(frames, 5, Drop.SCREEN_ICMP_FLOOD)


class UdpFlood(rates.Arriving):
    """Datagrams to one address, whoever sends them and to which port."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_flood=3)
        frames = [
            udp4(to(TRUST), src=fresh(), dst=target, dport=1000 + number) for number in range(6)
        ]
        self.burst(frames, 3, screen)


class UdpFloodIpv6(rates.Arriving):
    """The same over IPv6."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh6()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_flood=3)
        self.burst([udp6(to(TRUST), dst=target) for _ in range(5)], 3, screen)


class UdpFloodIsPerDestination(rates.Arriving):
    """As many again to another address."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, Drop.SCREEN_UDP_FLOOD)
        self.thresholds(udp_flood=3)
        frames = [udp4(to(TRUST), dst=target) for target in (fresh(), fresh()) for _ in range(3)]
        self.burst(frames, 6, Drop.SCREEN_UDP_FLOOD)


class UdpFloodCountsSessions(rates.Arriving):
    """Packets of a session count, and fall, like any other."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_flood=2)
        key = wing(CLIENT, target, CLIENT_PORT, SERVER_PORT, 17, TRUST.token)
        self.express_v4(key, Session(id=9, wing=0, spu=1), key, UNTRUST)
        for _ in range(3):
            self.send(TRUST.port, udp4(to(TRUST), dst=target))
        for _ in range(2):
            self.expect_frame(UNTRUST.port, udp4(out_of(UNTRUST), dst=target, ttl=63))
        self.conclude(drops={screen: 1}, screen_hits={(TRUST, screen): 1})


class FloodIsOver(rates.Arriving):
    """After the rest of its second and the next one, packets pass again."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_flood=1)
        frame = udp4(to(TRUST), dst=target)
        for _ in range(2):
            self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        time.sleep(1.1)
        self.send(TRUST.port, frame)  # the next second is refused too
        time.sleep(1.1)
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(drops={screen: 2}, punts={Punt.MISS: 2}, screen_hits={(TRUST, screen): 2})


class FloodWithoutThreshold(rates.Arriving):
    """A screen without a threshold in its zone is off; that of another zone is not its."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, Drop.SCREEN_UDP_FLOOD)
        self.thresholds(DMZ, udp_flood=1)
        target = fresh()
        self.burst([udp4(to(TRUST), dst=target)] * 3, 3, Drop.SCREEN_UDP_FLOOD)


class FloodAlarm(rates.Arriving):
    """An alarm counts and lets pass."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        self.ingress_screens(TRUST, screen, alarm_only=(screen,))
        self.thresholds(udp_flood=1)
        frame = udp4(to(TRUST), dst=target)
        for _ in range(3):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 3}, screen_hits={(TRUST, screen): 2})


class SynFloodSource(rates.Arriving):
    """SYN from one address, to whomever; segments with ACK are none."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_SYN_FLOOD_SOURCE, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(syn_flood_source=3)
        acks = [tcp4(to(TRUST), src=source, flags="SA"), tcp4(to(TRUST), src=source, flags="A")]
        syns = [tcp4(to(TRUST), src=source, dst=fresh(), flags="S") for _ in range(5)]
        self.burst(acks + syns, 5, screen)


class SynFloodDestination(rates.Arriving):
    """SYN to one address, from whomever."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_DESTINATION, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(syn_flood_destination=3)
        frames = [tcp4(to(TRUST), src=fresh(), dst=target, flags="S") for _ in range(5)]
        self.burst(frames, 3, screen)


class SynFloodDestinationIpv6(rates.Arriving):
    """The same over IPv6."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_DESTINATION, fresh6()
        self.ingress_screens(TRUST, screen)
        self.thresholds(syn_flood_destination=3)
        self.burst([tcp6(to(TRUST), dst=target, flags="S") for _ in range(5)], 3, screen)


class SynFloodAttack(rates.Arriving):
    """Above the attack threshold SYN are for the proxy; none is dropped."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_ATTACK, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(syn_flood_attack=2)
        for number in range(4):
            frame = tcp4(to(TRUST), src=fresh(), dst=target, flags="S")
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS if number < 2 else Punt.SYN_PROXY, TRUST)
        other_port = tcp4(to(TRUST), dst=target, dport=81, flags="S")
        self.send(TRUST.port, other_port)
        self.expect_punt(other_port, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 3, Punt.SYN_PROXY: 2}, screen_hits={(TRUST, screen): 2})


class SynFloodAttackAlarm(rates.Arriving):
    """With alarm-without-drop they stay first packets like others."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_ATTACK, fresh()
        self.ingress_screens(TRUST, screen, alarm_only=(screen,))
        self.thresholds(syn_flood_attack=1)
        frame = tcp4(to(TRUST), dst=target, flags="S")
        for _ in range(2):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 2}, screen_hits={(TRUST, screen): 1})


class SynFloodAlarm(rates.Arriving):
    """Above the alarm threshold SYN are counted, and pass."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_SYN_FLOOD_ALARM, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(syn_flood_alarm=2)
        for port in (80, 80, 80, 80, 81):
            frame = tcp4(to(TRUST), src=fresh(), dst=target, dport=port, flags="S")
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 5}, screen_hits={(TRUST, screen): 2})


class SynFloodAlarmBesideAttack(rates.Arriving):
    """Both thresholds count the same SYN, each for itself."""

    def runTest(self) -> None:
        attack, alarm = Drop.SCREEN_SYN_FLOOD_ATTACK, Drop.SCREEN_SYN_FLOOD_ALARM
        target = fresh()
        self.ingress_screens(TRUST, attack, alarm)
        self.thresholds(syn_flood_attack=1, syn_flood_alarm=3)
        frame = tcp4(to(TRUST), dst=target, flags="S")
        for number in range(4):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.SYN_PROXY if number else Punt.MISS, TRUST)
        self.conclude(
            punts={Punt.MISS: 1, Punt.SYN_PROXY: 3},
            screen_hits={(TRUST, attack): 3, (TRUST, alarm): 1},
        )


class SynFloodWhiteList(rates.Arriving):
    """Who is on it sends any number of SYN; so does everyone to whom it allows that."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_SYN_FLOOD_DESTINATION
        attack = Drop.SCREEN_SYN_FLOOD_ATTACK
        source, target, other = fresh(), fresh(), fresh()
        self.ingress_screens(TRUST, screen, attack)
        self.thresholds(syn_flood_destination=2, syn_flood_attack=2, white_lists=1)
        self.white_list(TRUST, 6, src=f"{source}/32", dst=f"{other}/32")
        self.white_list(TRUST, 6, dst=f"{target}/32")
        free = [tcp4(to(TRUST), src=source, dst=other, flags="S") for _ in range(4)]
        free += [tcp4(to(TRUST), src=fresh(), dst=target, flags="S") for _ in range(4)]
        counted = [tcp4(to(TRUST), src=fresh(), dst=other, flags="S") for _ in range(3)]
        self.burst(free + counted, 10, screen)


class SynFloodWhiteListSource(rates.Arriving):
    """The threshold by source does not hold of who is on it either; that of a neighbour does."""

    def runTest(self) -> None:
        screen, source = Drop.SCREEN_SYN_FLOOD_SOURCE, fresh6()
        other = fresh6()
        self.ingress_screens(TRUST, screen)
        self.thresholds(syn_flood_source=2, white_lists=1)
        self.white_list(TRUST, 6, src=f"{source}/128")
        frames = [tcp6(to(TRUST), src=source, flags="S")] * 4
        frames += [tcp6(to(TRUST), src=other, flags="S")] * 3
        self.burst(frames, 6, screen)


class UdpFloodWhiteList(rates.Arriving):
    """One of UDP says nothing of SYN, nor one of another zone of this."""

    def runTest(self) -> None:
        screen, source, target = Drop.SCREEN_UDP_FLOOD, fresh(), fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_flood=2, white_lists=1)
        self.white_list(TRUST, 17, src=f"{source}/32")
        self.white_list(TRUST, 6, dst="0.0.0.0/0")
        self.white_list(DMZ, 17, dst="0.0.0.0/0")
        frames = [udp4(to(TRUST), src=source, dst=target) for _ in range(4)]
        frames += [udp4(to(TRUST), src=fresh(), dst=target) for _ in range(3)]
        self.burst(frames, 6, screen)


class WhiteListOff(rates.Arriving):
    """A zone that has none asks none."""

    def runTest(self) -> None:
        screen, target = Drop.SCREEN_UDP_FLOOD, fresh()
        self.ingress_screens(TRUST, screen)
        self.thresholds(udp_flood=2)
        self.white_list(TRUST, 17, dst="0.0.0.0/0")
        self.burst([udp4(to(TRUST), dst=target) for _ in range(3)], 2, screen)


class ScreensThatSeeOnePacketComeFirst(rates.Arriving):
    """What they drop is not counted towards a flood."""

    def runTest(self) -> None:
        flood, winnuke, target = Drop.SCREEN_SYN_FLOOD_SOURCE, Drop.SCREEN_SYN_FIN, fresh()
        self.ingress_screens(TRUST, flood, winnuke)
        self.thresholds(syn_flood_source=1)
        for _ in range(3):
            self.send(TRUST.port, tcp4(to(TRUST), src=target, flags="SF"))
        frame = tcp4(to(TRUST), src=target, flags="S")
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(drops={winnuke: 3}, punts={Punt.MISS: 1}, screen_hits={(TRUST, winnuke): 3})
        self.assertGreater(flood - FIRST_SCREEN, winnuke - FIRST_SCREEN)
