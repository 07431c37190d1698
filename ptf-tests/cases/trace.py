"""Trace copies: of which packets, what each says, and that none else is made."""

from __future__ import annotations

from collections.abc import Mapping

from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.packet import Raw

from controller.reasons import Drop, FilterVerdict, Punt, Send, Stage, Verdict
from support import base
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNTRUST, out_of, to
from support.names import Match, Value
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    PUBLIC,
    SERVER6,
    SERVER_PORT,
    address,
    fabric,
    tcp4,
    tcp6,
    udp4,
)
from support.wings import TCP4, Session, session_table, wing

TRACE_SESSION = 1
CPU_PORT = 255
FILTER = 21
SESSION = Session(id=0x0A0B0C0D, wing=1, spu=2, epoch=0)


class _Trace(base.NpuTest):
    def setUp(self) -> None:
        super().setUp()
        self.client.replace_clone_session(TRACE_SESSION, CPU_PORT)

    def trace(self, match: Mapping[str, Match], version: int = 4) -> None:
        """A trace filter; packets of trust are traced."""
        self.client.insert(f"trace_v{version}", match, "trace", {"filter": FILTER}, priority=1)
        self.ingress_features(TRUST, trace=1)

    def expect_copy(
        self,
        frame: bytes,
        stage: Stage,
        verdict: Verdict,
        detail: int = 0,
        *,
        filter: int = FILTER,
        ingress_port: int = TRUST.port,
        token: int = TRUST.token,
        **header: int,
    ) -> None:
        """The controller gets this copy; packets for it may come before and behind."""
        packet = self.client.copy(base.ARRIVES, Punt.TRACE)
        expected = dict.fromkeys(packet.metadata, 0)
        expected |= {
            "reason": Punt.TRACE,
            "trace": 1,
            "ingress_port": ingress_port,
            "token": token,
            "stage": stage,
            "verdict": verdict,
            "detail": detail,
            "filter": filter,
            **header,
        }
        self.assertEqual(packet.metadata, expected)
        self.assertEqual(packet.frame.hex(), frame.hex())

    def forwarded_with_copies(self, frame: bytes, leaves: bytes) -> None:
        """A frame of trust rides to untrust: a copy as it came, and one as it left."""
        self.send(TRUST.port, frame)
        self.expect_frame(UNTRUST.port, leaves)
        port = {"egress_port": UNTRUST.port, **SESSION.header()}
        self.expect_copy(frame, Stage.EXPRESS, Verdict.FORWARD, **port)
        self.expect_copy(leaves, Stage.TRANSMIT, Verdict.FORWARD, **port)
        self.conclude(copies={Verdict.FORWARD: 1}, egress_copies={Verdict.FORWARD: 1})


class Miss(_Trace):
    """A first packet: the copy, and the packet itself with its mark."""

    def runTest(self) -> None:
        self.trace({"src_addr": address(CLIENT)})
        frame = tcp4(to(TRUST), flags="S")
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.SESSION, Verdict.PUNT, Punt.MISS)
        self.expect_punt(frame, Punt.MISS, TRUST, trace=1)
        self.conclude(punts={Punt.MISS: 1}, copies={Verdict.PUNT: 1})


class NormalSession(_Trace):
    """The copy knows the session."""

    def runTest(self) -> None:
        self.trace({"protocol": 6})
        self.to_spu(TCP4, SESSION)
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.SESSION, Verdict.PUNT, Punt.SESSION, **SESSION.header())
        self.expect_punt(frame, Punt.SESSION, TRUST, trace=1, **SESSION.header())
        self.conclude(punts={Punt.SESSION: 1}, copies={Verdict.PUNT: 1})


class ExpressPath(_Trace):
    """One copy as it arrived, one as it leaves."""

    def runTest(self) -> None:
        self.trace({"dst_port": SERVER_PORT})
        self.express_v4(TCP4, SESSION, {**TCP4, "src_addr": address(PUBLIC)}, UNTRUST)
        self.forwarded_with_copies(tcp4(to(TRUST)), tcp4(out_of(UNTRUST), src=PUBLIC, ttl=63))


class ExpressPathIpv6(_Trace):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.trace({"dst_addr": address(SERVER6)}, version=6)
        key = wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        self.express_v6(key, SESSION, UNTRUST)
        self.forwarded_with_copies(tcp6(to(TRUST)), tcp6(out_of(UNTRUST), hop_limit=63))


class TcpControl(_Trace):
    """What Express Path hands over."""

    def runTest(self) -> None:
        self.trace({"src_port": CLIENT_PORT})
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        frame = tcp4(to(TRUST), flags="FA")
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.EXPRESS, Verdict.PUNT, Punt.TCP_CONTROL, **SESSION.header())
        self.expect_punt(frame, Punt.TCP_CONTROL, TRUST, trace=1, **SESSION.header())
        self.conclude(punts={Punt.TCP_CONTROL: 1}, copies={Verdict.PUNT: 1})


