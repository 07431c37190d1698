"""What the simulator knows of its own of a run: whose wings are whose, and which sessions stand."""

from __future__ import annotations

from collections.abc import Mapping

from controller.central_point import CentralPoint
from controller.flow import FlowKey, Nanoseconds
from controller.simulate.flow import Flow
from controller.simulate.inside import Binding
from controller.simulate.npu import FaultyNpu
from controller.simulate.violation import Rule, Violation
from controller.spu import Spu


class Entry:
    """A flow that the central point has taken up."""

    __slots__ = ("flow", "forward", "port", "reverse", "session_id", "spu")

    def __init__(self, forward: FlowKey, spu: int, flow: Flow | None) -> None:
        self.forward = forward
        self.spu = spu
        self.flow = flow
        self.session_id = 0
        """0 while pending."""
        self.reverse: FlowKey | None = None
        self.port: Binding | None = None
        """Granted to it."""


class Books:
    """Kept from the messages that are seen; and the machines to compare them with."""

    def __init__(self) -> None:
        self.cp: CentralPoint
        self.spus: Mapping[int, Spu]
        self.npus: Mapping[int, FaultyNpu]
        self.now: Nanoseconds = 0
        self.entries: dict[FlowKey, Entry] = {}
        """By forward wing."""
        self.by_session: dict[int, Entry] = {}
        self.flow_of: dict[FlowKey, Flow] = {}
        """Whose a wing is."""

    def bind(
        self, cp: CentralPoint, spus: Mapping[int, Spu], npus: Mapping[int, FaultyNpu]
    ) -> None:
        """These are the machines to look at."""
        self.cp, self.spus, self.npus = cp, spus, npus

    def broken(self, rule: Rule, what: str, key: FlowKey | None, session_id: int = 0) -> None:
        """Say whose it is, and end the run."""
        flow = None if key is None else self.flow_of.get(key)
        if flow is None and session_id in self.by_session:
            flow = self.by_session[session_id].flow
        number = 0 if flow is None else flow.number
        raise Violation(rule, what, self.now, number, session_id)
