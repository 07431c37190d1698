"""Entries as the controller keeps them: counters, idle time-outs, changes, capacity."""

from __future__ import annotations

import time

import grpc
from finsy.proto import p4r
from ptf import testutils

from controller.reasons import Drop, Punt, Send
from support import base
from support.client import Client, Count
from support.interfaces import DMZ, TRUST, UNCONFIGURED_PORT, UNTRUST, out_of, to
from support.names import Value
from support.packets import CLIENT, SERVER, SERVER_PORT, tcp4, tcp6, udp4
from support.wings import TCP4, TCP6, UDP4, Session, hop, wing

SESSION = Session(id=77, wing=0, spu=2)
OTHER = Session(id=78, wing=1, spu=3)
SECOND = 1_000_000_000


class PacketsAndBytes(base.NpuTest):
    """Each wing counts its own, on Express Path and through the SPU, in bytes of whole frames."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        self.to_spu(UDP4, OTHER)
        self.express_v6(TCP6, SESSION, DMZ)
        total = 0
        for size in (0, 1, 100, 1400):
            frame = tcp4(to(TRUST), data=bytes(size))
            total += len(frame)
            self.send(TRUST.port, frame)
            self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), data=bytes(size), ttl=63))
        control = tcp4(to(TRUST), flags="FA")
        self.send(TRUST.port, control)
        self.expect_punt(control, Punt.TCP_CONTROL, TRUST, **SESSION.header())
        total += len(control)
        datagram = udp4(to(TRUST))
        for _ in range(3):
            self.send(TRUST.port, datagram)
            self.expect_punt(datagram, Punt.SESSION, TRUST, **OTHER.header())
        self.send(TRUST.port, tcp6(to(TRUST)))
        self.expect_frame(DMZ.port, tcp6(out_of(DMZ), hop_limit=63))
        self.assertEqual(self.client.direct_count("session_v4", TCP4), Count(5, total))
        self.assertEqual(self.client.direct_count("session_v4", UDP4), Count(3, 3 * len(datagram)))
        self.assertEqual(
            self.client.direct_count("session_v6", TCP6), Count(1, len(tcp6(to(TRUST))))
        )
        self.conclude(punts={Punt.TCP_CONTROL: 1, Punt.SESSION: 3})


class CountersStartAtZero(base.NpuTest):
    """A wing that was removed and set up again counts from the start."""

    def runTest(self) -> None:
        for _ in range(2):
            self.to_spu(TCP4, SESSION)
            self.assertEqual(self.client.direct_count("session_v4", TCP4), Count(0, 0))
            self.send(TRUST.port, tcp4(to(TRUST)))
            self.expect_punt(tcp4(to(TRUST)), Punt.SESSION, TRUST, **SESSION.header())
            self.assertEqual(self.client.direct_count("session_v4", TCP4).packets, 1)
            self.client.delete("session_v4", TCP4)


class DroppedPacketsHitNoWing(base.NpuTest):
    """What sanity refuses is not the session's traffic; what Express Path punts is."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame[:24] + bytes([frame[24] ^ 1]) + frame[25:])
        self.conclude(drops={Drop.IP_CHECKSUM: 1})
        self.assertEqual(self.client.direct_count("session_v4", TCP4).packets, 0)
        last_hop = tcp4(to(TRUST), ttl=1)
        self.send(TRUST.port, last_hop)
        self.expect_punt(last_hop, Punt.TTL_EXPIRED, TRUST, **SESSION.header())
        self.conclude(drops={Drop.IP_CHECKSUM: 1}, punts={Punt.TTL_EXPIRED: 1})
        self.assertEqual(self.client.direct_count("session_v4", TCP4).packets, 1)