class DroppedBySanity(_Trace):
    """A dropped packet yields its copy too."""

    def runTest(self) -> None:
        self.trace({"src_addr": (address("127.0.0.0"), 0xFF000000)})
        frame = tcp4(to(TRUST), src="127.0.0.1")
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.SANITY, Verdict.DROP, Drop.MARTIAN_SOURCE)
        self.conclude(drops={Drop.MARTIAN_SOURCE: 1}, copies={Verdict.DROP: 1})


class DroppedByAScreen(_Trace):
    """With the screen's reason."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_SYN_FIN
        self.trace({"src_addr": address(CLIENT)})
        self.ingress_screens(TRUST, screen)
        frame = tcp4(to(TRUST), flags="SF")
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.SCREENS, Verdict.DROP, screen)
        self.conclude(drops={screen: 1}, copies={Verdict.DROP: 1}, screen_hits={(TRUST, screen): 1})


class DroppedByAFilter(_Trace):
    """By an input filter that has no terms."""

    def runTest(self) -> None:
        self.trace({"protocol": 17})
        self.ingress_features(TRUST, filter_v4=99)
        frame = udp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.FILTER, Verdict.DROP, Drop.FILTER)
        self.conclude(drops={Drop.FILTER: 1}, copies={Verdict.DROP: 1})


class DroppedOnTheWayOut(_Trace):
    """Forwarded on the way in, dropped by a screen on the way out."""

    def runTest(self) -> None:
        screen = Drop.SCREEN_WINNUKE
        self.trace({"src_addr": address(CLIENT)})
        self.egress_screens(UNTRUST, screen)
        key = {**TCP4, "dst_port": 139}
        self.express_v4(key, SESSION, key, UNTRUST)
        frame = tcp4(to(TRUST), dport=139, flags="UA")
        self.send(TRUST.port, frame)
        header = SESSION.header()
        self.expect_copy(frame, Stage.EXPRESS, Verdict.FORWARD, egress_port=UNTRUST.port, **header)
        self.expect_copy(
            tcp4(out_of(UNTRUST), dport=139, flags="UA", ttl=63),
            Stage.EGRESS_SCREENS,
            Verdict.DROP,
            screen,
            **header,
        )
        self.conclude(
            egress_drops={screen: 1},
            copies={Verdict.FORWARD: 1},
            egress_copies={Verdict.DROP: 1},
            egress_screen_hits={(UNTRUST, screen): 1},
        )


class NoInterfaceOnTheWayOut(_Trace):
    """The stage and reason of a wing that leads nowhere."""

    def runTest(self) -> None:
        self.trace({"src_addr": address(CLIENT)})
        self.client.delete("egress_interface", {"port": UNTRUST.port, "vlan": 0})
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame)
        header = SESSION.header()
        self.expect_copy(frame, Stage.EXPRESS, Verdict.FORWARD, egress_port=UNTRUST.port, **header)
        leaves = tcp4(out_of(UNTRUST), ttl=63)
        self.expect_copy(leaves, Stage.EGRESS_INTERFACE, Verdict.DROP, Drop.NO_EGRESS, **header)
        self.conclude(
            egress_drops={Drop.NO_EGRESS: 1},
            copies={Verdict.FORWARD: 1},
            egress_copies={Verdict.DROP: 1},
        )


class AcrossTheFabric(_Trace):
    """The mark goes along; the far NPU copies without a filter of its own."""

    def runTest(self) -> None:
        self.trace({"src_addr": address(CLIENT)})
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST, port=FABRIC_PORT, remote_port=UNTRUST.port)
        frame, leaves = tcp4(to(TRUST)), tcp4(out_of(UNTRUST), ttl=63)
        travels = fabric(leaves, 1 << 15 | UNTRUST.port, SESSION.id, TRUST.zone)
        self.send(TRUST.port, frame)
        self.expect_frame(FABRIC_PORT, travels)
        port = {"egress_port": FABRIC_PORT, **SESSION.header()}
        self.expect_copy(frame, Stage.EXPRESS, Verdict.FORWARD, **port)
        self.expect_copy(travels, Stage.FABRIC, Verdict.FORWARD, **port)
        self.send(FABRIC_PORT, travels)
        self.expect_frame(UNTRUST.port, leaves)
        far = {
            "filter": 0,
            "ingress_port": FABRIC_PORT,
            "token": 0,
            "session_id": SESSION.id,
            "egress_port": UNTRUST.port,
        }
        self.expect_copy(leaves, Stage.FABRIC, Verdict.FORWARD, **far)
        self.expect_copy(leaves, Stage.TRANSMIT, Verdict.FORWARD, **far)
        self.conclude(copies={Verdict.FORWARD: 2}, egress_copies={Verdict.FORWARD: 2})


class ThroughTheSpu(_Trace):
    """An SPU gives the mark back with the packet; then its way out is copied."""

    def runTest(self) -> None:
        frame = tcp4(out_of(UNTRUST))
        self.client.packet_out(frame, send=Send.EGRESS, egress_port=UNTRUST.port, trace=1)
        self.expect_frame(UNTRUST.port, frame)
        self.expect_copy(
            frame,
            Stage.TRANSMIT,
            Verdict.FORWARD,
            filter=0,
            ingress_port=CPU_PORT,
            token=0,
            egress_port=UNTRUST.port,
        )
        self.conclude(egress_copies={Verdict.FORWARD: 1})


class _Not(_Trace):
    """A filter with one field that is not the packet's."""

    match: Mapping[str, Match]

    def runTest(self) -> None:
        self.trace(self.match)
        self.misses(TRUST, tcp4(to(TRUST)))


