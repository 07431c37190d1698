"""Classifiers, rewrite rules and shapers."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from controller.reasons import Drop, Punt, Send
from support import base
from support.client import Rates
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNTRUST, out_of, to
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    HOST_MAC,
    SERVER,
    SERVER6,
    SERVER_PORT,
    fabric,
    tcp4,
    udp4,
)
from support.wings import UDP4, Session, wing

PROFILE = 3
SESSION = Session(id=0x01020304, wing=0, spu=2)
UDP6 = wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 17, TRUST.token)


def marked(link: object, dscp: int, ecn: int = 0, ttl: int = 64) -> bytes:
    """UDP over IPv4 with a code point."""
    ip = IP(src=CLIENT, dst=SERVER, tos=dscp << 2 | ecn, ttl=ttl)
    return bytes(link / ip / UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA))  # type: ignore[operator]


def marked6(link: object, dscp: int, ecn: int = 0, hop_limit: int = 64) -> bytes:
    """The same over IPv6."""
    ip = IPv6(src=CLIENT6, dst=SERVER6, tc=dscp << 2 | ecn, hlim=hop_limit)
    return bytes(link / ip / UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA))  # type: ignore[operator]


class _Class(base.NpuTest):
    def classify(self, kind: str, class_: int, loss: int, **key: int) -> None:
        """What a classifier makes of a code point."""
        params = {"forwarding_class": class_, "loss_priority": loss}
        self.client.insert(
            f"{kind}_classifier", {"classifier": PROFILE, **key}, "set_class", dict(params)
        )

    def rewrite(self, class_: int, loss: int, dscp: int) -> None:
        """What a rewrite rule makes of a class."""
        key = {"rewrite": PROFILE, "forwarding_class": class_, "loss_priority": loss}
        self.client.insert("dscp_rewrite", dict(key), "set_dscp", {"dscp": dscp})


class DscpClassifier(_Class):
    """Code points of IPv4 and IPv6; one that the classifier does not list has class 0."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, dscp_classifier=PROFILE)
        self.classify("dscp", 5, 1, dscp=46)
        for frame, header in (
            (marked(to(TRUST), 46), {"forwarding_class": 5, "loss_priority": 1}),
            (marked6(to(TRUST), 46, ecn=3), {"forwarding_class": 5, "loss_priority": 1}),
            (marked(to(TRUST), 45), {}),
        ):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST, **header)
        self.conclude(punts={Punt.MISS: 3})


class PcpClassifier(_Class):
    """802.1p of tagged frames, priority and drop eligibility."""

    def runTest(self) -> None:
        self.ingress_features(DMZ, pcp_classifier=PROFILE)
        self.classify("pcp", 6, 2, pcp=5, dei=0)
        self.classify("pcp", 6, 3, pcp=5, dei=1)
        for dei, loss in ((0, 2), (1, 3)):
            link = Ether(dst=DMZ.mac, src=HOST_MAC) / Dot1Q(vlan=DMZ.vlan, prio=5, id=dei)
            frame = udp4(link)
            self.send(DMZ.port, frame)
            self.expect_punt(frame, Punt.MISS, DMZ, forwarding_class=6, loss_priority=loss)
        self.conclude(punts={Punt.MISS: 2})


class DscpHasTheLastWord(_Class):
    """Where both classify, DSCP stands."""

    def runTest(self) -> None:
        self.ingress_features(DMZ, pcp_classifier=PROFILE, dscp_classifier=PROFILE)
        self.classify("pcp", 6, 2, pcp=5, dei=0)
        self.classify("dscp", 1, 0, dscp=10)
        link = Ether(dst=DMZ.mac, src=HOST_MAC) / Dot1Q(vlan=DMZ.vlan, prio=5)
        for dscp, header in (
            (10, {"forwarding_class": 1}),
            (11, {"forwarding_class": 6, "loss_priority": 2}),
        ):
            frame = marked(link, dscp)
            self.send(DMZ.port, frame)
            self.expect_punt(frame, Punt.MISS, DMZ, **header)
        self.conclude(punts={Punt.MISS: 2})


