"""Plays a script on a target and compares what leaves with what the script expects.

Packets of a port are compared in order; of ports that the script never names nothing is expected
either way, as p4c's own runner attaches only those it names.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, assert_never

from conformance import commands
from conformance.naming import Action, Names, TableEntry, UnknownName


class Verdict(Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reason, empty for passed."""

    verdict: Verdict
    reason: str = ""


class Unsupported(Exception):
    """What a target cannot do, in one line."""


class Rejected(Exception):
    """A change that a target refused, in one line."""


class Target(Protocol):
    """A switch with a program loaded, as a script sees it."""

    def add(self, entry: TableEntry) -> None:
        """Insert an entry. Raises ``Rejected``."""
        ...

    def set_default(self, table: str, action: Action) -> None:
        """Set a default action. Raises ``Rejected``."""
        ...

    def set_group(self, group: int, copies: Sequence[tuple[int, int]]) -> None:
        """A multicast group's copies: port and replication id."""
        ...

    def set_clone(self, session: int, copies: Sequence[tuple[int, int]]) -> None:
        """A clone session's copies; none: delete it."""
        ...

    def set_register(self, register: str, index: int | None, value: int) -> None:
        """One cell, or all."""
        ...

    def set_counter(self, counter: str, index: int, packets: int, size: int) -> None:
        """Overwrite a counter's cell."""
        ...

    def counter(self, counter: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a counter's cell."""
        ...

    def set_meter(self, meter: str, index: int | None, rates: commands.MeterRates) -> None:
        """Rates of one cell, or of all."""
        ...

    def packet(self, port: int, frame: bytes) -> None:
        """Send a frame into a port."""
        ...

    def sent(self) -> Sequence[tuple[int, bytes]]:
        """All that left so far, port and frame, in order for each port."""
        ...


_RELATIONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Replay:
    def __init__(self, names: Names, target: Target) -> None:
        self.names = names
        self.target = target
        self.problems: list[str] = []
        self.expected: dict[int, list[commands.Expect]] = defaultdict(list)
        self.ports: set[int] = set()
        self.nodes: list[commands.NodeCreate] = []
        self.groups: dict[int, list[tuple[int, int]]] = {}

    def play(self, command: commands.Command) -> None:
        """One command."""
        target, names = self.target, self.names
        match command:
            case commands.Packet(_, port, frame):
                self.ports.add(port)
                target.packet(port, frame)
            case commands.Expect(_, port):
                self.ports.add(port)
                self.expected[port].append(command)
            case commands.Add():
                target.add(names.entry(command))
            case commands.SetDefault():
                target.set_default(*names.default(command))
            case commands.CloneToPort(_, session, port):
                target.set_clone(session, [(port, 0)])
            case commands.CloneToGroup(_, session, group):
                target.set_clone(session, self.groups.get(group, []))
            case commands.CloneDelete(_, session):
                target.set_clone(session, [])
            case commands.GroupCreate(_, group):
                self.groups[group] = []
            case commands.NodeCreate():
                self.nodes.append(command)
            case commands.NodeAssociate(line, group, node):
                if group not in self.groups or node >= len(self.nodes):
                    raise Rejected(f"line {line}: no multicast group {group} or no node {node}")
                made = self.nodes[node]
                self.groups[group] += [(port, made.rid) for port in made.ports]
                target.set_group(group, self.groups[group])
            case commands.RegisterWrite(_, register, index, value):
                target.set_register(names.register(register), index, value)
            case commands.CounterWrite(_, counter, index, packets, size):
                target.set_counter(names.counter(counter), index, packets, size)
            case commands.CheckCounter():
                self.check_counter(command)
            case commands.MeterRates(_, meter, index):
                target.set_meter(names.meter(meter), index, command)
            case commands.Note() | commands.ExpectNone():
                pass
            case _:
                assert_never(command)

    def check_counter(self, check: commands.CheckCounter) -> None:
        packets, size = self.target.counter(self.names.counter(check.counter), check.index)
        found = packets if check.unit == "packets" else size
        if not _RELATIONS[check.relation](found, check.value):
            self.problems.append(
                f"line {check.line}: counter '{check.counter}' cell {check.index} has {found}"
                f" {check.unit}, not {check.relation} {check.value}"
            )

    def compare(self) -> None:
        """What left against what was expected."""
        left: dict[int, list[bytes]] = defaultdict(list)
        for port, frame in self.target.sent():
            left[port].append(frame)
        for port in sorted(self.ports):
            expected, frames = self.expected[port], left[port]
            for want, frame in zip(expected, frames, strict=False):
                if (difference := want.mismatch(frame)) is not None:
                    self.problems.append(
                        f"line {want.line}: port {port}: {difference}; packet {frame.hex()}"
                    )
            for want in expected[len(frames) :]:
                self.problems.append(f"line {want.line}: port {port}: no packet")
            for frame in frames[len(expected) :]:
                self.problems.append(f"port {port}: unexpected packet {frame.hex()}")


def replay(script: Sequence[commands.Command], names: Names, target: Target) -> Outcome:
    """Play a script to its end."""
    run, notes = _Replay(names, target), []
    try:
        for command in script:
            try:
                run.play(command)
            except (Rejected, UnknownName) as error:
                # p4c's runner goes on here too: what counts is what the packets show.
                notes.append(f"line {command.line}: {error}")
        run.compare()
    except Unsupported as error:
        return Outcome(Verdict.REFUSED, str(error))
    if run.problems:
        return Outcome(Verdict.FAILED, "; ".join(notes + run.problems))
    return Outcome(Verdict.PASSED)