OTHERS: dict[str, Mapping[str, Match]] = {
    "Port": {"port": UNTRUST.port},
    "Source": {"src_addr": address("10.9.9.9")},
    "Destination": {"dst_addr": address("10.9.9.9")},
    "SourcePort": {"src_port": CLIENT_PORT + 1},
    "DestinationPort": {"dst_port": SERVER_PORT + 1},
    "Protocol": {"protocol": 17},
}
for _name, _match in OTHERS.items():
    globals()[f"Not{_name}"] = type(
        f"Not{_name}",
        (_Not,),
        {"match": _match, "__module__": __name__, "__doc__": f"{_name}: {_Not.__doc__}"},
    )


class OtherInterface(_Trace):
    """An interface that is not to be traced makes no copies, whatever the filters."""

    def runTest(self) -> None:
        self.trace({})
        self.misses(DMZ, tcp4(to(DMZ)))


class OtherVersion(_Trace):
    """A filter for IPv4 finds no IPv6."""

    def runTest(self) -> None:
        self.trace({})
        self.misses(TRUST, tcp6(to(TRUST)))


class NoFilter(_Trace):
    """An interface to be traced, without filters: no copies."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, trace=1)
        self.misses(TRUST, tcp4(to(TRUST)))


class FilterLog(_Trace):
    """A term that logs yields copies, whose filter is 0."""

    def runTest(self) -> None:
        term: dict[str, Value] = dict.fromkeys(
            ("count", "policer", "policer_action", "set_class", "forwarding_class"), 0
        )
        term |= {"set_loss": 0, "loss_priority": 0, "log": 1, "verdict": FilterVerdict.DISCARD}
        self.ingress_features(TRUST, filter_v4=5)
        self.client.insert("input_filter_v4", {"filter": 5}, "input_filter_term", term, priority=1)
        frame = udp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.expect_copy(frame, Stage.FILTER, Verdict.DROP, Drop.FILTER, filter=0)
        self.conclude(drops={Drop.FILTER: 1}, copies={Verdict.DROP: 1})


class OutputReject(_Trace):
    """An output filter that rejects drops the packet and gives the controller one to answer."""

    def runTest(self) -> None:
        term: dict[str, Value] = dict.fromkeys(
            ("count", "policer", "policer_action", "set_class", "forwarding_class"), 0
        )
        term |= {"set_loss": 0, "loss_priority": 0, "log": 0, "verdict": FilterVerdict.REJECT}
        self.egress_features(UNTRUST, filter_v4=5)
        self.client.insert(
            "output_filter_v4", {"filter": 5}, "output_filter_term", term, priority=1
        )
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        self.send(TRUST.port, tcp4(to(TRUST)))
        packet = self.client.packet_in(base.ARRIVES)
        self.assertEqual(packet.frame, tcp4(out_of(UNTRUST), ttl=63))
        for name, value in {
            "reason": Punt.FILTER_REJECT,
            "ingress_port": TRUST.port,
            "token": TRUST.token,
            "stage": Stage.EGRESS_FILTER,
            "verdict": Verdict.DROP,
            "detail": Drop.FILTER_REJECT,
            "session_id": SESSION.id,
        }.items():
            self.assertEqual(packet.metadata[name], value, name)
        self.conclude(egress_drops={Drop.FILTER_REJECT: 1}, egress_copies={Verdict.DROP: 1})


class CopyOfEveryHeader(_Trace):
    """A copy is the whole frame: tag, options or extension headers, payload."""

    def runTest(self) -> None:
        self.client.insert("trace_v6", {}, "trace", {"filter": FILTER}, priority=1)
        self.ingress_features(DMZ, trace=1)
        chain = IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrDestOpt()
        udp = UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA * 4)
        frame = bytes(to(DMZ) / chain / udp)
        self.send(DMZ.port, frame)
        where = {"ingress_port": DMZ.port, "token": DMZ.token}
        self.expect_copy(frame, Stage.SESSION, Verdict.PUNT, Punt.MISS, **where)
        self.expect_punt(frame, Punt.MISS, DMZ, trace=1)
        self.conclude(punts={Punt.MISS: 1}, copies={Verdict.PUNT: 1})


class ACopyIsNotTheWings(_Trace):
    """A copy counts for no wing."""

    def runTest(self) -> None:
        self.trace({})
        self.to_spu(TCP4, SESSION)
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.client.copy(base.ARRIVES, Punt.TRACE)
        self.client.packet_in(base.ARRIVES)
        self.assertEqual(self.client.direct_count(session_table(TCP4), TCP4).packets, 1)
        self.conclude(punts={Punt.SESSION: 1}, copies={Verdict.PUNT: 1})


del _Trace, _Not
