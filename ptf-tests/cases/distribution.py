"""Who gets first packets: the central point, or the SPU of their bucket."""

from __future__ import annotations

from collections import Counter

from controller.reasons import Punt
from support import base
from support.interfaces import DMZ, TRUST, UNTRUST, to
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    SERVER,
    SERVER6,
    SERVER_PORT,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from support.wings import Session, wing


class _Distribution(base.NpuTest):
    def setUp(self) -> None:
        super().setUp()
        self.client.set_default("distribution", "normal")
        self.addCleanup(self.client.set_default, "distribution", "normal")

    def buckets(self, shares: dict[int, int]) -> None:
        """Give SPUs so many buckets each, in order."""
        bucket = 0
        for spu, share in shares.items():
            for _ in range(share):
                self.client.insert("spu_bucket", {"bucket": bucket}, "set_spu", {"spu": spu})
                bucket += 1

    def spu_of(self, port: int, frame: bytes) -> int:
        """The SPU that the first packet of a flow is for."""
        self.send(port, frame)
        packet = self.client.packet_in(base.ARRIVES)
        self.assertEqual(packet.metadata["reason"], Punt.MISS)
        self.assertEqual(packet.frame, frame)
        return packet.metadata["spu"]


class Normal(_Distribution):
    """Buckets mean nothing: no SPU is named."""

    def runTest(self) -> None:
        self.buckets({1: 256})
        self.misses(TRUST, tcp4(to(TRUST)))


class HashBased(_Distribution):
    """Every packet of a flow has one SPU, which another flow may share or not."""

    def runTest(self) -> None:
        self.buckets({1: 128, 2: 128})
        self.client.set_default("distribution", "hash_based")
        flows = [udp4(to(TRUST), sport=port) for port in range(2000, 2040)]
        spus = [self.spu_of(TRUST.port, flow) for flow in flows]
        self.assertEqual(set(spus), {1, 2})
        self.assertEqual([self.spu_of(TRUST.port, flow) for flow in flows], spus)
        self.conclude(punts={Punt.MISS: 80})


class BothDirections(_Distribution):
    """The answer of a flow without translation goes to the same SPU, IPv6 too."""

    def runTest(self) -> None:
        self.buckets(dict.fromkeys(range(1, 9), 32))
        self.client.set_default("distribution", "hash_based")
        for port in range(3000, 3016):
            there = self.spu_of(TRUST.port, tcp4(to(TRUST), sport=port))
            back = tcp4(to(UNTRUST), src=SERVER, dst=CLIENT, sport=SERVER_PORT, dport=port)
            self.assertEqual(self.spu_of(UNTRUST.port, back), there)
            there = self.spu_of(TRUST.port, udp6(to(TRUST), sport=port))
            back = udp6(to(UNTRUST), src=SERVER6, dst=CLIENT6, sport=SERVER_PORT, dport=port)
            self.assertEqual(self.spu_of(UNTRUST.port, back), there)


class Weights(_Distribution):
    """An SPU's weight is its share of buckets."""

    def runTest(self) -> None:
        self.buckets({1: 192, 2: 64})
        self.client.set_default("distribution", "hash_based")
        found = Counter(
            self.spu_of(TRUST.port, udp4(to(TRUST), sport=port)) for port in range(10000, 10400)
        )
        self.assertEqual(sum(found.values()), 400)
        # 300 expected; the hash is no dice, but 40 more or less would be no hash either.
        self.assertLess(abs(found[1] - 300), 40, found)


class EmptyBucket(_Distribution):
    """Of a bucket without SPU the central point decides."""

    def runTest(self) -> None:
        self.client.set_default("distribution", "hash_based")
        self.misses(TRUST, tcp6(to(TRUST)))


class SwitchedWhileRunning(_Distribution):
    """There and back."""

    def runTest(self) -> None:
        self.buckets({4: 256})
        frame = tcp4(to(DMZ))
        for action, spu in (("hash_based", 4), ("normal", 0), ("hash_based", 4)):
            self.client.set_default("distribution", action)
            self.assertEqual(self.spu_of(DMZ.port, frame), spu)
        self.conclude(punts={Punt.MISS: 3})


class SessionsKeepTheirSpu(_Distribution):
    """Only misses are distributed."""

    def runTest(self) -> None:
        self.buckets({4: 256})
        self.client.set_default("distribution", "hash_based")
        session = Session(id=3, wing=0, spu=9)
        self.to_spu(wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token), session)
        self.punted(TRUST, tcp4(to(TRUST)), Punt.SESSION, **session.header())


del _Distribution
