"""Screens by pairs: a packet that must fall and its closest relation that must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.reasons import FIRST_SCREEN, Drop, Punt, Send
from support import base
from support.interfaces import TRUST, UNTRUST


@dataclass(frozen=True)
class Pair:
    """A packet that a screen finds and its closest relation that it does not."""

    screen: Drop
    falls: bytes
    passes: bytes
    punt: Punt = Punt.MISS
    """How the passing packet reaches the controller."""
    extension_limit: int = 8
    """Of the profile."""
    detects: bool = False
    """The screen counts what it finds, and lets it pass."""
    found_punt: Punt = Punt.MISS
    """How a packet that is found and passes reaches the controller."""


class _PairTest(base.NpuTest):
    pair: Pair


class Arrival(_PairTest):
    """The screen of the zone a packet comes from."""

    def runTest(self) -> None:
        pair, screen = self.pair, self.pair.screen
        self.ingress_screens(TRUST, screen)
        self.ingress(TRUST, extension_limit=pair.extension_limit)
        punts = {pair.punt: 1}
        self.send(TRUST.port, pair.falls)
        if pair.detects:
            self.expect_punt(pair.falls, pair.found_punt, TRUST)
            punts[pair.found_punt] = punts.get(pair.found_punt, 0) + 1
        self.send(TRUST.port, pair.passes)
        self.expect_punt(pair.passes, pair.punt, TRUST)
        self.conclude(
            drops={} if pair.detects else {screen: 1},
            punts=punts,
            screen_hits={(TRUST, screen): 1},
        )


class Departure(_PairTest):
    """The screen of the zone a packet goes to, on what an SPU sends."""

    def runTest(self) -> None:
        pair, screen = self.pair, self.pair.screen
        self.egress_screens(UNTRUST, screen)
        self.egress(UNTRUST, extension_limit=pair.extension_limit)
        self.packet_out(pair.falls, UNTRUST.port, Send.EGRESS)
        if pair.detects:
            self.expect_frame(UNTRUST.port, pair.falls)
        self.packet_out(pair.passes, UNTRUST.port, Send.EGRESS)
        self.expect_frame(UNTRUST.port, pair.passes)
        self.conclude(
            egress_drops={} if pair.detects else {screen: 1},
            egress_screen_hits={(UNTRUST, screen): 1},
        )


class Off(_PairTest):
    """With every other screen switched on but this one, it finds nothing."""

    def runTest(self) -> None:
        # What else finds the same packet is told to let it pass.
        others = [
            screen
            for screen in Drop
            if screen.name.startswith("SCREEN_") and screen is not self.pair.screen
        ]
        self.ingress_screens(TRUST, *others, alarm_only=tuple(others))
        self.ingress(TRUST, extension_limit=self.pair.extension_limit)
        self.send(TRUST.port, self.pair.falls)
        self.client.packet_in(base.ARRIVES)
        self.assertNotIn(
            TRUST.zone * 64 + self.pair.screen - FIRST_SCREEN,
            self.moved()["screen_hits"],
        )


def cases(pairs: Mapping[str, Pair], module: str) -> dict[str, type[base.NpuTest]]:
    """Three cases of each pair, by name."""
    return {
        name + check.__name__: type(
            name + check.__name__,
            (check,),
            {"pair": pair, "__module__": module, "__doc__": f"{name}: {check.__doc__}"},
        )
        for name, pair in pairs.items()
        for check in (Arrival, Departure, Off)
    }
