"""How many sessions each gate may still let through, counted from the messages about it."""

from __future__ import annotations

from collections.abc import Collection

from controller.central_point import CentralPoint
from controller.gate import Passage
from controller.simulate import inside


class GateBook:
    """Gates by number."""

    def __init__(self) -> None:
        self._left: dict[int, int] = {}
        """Below 0: any number."""

    def opened(self, cp: CentralPoint, parent: int) -> None:
        """Gates of a control session were opened, or stay open for longer."""
        for gate_id, uses in inside.gates(cp, parent):
            self._left[gate_id] = uses or -1

    def passed(self, passage: Passage) -> bool:
        """A session comes through a gate; whether it may."""
        left = self._left.get(passage.gate, 0)
        self._left[passage.gate] = left - 1 if left > 0 else left
        return left != 0

    def forget(self, known: Collection[int]) -> None:
        """These are the gates that stand."""
        for gate_id in self._left.keys() - known:
            del self._left[gate_id]
