"""Policers of firewall filters: what is beyond their rates falls or is marked."""

from __future__ import annotations

from controller.reasons import Drop, PolicerAction, Punt, Send
from support import filtering
from support.client import Rates
from support.filtering import ACCEPT, cells
from support.interfaces import TRUST, UNTRUST, out_of, to
from support.packets import udp4

SLOW = Rates(committed=1, committed_burst=250, peak=1, peak_burst=250)
"""One byte a second: of 106-byte frames a burst lets two through, and then none for long."""
TWO_RATES = Rates(committed=1, committed_burst=150, peak=2, peak_burst=250)
"""One frame green, one yellow, the rest red."""


class Policer(filtering.FilterTest):
    """What is red falls; another policer has its own measure."""

    def runTest(self) -> None:
        self.input_filter()
        one, other = next(cells), next(cells)
        self.client.set_meter("policers", one, SLOW)
        self.client.set_meter("policers", other, SLOW)
        self.addCleanup(self.client.set_meter, "policers", one, None)
        self.addCleanup(self.client.set_meter, "policers", other, None)
        self.term("input", 2, {"dst_port": 9}, ACCEPT, policer=other)
        self.term("input", 1, {}, ACCEPT, policer=one)
        frame, another = udp4(to(TRUST)), udp4(to(TRUST), dport=9)
        for _ in range(4):
            self.send(TRUST.port, frame)
        self.send(TRUST.port, another)
        for expected in (frame, frame, another):
            self.expect_punt(expected, Punt.MISS, TRUST)
        self.conclude(drops={Drop.POLICER: 2}, punts={Punt.MISS: 3})
        self.assertEqual(self.client.counts("policer_drops", [one, other]), {one: 2})


class OutputPolicer(filtering.FilterTest):
    """The same on the way out."""

    def runTest(self) -> None:
        self.output_filter()
        cell = next(cells)
        self.client.set_meter("output_policers", cell, SLOW)
        self.addCleanup(self.client.set_meter, "output_policers", cell, None)
        self.term("output", 1, {}, ACCEPT, policer=cell)
        frame = udp4(out_of(UNTRUST))
        for _ in range(3):
            self.packet_out(frame, UNTRUST.port, Send.EGRESS)
        for _ in range(2):
            self.expect_frame(UNTRUST.port, frame)
        self.conclude(egress_drops={Drop.POLICER: 1})
        self.assertEqual(self.client.counts("output_policer_drops", [cell]), {cell: 1})
        self.assertEqual(self.client.counts("policer_drops", [cell]), {})


class PolicerMarks(filtering.FilterTest):
    """Two rates, three colours: green stays, yellow is medium-high, red is high."""

    def runTest(self) -> None:
        self.input_filter()
        cell = next(cells)
        self.client.set_meter("policers", cell, TWO_RATES)
        self.addCleanup(self.client.set_meter, "policers", cell, None)
        self.term("input", 1, {}, ACCEPT, policer=cell, policer_action=PolicerAction.MARK)
        frame = udp4(to(TRUST))
        for loss_priority in (0, 2, 3):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST, loss_priority=loss_priority)
        self.conclude(punts={Punt.MISS: 3})
        self.assertEqual(self.client.counts("policer_drops", [cell]), {})


class PolicerWithoutRates(filtering.FilterTest):
    """A policer that was never given rates finds everything green."""

    def runTest(self) -> None:
        self.input_filter()
        self.term("input", 1, {}, ACCEPT, policer=next(cells))
        frame = udp4(to(TRUST))
        for _ in range(3):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST)
        self.conclude(punts={Punt.MISS: 3})
