"""What must never happen, when it did."""

from __future__ import annotations

from enum import Enum

from controller.flow import Nanoseconds


class Rule(Enum):
    """The invariants; the value is what a person reads."""

    ENTRIES = "an entry at the central point if and only if a session at its SPU"
    WINGS = "both wings on their NPUs while the session stands, none after it"
    BOUNDED = "what begins to change comes to rest in bounded time"
    PORTS = "each NAT port has one holder, and none is left behind"
    GATES = "no gate without its control session"
    TIMERS = "no timer without its session"
    TWICE = "no packet leaves twice"
    ORDER = "packets leave an SPU in the order in which they reached it"
    VANISHED = "each packet leaves, or is dropped with a reason"
    TRANSLATION = "a packet leaves intact, to the other end of its flow"
    CONTENTS = "a host reads what the other one wrote, all of it once and in order"
    ANSWERED = "where nothing goes wrong, what hosts ask is answered"
    IN_FORCE = "what stands may stand under the configuration in force"
    HELD = "what is held for others is bounded, and has an end"
    FAULT = "a machine handles every message"
    REPAIR = "nothing needs repair where nothing crashed"


class Violation(Exception):
    """A broken rule: which, how, and whose."""

    def __init__(
        self,
        rule: Rule,
        what: str,
        at: Nanoseconds,
        flow: int = 0,
        session_id: int = 0,
    ) -> None:
        super().__init__(f"{rule.value}: {what}")
        self.rule = rule
        self.what = what
        self.at = at
        self.flow = flow
        """Number of the flow; 0: not known."""
        self.session_id = session_id
