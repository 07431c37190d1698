"""Where every packet goes: arrivals, departures, and the meter in front of the controller.

Every case of every file ends with the sum; here is what the single counters say.
"""

from __future__ import annotations

from controller.reasons import Drop, Punt, Send
from support import base
from support.client import Rates
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNCONFIGURED_PORT, UNTRUST, out_of, to
from support.packets import fabric, tcp4, udp4
from support.wings import TCP4, Session

CPU_PORT = 255
SESSION = Session(id=12, wing=0, spu=1)
TWO = Rates(committed=1, committed_burst=2, peak=1, peak_burst=2)
"""Two packets, and then one a second."""


class ByPort(base.NpuTest):
    """Each port counts what comes by it, and what leaves by it."""

    def runTest(self) -> None:
        before = {name: self.client.counts(name) for name in ("arrived", "forwarded")}
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        for _ in range(3):
            self.send(TRUST.port, tcp4(to(TRUST)))
            self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))
        self.send(UNCONFIGURED_PORT, tcp4(to(TRUST)))
        raw = tcp4(out_of(DMZ))
        self.packet_out(raw, DMZ.port, Send.RAW)
        self.expect_frame(DMZ.port, raw)
        carried = tcp4(out_of(UNTRUST))
        self.send(FABRIC_PORT, fabric(carried, UNTRUST.port, 5))
        self.expect_frame(UNTRUST.port, carried)
        self.conclude(drops={Drop.NO_INTERFACE: 1})
        found = {
            name: {
                port: packets - before[name].get(port, 0)
                for port, packets in self.client.counts(name).items()
                if packets != before[name].get(port, 0)
            }
            for name in before
        }
        self.assertEqual(
            found,
            {
                "arrived": {TRUST.port: 3, UNCONFIGURED_PORT: 1, CPU_PORT: 1, FABRIC_PORT: 1},
                "forwarded": {UNTRUST.port: 4, DMZ.port: 1},
            },
        )


class _Metered(base.NpuTest):
    def limit(self, reason: Punt) -> None:
        """Two packets for this reason."""
        self.client.set_meter("punt_meter", reason, TWO)
        self.addCleanup(self.client.set_meter, "punt_meter", reason, None)


class MissesAreLimited(_Metered):
    """What the meter refuses is dropped, counted, and takes nothing from other reasons."""

    def runTest(self) -> None:
        self.limit(Punt.MISS)
        self.to_spu(TCP4, SESSION)
        frames = [udp4(to(TRUST), dport=port) for port in range(5)]
        for frame in frames:
            self.send(TRUST.port, frame)
        for frame in frames[:2]:
            self.expect_punt(frame, Punt.MISS, TRUST)
        for _ in range(3):
            known = tcp4(to(TRUST))
            self.send(TRUST.port, known)
            self.expect_punt(known, Punt.SESSION, TRUST, **SESSION.header())
        self.conclude(
            drops={Drop.PUNT_LIMIT: 3},
            punts={Punt.MISS: 2, Punt.SESSION: 3},
            refused={Punt.MISS: 3},
        )


class EveryReasonHasItsMeter(_Metered):
    """TCP control of Express Path is limited alone; its data goes on."""

    def runTest(self) -> None:
        self.limit(Punt.TCP_CONTROL)
        self.express_v4(TCP4, SESSION, TCP4, UNTRUST)
        control = tcp4(to(TRUST), flags="FA")
        for _ in range(4):
            self.send(TRUST.port, control)
        for _ in range(2):
            self.expect_punt(control, Punt.TCP_CONTROL, TRUST, **SESSION.header())
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))
        miss = udp4(to(TRUST))
        self.send(TRUST.port, miss)
        self.expect_punt(miss, Punt.MISS, TRUST)
        self.conclude(
            drops={Drop.PUNT_LIMIT: 2},
            punts={Punt.TCP_CONTROL: 2, Punt.MISS: 1},
            refused={Punt.TCP_CONTROL: 2},
        )


class WithoutRates(base.NpuTest):
    """A meter that was never given rates refuses nothing."""

    def runTest(self) -> None:
        frame = udp4(to(TRUST))
        for _ in range(20):
            self.send(TRUST.port, frame)
        for _ in range(20):
            self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 20})


class CopiesAreLimited(_Metered):
    """Trace copies have a meter too; what it refuses is no drop."""

    def runTest(self) -> None:
        self.client.replace_clone_session(1, CPU_PORT)
        self.limit(Punt.TRACE)
        self.client.insert("trace_v4", {}, "trace", {"filter": 1}, priority=1)
        self.ingress_features(TRUST, trace=1)
        frame = udp4(to(TRUST))
        for number in range(4):
            self.send(TRUST.port, frame)
            self.client.copy(base.ARRIVES, Punt.MISS)
            if number < 2:
                self.client.copy(base.ARRIVES, Punt.TRACE)
        self.conclude(punts={Punt.MISS: 4}, copies={2: 2}, refused={Punt.TRACE: 2})


del _Metered