class FromNormalToExpress(base.NpuTest):
    """A session moves to Express Path and back by a change of its entry."""

    def runTest(self) -> None:
        self.to_spu(TCP4, SESSION)
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.SESSION, TRUST, **SESSION.header())
        params: dict[str, Value] = {
            name: TCP4[name] for name in ("src_addr", "dst_addr", "src_port")
        }
        params |= {"dst_port": 8080, **SESSION.params(), **hop(UNTRUST, None, 0)}
        self.client.modify("session_v4", TCP4, "express_v4", params)
        self.send(TRUST.port, frame)
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), dport=8080, ttl=63))
        self.client.modify("session_v4", TCP4, "to_spu", OTHER.params())
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.SESSION, TRUST, **OTHER.header())
        self.conclude(punts={Punt.SESSION: 2})


class Deleted(base.NpuTest):
    """A wing that is gone no longer matches, its reverse and its neighbours still do."""

    def runTest(self) -> None:
        self.to_spu(TCP4, SESSION)
        self.to_spu(UDP4, OTHER)
        self.client.delete("session_v4", TCP4)
        self.misses(TRUST, tcp4(to(TRUST)))
        self.send(TRUST.port, udp4(to(TRUST)))
        self.expect_punt(udp4(to(TRUST)), Punt.SESSION, TRUST, **OTHER.header())


class DeletedIpv6(base.NpuTest):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.to_spu(TCP6, SESSION)
        self.send(TRUST.port, tcp6(to(TRUST)))
        self.expect_punt(tcp6(to(TRUST)), Punt.SESSION, TRUST, **SESSION.header())
        self.client.delete("session_v6", TCP6)
        self.send(TRUST.port, tcp6(to(TRUST)))
        self.expect_punt(tcp6(to(TRUST)), Punt.MISS, TRUST)
        self.conclude(punts={Punt.SESSION: 1, Punt.MISS: 1})


class ReadBack(base.NpuTest):
    """An entry reads as it was written: key, action, time-out and the controller's own metadata."""

    def runTest(self) -> None:
        self.client.insert(
            "session_v6",
            TCP6,
            "to_spu",
            SESSION.params(),
            idle_ns=60 * SECOND,
            metadata=b"session 77, forward",
        )
        (entry,) = self.client.entries("session_v6")
        expected_key = {
            name: int.from_bytes(value, "big") if isinstance(value, bytes) else value
            for name, value in TCP6.items()
        }
        self.assertEqual(self.client.names.key_of(entry), expected_key)
        self.assertEqual(self.client.names.action_of(entry), ("to_spu", dict(SESSION.params())))
        self.assertEqual(entry.idle_timeout_ns, 60 * SECOND)
        self.assertEqual(entry.metadata, b"session 77, forward")


class TwiceTheSame(base.NpuTest):
    """An entry that exists cannot be inserted, one that does not cannot be deleted."""

    def runTest(self) -> None:
        self.to_spu(TCP4, SESSION)
        with self.assertRaises(grpc.RpcError):
            self.to_spu(TCP4, OTHER)
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.expect_punt(tcp4(to(TRUST)), Punt.SESSION, TRUST, **SESSION.header())
        self.client.delete("session_v4", TCP4)
        with self.assertRaises(grpc.RpcError):
            self.client.delete("session_v4", TCP4)


class IdleNotice(base.NpuTest):
    """A wing without packets is reported after its time-out, with its key; it stays in place."""

    def runTest(self) -> None:
        started = time.monotonic()
        self.to_spu(TCP4, SESSION, idle_ns=SECOND)
        self.to_spu(UDP4, OTHER)  # never idle: time-out 0
        notice = self.client.idle_notice(10)
        # A target may sweep coarsely and report late, but never early.
        self.assertGreater(time.monotonic() - started, 0.9)
        self.assertEqual(self.client.names.table_of(notice.table_id), "session_v4")
        self.assertEqual(
            self.client.names.key_of(notice),
            self.client.names.key_of(self.client.names.entry("session_v4", TCP4)),
        )
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.expect_punt(tcp4(to(TRUST)), Punt.SESSION, TRUST, **SESSION.header())
        self.client.delete("session_v4", TCP4)


