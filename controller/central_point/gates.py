"""Gates (pinholes): flows that are expected because a session announced them.

An ALG that reads "I shall connect to you on port 20345" in a control session asks for a gate. The
first packet that matches becomes a session on the SPU of the gate's parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from controller.flow import Address, FlowKey, Nanoseconds
from controller.timers import Timers

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Gate:
    """An expected flow."""

    id: int
    parent: int
    """Session id of the control session."""
    spu: int
    """The parent's SPU; the child is created there."""
    protocol: int
    token: int
    destination: Address
    destination_port: int
    source: Address | None
    """``None``: anybody."""
    uses: int
    """How many sessions it lets through; 1: one-shot."""
    expires: Nanoseconds


class GateTable:
    """Gates by what the first packet must look like: two dictionary accesses a lookup."""

    def __init__(self) -> None:
        self._gates: dict[int, Gate] = {}
        self._left: dict[int, int] = {}
        self._by_match: dict[tuple[int, int, Address, int, Address | None], list[int]] = {}
        self._by_parent: dict[int, list[int]] = {}
        self._timers: Timers[int] = Timers()

    def __len__(self) -> int:
        return len(self._gates)

    def __iter__(self) -> Iterator[Gate]:
        return iter(list(self._gates.values()))

    def add(self, gate: Gate) -> None:
        """Open a gate. Its id must not be in use, its uses must be positive."""
        if gate.id in self._gates:
            raise ValueError(f"gate {gate.id} exists already; ids are given once")
        if gate.uses < 1:
            raise ValueError(f"gate {gate.id} lets {gate.uses} sessions through; at least 1")
        self._gates[gate.id] = gate
        self._left[gate.id] = gate.uses
        self._by_match.setdefault(_match(gate), []).append(gate.id)
        self._by_parent.setdefault(gate.parent, []).append(gate.id)
        self._timers.set(gate.id, gate.expires)

    def match(self, flow: FlowKey) -> Gate | None:
        """The gate a first packet may pass, counted as a use; one for its source comes first,
        then the oldest."""
        if not self._gates:
            return None
        wanted = (flow.protocol, flow.token, flow.dst, flow.dport)
        for source in (flow.src, None):
            ids = self._by_match.get((*wanted, source))
            if ids:
                gate = self._gates[ids[0]]
                self._left[gate.id] -= 1
                if not self._left[gate.id]:
                    self.remove(gate.id)
                return gate
        return None

    def remove(self, gate_id: int) -> bool:
        """Close a gate; whether it was open."""
        gate = self._gates.pop(gate_id, None)
        if gate is None:
            return False
        del self._left[gate_id]
        self._timers.cancel(gate_id)
        _discard(self._by_match, _match(gate), gate_id)
        _discard(self._by_parent, gate.parent, gate_id)
        return True

    def remove_children(self, parent: int) -> int:
        """Close the gates of a session that ended; how many there were."""
        ids = list(self._by_parent.get(parent, ()))
        for gate_id in ids:
            self.remove(gate_id)
        return len(ids)

    def deadline(self) -> Nanoseconds | None:
        """When the next gate expires."""
        return self._timers.next()

    def tick(self, now: Nanoseconds) -> None:
        """Close what has expired."""
        # The timer of what is due is gone already; remove() does not mind.
        for gate_id in list(self._timers.due(now)):
            self.remove(gate_id)


def _match(gate: Gate) -> tuple[int, int, Address, int, Address | None]:
    return gate.protocol, gate.token, gate.destination, gate.destination_port, gate.source


def _discard(index: dict[K, list[int]], key: K, gate_id: int) -> None:
    index[key].remove(gate_id)
    if not index[key]:
        del index[key]
