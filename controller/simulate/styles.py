"""What the seed chooses of a chassis and its configuration for a whole run."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from controller.config.cards import Balancing, NatFaults
from controller.config.schema import SECOND, QueueDepth
from controller.flow import Nanoseconds
from controller.simulate.dice import Dice
from controller.simulate.options import Fault


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


class Shares(Enum):
    """How new sessions are shared out among SPUs."""

    EQUAL = "equal"
    WEIGHTED = "by weight"
    COMBO = "the central point runs on SPU 1"


class Style(NamedTuple):
    """A seed's choice; each is about as often as each other."""

    hashed: bool
    """NPUs choose SPUs by hash (``hash-based``), not the central point."""
    balancing: Balancing
    """How the central point chooses."""
    siege: Siege
    fragments: Fragments
    shares: Shares
    queue: QueueDepth
    """How many packets may wait for a session."""
    pending_timeout: Nanoseconds
    nat_delay: Nanoseconds
    """How long each allocation takes, where messages are held back."""
    nat_refusals: int
    """One allocation in so many is refused, where little is left; 0: none."""
    is_bounded: bool
    """The chassis may have fewer sessions than its SPUs together, where those have little room."""

    def nat_faults(self, faults: frozenset[Fault]) -> NatFaults:
        """What is injected into NAT allocation."""
        return NatFaults(
            self.nat_delay if Fault.DELAY in faults else 0,
            self.nat_refusals if Fault.EXHAUSTION in faults else 0,
        )

    @property
    def lines(self) -> list[str]:
        """Of every configuration of the run."""
        lines = [f"set security flow pending-sess-queue-length {self.queue.value}"]
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
PENDING_TIMEOUTS = (5 * SECOND, SECOND)
"""One that exceeds the time for which a silent neighbour is asked for, and one that does not."""
NAT_DELAYS = (0, SECOND // 100, 2 * SECOND)
"""None, a short one, and one during which a wing may have been pending for too long."""
NAT_REFUSALS = (0, 10)


def style_of(seed: int) -> Style:
    """The style of all runs with a seed."""
    dice = Dice(seed, 0, 6)
    return Style(
        dice.hits(500),
        tuple(Balancing)[dice.below(len(Balancing))],
        tuple(Siege)[dice.below(len(Siege))],
        tuple(Fragments)[dice.below(len(Fragments))],
        tuple(Shares)[dice.below(len(Shares))],
        tuple(QueueDepth)[dice.below(len(QueueDepth))],
        PENDING_TIMEOUTS[dice.below(len(PENDING_TIMEOUTS))],
        NAT_DELAYS[dice.below(len(NAT_DELAYS))],
        NAT_REFUSALS[dice.below(len(NAT_REFUSALS))],
        dice.hits(500),
    )


def seed_of(**wanted: object) -> int:
    """The first seed with a style such as this."""
    return next(
        seed
        for seed in range(1, 10_000)
        if all(getattr(style_of(seed), name) == value for name, value in wanted.items())
    )
