"""What runs out, said aloud: a log line and an alarm for each kind and place.

Each packet that falls for want of something is counted and recorded like any other drop. Beyond
that, the first one of a kind and place is logged, and then one line every ten seconds for those
that came since; until a minute has passed without any, there is an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.config.schema import SECOND
from controller.flow import Nanoseconds
from controller.messages import (
    Actor,
    PacketDropped,
    RanOut,
    SpuChanged,
    SpuState,
    WatermarkPassed,
)
from controller.reasons import Drop

REPEAT: Nanoseconds = 10 * SECOND
QUIET: Nanoseconds = 60 * SECOND

EXHAUSTIONS = {
    Drop.SESSION_TABLE_FULL: "CP/Flow session table full",
    Drop.SPU_FULL: "Flow session table full",
    Drop.NO_SPU: "no SPU in service",
    Drop.SPU_FAILED: "packets of a failed SPU dropped",
    Drop.NAT_EXHAUSTED: "source NAT ports exhausted",
    Drop.QUEUE_FULL: "queue full",
    Drop.PENDING_TIMEOUT: "session set-up timed out",
    Drop.GATE_TABLE_FULL: "gate table full",
    Drop.ALG_BACKLOG: "ALG has too much to wait for",
    Drop.NPU_TABLE_FULL: "NP-cache full, sessions go on through the SPU",
}
"""What the firewall may lack, by the reason that packets fall with; the first as on the original.
Of all but the last, packets fall."""


@dataclass(slots=True)
class Shortage:
    """Something ran out somewhere."""

    who: Actor
    reason: Drop
    since: Nanoseconds
    """The first drop, after a minute without any."""
    last: Nanoseconds
    count: int = 0
    """Packets, or wings without room, since then."""
    logged_at: Nanoseconds = 0
    logged: int = 0
    """How many of them the log lines so far speak for."""
    detail: str = ""
    """Of the newest."""
    has_dropped: bool = True
    """Packets fell; else it was done without."""


class SystemLog:
    """Logs what concerns the chassis as a whole."""

    def __init__(self, slot: Callable[[int], str], write: Callable[[str], None]) -> None:
        """``slot`` names an SPU's place; ``write`` takes a line without its line end."""
        self._slot = slot
        self._write = write
        self._shortages: dict[tuple[Actor, Drop], Shortage] = {}

    def spu(self, changed: SpuChanged) -> None:
        """An SPU came, went or drains."""
        where = f"SPU {changed.spu} ({self._slot(changed.spu)})"
        match changed.state:
            case SpuState.CLEARING:
                text = f"{where} is gone: {changed.why}; {changed.sessions} sessions are removed"
            case SpuState.OFFLINE:
                text = f"{where} is offline, nothing of it is left"
                if changed.unrecorded:
                    text += f"; {changed.unrecorded} sessions so far have no close record"
            case SpuState.DRAINING:
                text = f"{where} drains: {changed.why}, {changed.sessions} sessions"
            case SpuState.ONLINE:
                text = f"{where} is online: {changed.why}"
        self._write(f"CHASSIS_SPU_{changed.state.name}: {text}")

    def watermark(self, passed: WatermarkPassed) -> None:
        """A session table is too full, or no longer (names as in Junos)."""
        name, what = "HIGH", "above the high watermark: idle sessions end early"
        if not passed.high:
            name, what = "LOW", "down at the low watermark"
        where = f"SPU {passed.spu} ({self._slot(passed.spu)})" if passed.spu else "chassis"
        count = f"current session count: {passed.sessions}"
        self._write(f"FLOW_{name}_WATERMARK_TRIGGERED: {where}: {what}; {count}")

    def ran_out(self, drop: PacketDropped | RanOut, packets: int = 1) -> None:
        """Packets fell, or something ran out and none did; only what ran out matters here."""
        if drop.reason not in EXHAUSTIONS:
            return
        key = (drop.who, drop.reason)
        found = self._shortages.get(key)
        if found is None or drop.at - found.last > QUIET:
            found = self._shortages[key] = Shortage(*key, drop.at, drop.at)
        found.last, found.detail = drop.at, drop.detail
        found.has_dropped = isinstance(drop, PacketDropped)
        found.count += packets
        if not found.logged or drop.at - found.logged_at >= REPEAT:
            self._log(found, drop.at)

    def tick(self, now: Nanoseconds) -> None:
        """Log what no line has spoken for and came long enough ago; to be called now and then."""
        for shortage in self._shortages.values():
            if shortage.count > shortage.logged and now - shortage.logged_at >= REPEAT:
                self._log(shortage, now)

    def _log(self, found: Shortage, now: Nanoseconds) -> None:
        more = found.count - found.logged
        found.logged, found.logged_at = found.count, now
        packets = "packet" if more == 1 else "packets"
        how_many = f"{more} {packets} dropped" if found.has_dropped else f"{more}x"
        what = EXHAUSTIONS[found.reason]
        self._write(f"FLOW_{found.reason.name}: {found.who}: {what}: {found.detail}; {how_many}")

    def alarms(self, now: Nanoseconds) -> Iterator[Shortage]:
        """What ran out and goes on, oldest first."""
        current = [s for s in self._shortages.values() if now - s.last <= QUIET]
        yield from sorted(current, key=lambda shortage: shortage.since)
