"""What a run is: a seed, a size, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from controller.simulate.dice import Dice


class Fault(Enum):
    """What may go wrong, or come in between; the value is its name on the command line."""

    DELAY = "delay"
    LOSS = "loss"
    DUPLICATION = "duplication"
    REORDERING = "reordering"
    PUNTS = "punts"
    REFUSAL = "refusal"
    EXHAUSTION = "exhaustion"
    CLEAR = "clear"
    RELOAD = "reload"
    SPU = "spu"
    NPU = "npu"
    CONTROLLER = "controller"


MEANING: dict[Fault, str] = {
    Fault.DELAY: "messages between machines stall for up to two seconds now and then",
    Fault.LOSS: "frames are lost on the wires",
    Fault.DUPLICATION: "frames arrive twice",
    Fault.REORDERING: "frames overtake each other on the wires",
    Fault.PUNTS: "packets between NPU and controller are lost, as when a meter or queue is full",
    Fault.REFUSAL: "NPUs have little room, and refuse wings",
    Fault.EXHAUSTION: "SPUs have little room for sessions, and source NAT few ports",
    Fault.CLEAR: "an operator clears sessions",
    Fault.RELOAD: "another configuration comes into force: policies, NAT, routes",
    Fault.SPU: "an SPU crashes and a fresh one takes its place, or one is drained",
    Fault.NPU: "an NPU is lost with its tables, which ends the controller; both come back",
    Fault.CONTROLLER: "the controller crashes; NPUs go on; another one begins",
}
"""What each fault does, for ``wingpath simulate --help``."""

MESSAGES_STAY_IN_ORDER = (
    "Messages between central point, SPUs and NPUs are neither lost nor overtaken by later ones of "
    "the same kind: the machines are promised that (docs/ARCHITECTURE.md)."
)


class OptionError(ValueError):
    """A wrong option: what is wrong and what would be right."""


def parse_faults(text: str) -> frozenset[Fault]:
    """``all``, ``none``, or names with commas between; one with ``-`` before it is left out."""
    chosen: set[Fault] = set()
    names = {fault.value: fault for fault in Fault}
    words = [word.strip() for word in text.split(",")]
    for word in words:
        name = word.removeprefix("-")
        if word == "all":
            chosen = set(Fault)
        elif word == "none":
            chosen = set()
        elif name not in names:
            known = ", ".join(names)
            raise OptionError(f"no fault '{name}'; there are {known}, all and none")
        elif word.startswith("-"):
            chosen.discard(names[name])
        else:
            chosen.add(names[name])
    return frozenset(chosen)


def swarm(seed: int, faults: frozenset[Fault]) -> frozenset[Fault]:
    """About half of the faults, others for each seed: some things only go wrong where others do not
    (Groce and others, "Swarm testing", 2012)."""
    dice = Dice(seed, 0, 4)
    return frozenset(fault for fault in Fault if fault in faults and dice.hits(500))


def names_of(faults: Iterable[Fault]) -> str:
    """As ``parse_faults`` reads them."""
    chosen = set(faults)
    if chosen == set(Fault):
        return "all"
    return ",".join(fault.value for fault in Fault if fault in chosen) or "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run follows from."""

    seed: int
    sessions: int
    """Flows that begin; some are refused, some become two sessions."""
    spus: int
    faults: frozenset[Fault]
    rate: int
    """Flows that begin in a second of virtual time."""
    flows: frozenset[int] | None = None
    """Only these flows, by number from 1; ``None``: all. For a replay of what went wrong."""
    incidents: frozenset[int] | None = None
    """Only these crashes, clears and reloads, by number; ``None``: all."""
    trace: bool = False
    """Steps of walks are reported and kept."""
