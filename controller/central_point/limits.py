"""Session limits: how many sessions an address may have at a time (screen ``limit-session``).

A session counts for the zone that its first packet came from, with its addresses as they came,
from the moment its wing is pending. The central point has the whole table, so the counts are here.
An address that is refused is named to the NPUs of its zone, which then drop its first packets
themselves, until a session of it ends.

**What an NPU must not drop.** It cannot tell a first packet from a further one whose wing is not in
its table. So an address is named only once all its sessions' wings are where they belong: none is
pending, the newest has been installed for ``SETTLING``, and none was left out for want of room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from controller.config.schema import Configuration
from controller.flow import Address, FlowKey, Nanoseconds
from controller.messages import LimitSessions
from controller.reasons import Drop

SETTLING: Nanoseconds = 500_000_000
"""From the central point's acknowledgement to wings in all NPUs, at the very most."""

SOURCE = Drop.SCREEN_SESSION_LIMIT_SOURCE
DESTINATION = Drop.SCREEN_SESSION_LIMIT_DESTINATION


class Rule(NamedTuple):
    """A limit of a zone."""

    screen: Drop
    zone: int
    maximum: int
    alarm_only: bool
    """Refuses nothing: it counts what it would have refused."""
    npus: frozenset[int]
    """NPUs with interfaces in the zone."""


class Refused(NamedTuple):
    """Why a flow gets no session."""

    reason: Drop
    detail: str


Update = tuple[int, LimitSessions]
"""An NPU's number and what it is told."""


def rules(config: Configuration) -> Mapping[int, tuple[Rule, ...]]:
    """The limits by session token; tokens of zones without any are left out."""
    found: dict[int, tuple[Rule, ...]] = {}
    for interface in config.interfaces.values():
        zone = config.zones.get(interface.zone)
        profile = None if zone is None else config.screens.get(zone.screen)
        if zone is None or profile is None or not profile.inward:
            continue
        npus = frozenset(i.port.npu for i in config.interfaces.values() if i.zone == zone.name)
        made = tuple(
            Rule(
                screen, zone.id, profile.thresholds[screen], profile.alarm_without_drop, npus
            )
            for screen in (SOURCE, DESTINATION)
            if screen in profile.screens
        )  # fmt: skip
        if made:
            found[interface.token] = made
    return found


class _Count:
    """What is known of one address under one rule."""

    __slots__ = ("is_named", "left_out", "pending", "sessions", "settled")

    def __init__(self) -> None:
        self.sessions = 0
        """Pending ones included."""
        self.pending = 0
        self.left_out = 0
        """Wings that miss in their NPU, with packets from or to the address."""
        self.settled: Nanoseconds = 0
        """When the newest session's wings are in the NPUs."""
        self.is_named = False
        """The NPUs drop its first packets."""


class SessionLimits:
    """Counts by rule and address. Only made when there are rules."""

    def __init__(self, by_token: Mapping[int, tuple[Rule, ...]], hits: Counter[tuple[int, Drop]]):
        """``hits`` counts what the limits found, by zone and screen."""
        self.by_token = by_token
        self._hits = hits
        self._counts: dict[tuple[Drop, int, Address], _Count] = {}
        self.updates: list[Update] = []
        """What NPUs are to be told; the owner takes it out."""

    def refusal(self, flow: FlowKey, now: Nanoseconds) -> Refused | None:
        """Whether a first packet would make one session too many."""
        refused = None
        for rule in self.by_token.get(flow.token, ()):
            key = _key(rule, flow)
            count = self._counts.get(key)
            if count is None or count.sessions < rule.maximum:
                continue
            self._hits[rule.zone, rule.screen] += 1
            if rule.alarm_only:
                continue
            if not (count.is_named or count.pending or count.left_out) and now >= count.settled:
                self._name(rule, key[2], count, True)
            side = "from" if rule.screen is SOURCE else "to"
            refused = Refused(rule.screen, f"{count.sessions} sessions {side} it already")
            break
        return refused

    def enter(self, flow: FlowKey) -> None:
        """A wing is pending."""
        for rule in self.by_token.get(flow.token, ()):
            count = self._counts.setdefault(_key(rule, flow), _Count())
            count.sessions += 1
            count.pending += 1

    def install(self, flow: FlowKey, now: Nanoseconds) -> None:
        """The wing that was pending is a session's now."""
        for rule in self.by_token.get(flow.token, ()):
            count = self._counts[_key(rule, flow)]
            count.pending -= 1
            count.settled = now + SETTLING

    def leave(self, flow: FlowKey, was_pending: bool) -> None:
        """The session of a forward wing is gone, or never came to be."""
        for rule in self.by_token.get(flow.token, ()):
            key = _key(rule, flow)
            count = self._counts[key]
            count.sessions -= 1
            count.pending -= was_pending
            if count.is_named and count.sessions < rule.maximum:
                self._name(rule, key[2], count, False)
            self._tidy(key, count)

    def left_out(self, wing: FlowKey, change: int) -> None:
        """Packets of a wing come here, because its NPU has no room for it (1), or no longer do
        (-1)."""
        for rule in self.by_token.get(wing.token, ()):
            key = _key(rule, wing)
            count = self._counts.setdefault(key, _Count())
            count.left_out += change
            if count.is_named:
                self._name(rule, key[2], count, False)
            self._tidy(key, count)

    def forget(self) -> None:
        """The rules are over: what NPUs were told is taken back."""
        rules = {(r.screen, r.zone): r for every in self.by_token.values() for r in every}
        for (screen, zone, address), count in self._counts.items():
            if count.is_named:
                self._name(rules[screen, zone], address, count, False)

    def _name(self, rule: Rule, address: Address, count: _Count, at_limit: bool) -> None:
        count.is_named = at_limit
        message = LimitSessions(rule.screen, rule.zone, address, at_limit)
        self.updates += [(npu, message) for npu in sorted(rule.npus)]

    def _tidy(self, key: tuple[Drop, int, Address], count: _Count) -> None:
        if not count.sessions and not count.left_out:
            del self._counts[key]

    def audit(self) -> Iterable[str]:
        """What is counted, in words."""
        for (screen, zone, _), count in self._counts.items():
            yield f"{count.sessions} sessions under {screen.name} of zone {zone}"


def _key(rule: Rule, flow: FlowKey) -> tuple[Drop, int, Address]:
    return rule.screen, rule.zone, flow.src if rule.screen is SOURCE else flow.dst
