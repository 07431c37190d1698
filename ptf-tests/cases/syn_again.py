"""SYNs that the controller has no time for, and that come again."""

from __future__ import annotations

import time
from collections.abc import Callable

from controller.npu.contract import ACTIONS
from controller.reasons import Drop, Punt
from support import base
from support.client import Rates
from support.interfaces import TRUST, to
from support.names import Value
from support.packets import tcp4, tcp6

TWO = Rates(committed=1, committed_burst=2, peak=1, peak_burst=2)
"""Two packets, and then one a second."""
SCREEN = Drop.SCREEN_SYN_FLOOD_ATTACK
PAUSE = 0.75
"""Seconds; a trace counts after 0.7, and the meter lets another pass after 1."""


class _Flood(base.NpuTest):
    def check(self, syn: Callable[[int], bytes]) -> None:
        """``syn`` makes a SYN of a client's own."""
        params: dict[str, Value] = dict.fromkeys(ACTIONS["set_thresholds"], 0)
        params["syn_flood_attack"] = 1
        self.ingress_screens(TRUST, SCREEN)
        self.client.insert("screen_thresholds", {"zone": TRUST.zone}, "set_thresholds", params)
        self.client.set_meter("punt_meter", Punt.SYN_PROXY, TWO)
        self.addCleanup(self.client.set_meter, "punt_meter", Punt.SYN_PROXY, None)
        for number in range(3):
            self.send(TRUST.port, syn(number))
            self.expect_punt(syn(number), Punt.SYN_PROXY if number else Punt.MISS, TRUST)
        # Refused, and too soon the second time; then the third passes, and another's first not.
        for number in (3, 3):
            self.send(TRUST.port, syn(number))
        time.sleep(PAUSE)
        self.send(TRUST.port, syn(3))
        self.send(TRUST.port, syn(4))
        self.expect_punt(syn(3), Punt.SYN_PROXY, TRUST)
        self.conclude(
            drops={Drop.PUNT_LIMIT: 3},
            punts={Punt.MISS: 1, Punt.SYN_PROXY: 3},
            refused={Punt.SYN_PROXY: 3},
            screen_hits={(TRUST, SCREEN): 6},
        )


class SynThatComesAgain(_Flood):
    """A client's second try passes where a flood's first ones do not."""

    def runTest(self) -> None:
        self.check(lambda n: tcp4(to(TRUST), src=f"198.18.200.{n}", dst="198.19.200.1", flags="S"))


class SynThatComesAgain6(_Flood):
    """The same over IPv6."""

    def runTest(self) -> None:
        self.check(
            lambda n: tcp6(to(TRUST), src=f"2001:db8:78::{n + 1}", dst="2001:db8:79::1", flags="S")
        )