class RewriteOnExpressPath(_Class):
    """In by one code point, out by another; ECN stays, checksums are right."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, dscp_classifier=PROFILE)
        self.egress_features(UNTRUST, dscp_rewrite=PROFILE)
        self.classify("dscp", 5, 1, dscp=46)
        self.rewrite(5, 1, dscp=34)
        self.express_v4(UDP4, SESSION, UDP4, UNTRUST)
        self.express_v6(UDP6, SESSION, UNTRUST)
        self.send(TRUST.port, marked(to(TRUST), 46, ecn=2))
        self.expect_frame(UNTRUST.port, marked(out_of(UNTRUST), 34, ecn=2, ttl=63))
        self.send(TRUST.port, marked6(to(TRUST), 46, ecn=1))
        self.expect_frame(UNTRUST.port, marked6(out_of(UNTRUST), 34, ecn=1, hop_limit=63))
        # Class 0 has no rule.
        self.send(TRUST.port, marked(to(TRUST), 45))
        self.expect_frame(UNTRUST.port, marked(out_of(UNTRUST), 45, ttl=63))
        self.conclude()


class RewriteEveryCodePoint(_Class):
    """The corrected header checksum is the one that scapy computes, from and to any value."""

    def runTest(self) -> None:
        self.egress_features(UNTRUST, dscp_rewrite=PROFILE)
        for dscp in (0, 1, 31, 32, 63):
            self.rewrite(0, 0, dscp=dscp)
            for before in (0, 1, 46, 62, 63):
                self.packet_out(marked(out_of(UNTRUST), before), UNTRUST.port, Send.EGRESS)
                self.expect_frame(UNTRUST.port, marked(out_of(UNTRUST), dscp))
            self.client.clear("dscp_rewrite")
        self.conclude()


class ClassAcrossTheFabric(_Class):
    """The far NPU rewrites by the class that the near one found."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, dscp_classifier=PROFILE)
        self.egress_features(UNTRUST, dscp_rewrite=PROFILE)
        self.classify("dscp", 5, 2, dscp=46)
        self.rewrite(5, 2, dscp=34)
        self.express_v4(UDP4, SESSION, UDP4, UNTRUST, port=FABRIC_PORT, remote_port=UNTRUST.port)
        self.send(TRUST.port, marked(to(TRUST), 46))
        # trace 0, class 5, loss priority 2, pad 0, then 9 bits of port
        head = 5 << 12 | 2 << 10 | UNTRUST.port
        travels = fabric(marked(out_of(UNTRUST), 46, ttl=63), head, SESSION.id, TRUST.zone)
        self.expect_frame(FABRIC_PORT, travels)
        self.send(FABRIC_PORT, travels)
        self.expect_frame(UNTRUST.port, marked(out_of(UNTRUST), 34, ttl=63))
        self.conclude()


class ClassThroughTheSpu(_Class):
    """A packet-out says the class that its packet-in said."""

    def runTest(self) -> None:
        self.egress_features(UNTRUST, dscp_rewrite=PROFILE)
        self.rewrite(7, 3, dscp=56)
        self.client.packet_out(
            marked(out_of(UNTRUST), 0),
            send=Send.EGRESS,
            egress_port=UNTRUST.port,
            forwarding_class=7,
            loss_priority=3,
        )
        self.expect_frame(UNTRUST.port, marked(out_of(UNTRUST), 56))
        self.conclude()


class Shaper(_Class):
    """What exceeds a class's rate falls; other classes have rates of their own."""

    def runTest(self) -> None:
        self.egress_features(UNTRUST, shaper=9)
        rates = Rates(committed=1, committed_burst=250, peak=1, peak_burst=250)
        self.client.set_meter("shapers", 9 * 8 + 4, rates)
        self.addCleanup(self.client.set_meter, "shapers", 9 * 8 + 4, None)
        frame = udp4(out_of(UNTRUST))
        for class_ in (4, 4, 4, 0, 0, 0):
            self.client.packet_out(
                frame, send=Send.EGRESS, egress_port=UNTRUST.port, forwarding_class=class_
            )
        for _ in range(5):
            self.expect_frame(UNTRUST.port, frame)
        self.conclude(egress_drops={Drop.SHAPER: 1})


class FeaturesOfTheWayInStayThere(_Class):
    """An interface out without features of its own does not inherit any."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, filter_v4=77, filter_v6=77, dscp_classifier=PROFILE)
        self.client.insert(
            "input_filter_v4",
            {"filter": 77},
            "input_filter_term",
            {
                "verdict": 0,
                "count": 0,
                "policer": 0,
                "policer_action": 0,
                "set_class": 0,
                "forwarding_class": 0,
                "set_loss": 0,
                "loss_priority": 0,
                "log": 0,
            },
            priority=1,
        )
        self.egress(UNTRUST, features=1)
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        self.express_v4(key, SESSION, key, UNTRUST)
        self.forwarded(TRUST, tcp4(to(TRUST)), UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))


del _Class
