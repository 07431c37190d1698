"""What the seed chooses of a chassis and its configuration for a whole run."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from controller.config.cards import Balancing
from controller.simulate.dice import Dice


class Siege(Enum):
    """What becomes of SYNs above the attack threshold."""

    NONE = "no screen"
    COOKIE = "syn-cookie"
    PROXY = "syn-proxy"


class Fragments(Enum):
    """What becomes of fragments."""

    PASS = "pass"
    WHOLE = "put together"
    AS_THEY_CAME = "put together, and cut as they came"


class Style(NamedTuple):
    """A seed's choice; each is about as often as each other."""

    hashed: bool
    """NPUs choose SPUs by hash (``hash-based``), not the central point."""
    balancing: Balancing
    """How the central point chooses."""
    siege: Siege
    fragments: Fragments

    @property
    def lines(self) -> list[str]:
        """Of every configuration of the run."""
        lines = []
        if self.hashed:
            mode = "forwarding-process application-services session-distribution-mode"
            lines.append(f"set security {mode} hash-based")
        if self.siege is not Siege.NONE:
            lines += [
                "set security screen ids-option guard tcp syn-flood attack-threshold "
                f"{ATTACK_THRESHOLD}",
                f"set security flow syn-flood-protection-mode {self.siege.value}",
                *(f"set security zones security-zone {zone} screen guard" for zone in BESIEGED),
            ]
        if self.fragments is not Fragments.PASS:
            lines.append("set security flow force-ip-reassembly")
        if self.fragments is Fragments.AS_THEY_CAME:
            lines.append("set security flow preserve-incoming-fragment-size")
        return lines


ATTACK_THRESHOLD = 6
"""SYNs a second to an address and port: more than one connection sends, opened twice and doubled on
the wire."""
BESIEGED = ("trust", "dmz")
"""Zones whose screen says so."""


def style_of(seed: int) -> Style:
    """The style of all runs with a seed."""
    dice = Dice(seed, 0, 6)
    return Style(
        dice.hits(500),
        tuple(Balancing)[dice.below(len(Balancing))],
        tuple(Siege)[dice.below(len(Siege))],
        tuple(Fragments)[dice.below(len(Fragments))],
    )


def seed_of(**wanted: object) -> int:
    """The first seed with a style such as this."""
    return next(
        seed
        for seed in range(1, 10_000)
        if all(getattr(style_of(seed), name) == value for name, value in wanted.items())
    )
