"""Screens that need the whole table: session limits, and whether SYNs are to be answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from controller.central_point.limits import Refused, SessionLimits, rules
from controller.central_point.sessions import SessionTable
from controller.config.schema import Configuration
from controller.flow import FlowKey, Nanoseconds
from controller.messages import Actor, Outbound
from controller.reasons import Drop


class Screens:
    """The central point's screens as they are configured."""

    def __init__(self, npus: Mapping[int, Actor], sessions: SessionTable) -> None:
        self.hits: Counter[tuple[int, Drop]] = Counter()
        """What they found, by zone's number and screen."""
        self.answers_syns = False
        """Some zone wants SYNs above the attack threshold to be answered by an SPU."""
        self.limits: SessionLimits | None = None
        """``None``: no zone limits sessions."""
        self._npus = npus
        self._sessions = sessions
        self.left_out: dict[FlowKey, list[FlowKey]] = {}
        """Wings that an NPU has no room for, by their session's forward wing."""

    def configure(self, config: Configuration, now: Nanoseconds) -> list[Outbound]:
        """Follow the configuration; sessions that are there count from the beginning."""
        self.answers_syns = _answers_syns(config)
        by_token = rules(config)
        old, told = self.limits, list[Outbound]()
        if old is not None:
            if by_token == old.by_token:
                return told
            old.forget()
            told = self._updates()
        self.limits = limits = SessionLimits(by_token, self.hits) if by_token else None
        if limits is None:
            return told
        for entry in self._sessions.entries():
            limits.enter(entry.forward)
            if entry.reverse is not None:
                limits.install(entry.forward, now)
        for wings in self.left_out.values():
            for key in wings:
                limits.left_out(key, 1)
        return told

    def refusal(self, flow: FlowKey, now: Nanoseconds) -> tuple[Refused | None, list[Outbound]]:
        """Whether a first packet would make one session too many, and what NPUs are told of it.
        Only asked if there are limits."""
        limits = self.limits
        assert limits is not None
        refused = limits.refusal(flow, now)
        return refused, [] if refused is None else self._updates()

    def leave_out(self, flow: FlowKey, wing: FlowKey) -> list[Outbound]:
        """An NPU has no room for a wing of the session with this forward wing."""
        wings = self.left_out.setdefault(flow, [])
        if wing in wings:
            return []
        wings.append(wing)
        if self.limits is not None:
            self.limits.left_out(wing, 1)
        return self._updates()

    def leave(self, flow: FlowKey, was_pending: bool) -> list[Outbound]:
        """The session of a forward wing is gone, or never came to be. Need not be said if there are
        neither limits nor wings left out."""
        left_out = self.left_out.pop(flow, ())
        limits = self.limits
        if limits is not None:
            limits.leave(flow, was_pending)
            for key in left_out:
                limits.left_out(key, -1)
        return self._updates()

    def _updates(self) -> list[Outbound]:
        limits = self.limits
        if limits is None or not limits.updates:
            return []
        told: list[Outbound] = [(self._npus[npu], update) for npu, update in limits.updates]
        limits.updates.clear()
        return told

    def audit(self) -> list[str]:
        """What is left, in words."""
        left = [f"wing left out of an NPU: {flow}" for flow in self.left_out]
        if self.limits is not None:
            left += self.limits.audit()
        return left


def _answers_syns(config: Configuration) -> bool:
    profiles = [config.screens.get(zone.screen) for zone in config.zones.values()]
    inward = [p.screens for p in profiles if p is not None and p.inward]
    return any(Drop.SCREEN_SYN_FLOOD_ATTACK in screens for screens in inward)