class IdleNoticeIpv6(base.NpuTest):
    """The same over IPv6, on Express Path."""

    def runTest(self) -> None:
        params = SESSION.params() | hop(UNTRUST, None, 0)
        self.client.insert("session_v6", TCP6, "express_v6", params, idle_ns=SECOND)
        notice = self.client.idle_notice(10)
        self.assertEqual(self.client.names.table_of(notice.table_id), "session_v6")
        self.client.delete("session_v6", TCP6)


class PacketsKeepItFromIdling(base.NpuTest):
    """A wing that is hit more often than its time-out is not reported; its neighbour is."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST, idle_ns=3 * SECOND)
        self.to_spu(UDP4, OTHER, idle_ns=3 * SECOND)
        reported = set()
        give_up = time.monotonic() + 10
        while "udp" not in reported and time.monotonic() < give_up:
            self.send(TRUST.port, tcp4(to(TRUST)))
            time.sleep(0.25)
            while not self.client.idle.empty():
                key = self.client.names.key_of(self.client.idle.get())
                reported.add("udp" if key["protocol"] == 17 else "tcp")
        self.assertEqual(reported, {"udp"})
        self.dataplane.flush()
        self.client.clear("session_v4")


class ManyInOneWrite(base.NpuTest):
    """A thousand wings in one Write, all of them matched, all removed in another."""

    def runTest(self) -> None:
        keys = [wing(CLIENT, SERVER, 1000 + n, SERVER_PORT, 17, TRUST.token) for n in range(1000)]
        entry = self.client.names.entry
        self.client.write(
            (p4r.Update.INSERT, entry("session_v4", key, "to_spu", Session(n, n & 1, 1).params()))
            for n, key in enumerate(keys)
        )
        for n in (0, 1, 499, 998, 999):
            frame = udp4(to(TRUST), sport=1000 + n)
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.SESSION, TRUST, session_id=n, wing=n & 1, spu=1)
        self.assertEqual(len(self.client.entries("session_v4")), 1000)
        self.client.write((p4r.Update.DELETE, entry("session_v4", key)) for key in keys)
        self.assertEqual(self.client.entries("session_v4"), [])


class DropCountersAreSeparate(base.NpuTest):
    """Each reason has its cell, ingress and egress each their own."""

    def runTest(self) -> None:
        self.send(TRUST.port, tcp4(to(TRUST), src="127.0.0.1"))
        self.send(TRUST.port, tcp4(to(UNTRUST)))
        self.send(TRUST.port, tcp4(to(TRUST))[:30])
        for _ in range(3):
            self.packet_out(tcp4(out_of(UNTRUST)), UNCONFIGURED_PORT, Send.EGRESS)
        self.conclude(
            drops={Drop.MARTIAN_SOURCE: 1, Drop.NOT_FOR_US: 1, Drop.TRUNCATED: 1},
            egress_drops={Drop.NO_EGRESS: 3},
        )


class InterfaceRemoved(base.NpuTest):
    """An interface that is deleted takes no packets and sends none; a new one does both."""

    def runTest(self) -> None:
        key: dict[str, Value] = {"port": UNTRUST.port, "vlan": 0}
        self.client.delete("ingress_interface", key)
        self.client.delete("egress_interface", key)
        self.send(UNTRUST.port, tcp4(to(UNTRUST)))
        self.packet_out(tcp4(out_of(UNTRUST)), UNTRUST.port, Send.EGRESS)
        self.conclude(drops={Drop.NO_INTERFACE: 1}, egress_drops={Drop.NO_EGRESS: 1})
        self.set_interface(UNTRUST)
        self.packet_out(tcp4(out_of(UNTRUST)), UNTRUST.port, Send.EGRESS)
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST)))


class OneControllerIsPrimary(base.NpuTest):
    """A later controller with a higher election number takes packets and writes over."""

    def runTest(self) -> None:
        later = Client(testutils.test_param_get("address"), self.client.names)
        self.addCleanup(later.close)
        frame = tcp4(to(TRUST))
        self.send(TRUST.port, frame)
        self.assertEqual(later.packet_in(base.ARRIVES).frame, frame)
        with self.assertRaises(grpc.RpcError):
            self.to_spu(TCP4, SESSION)
