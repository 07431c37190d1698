"""What happened in a small run, told line by line in the words of ``show security flow walk``."""

from __future__ import annotations

from dataclasses import replace

from controller.flow import Nanoseconds
from controller.messages import (
    Actor,
    Message,
    PacketDropped,
    SessionClosed,
    StepTaken,
)
from controller.operate.text import flow as flow_text
from controller.operate.walk_lines import drop_line, line, step_line, who
from controller.simulate.engine import Run
from controller.simulate.flow import Flow, root_of
from controller.simulate.options import Plan
from controller.simulate.play import Broken, play

MOST_LINES = 100
"""Of a long story, so many from its beginning and so many from its end."""


class Story:
    """Looks on while a plan is played, and keeps what concerns one flow."""

    def __init__(self, plan: Plan, number: int) -> None:
        """``number`` is the flow's; 0: all flows."""
        self._plan = replace(plan, trace=True)
        self._number = number
        self._lines: list[tuple[Nanoseconds, str]] = []
        self._headline = ""
        self._run: Run

    def told(self) -> tuple[list[str], Broken | None]:
        """The lines, and the rule that was broken at their end."""
        outcome = play(self._plan, self._prepare)
        lines = [text for _, text in self._lines]
        left_out = len(lines) - 2 * MOST_LINES
        if left_out > 0:
            lines[MOST_LINES:-MOST_LINES] = [f"... {left_out} lines left out"]
        return [self._headline, *lines] if self._headline else [], outcome.broken

    def _prepare(self, run: Run) -> None:
        self._run = run
        run.world.watch = self._observed
        run.world.tell = self._told
        run.world.hear = self._heard

    def _is_about(self, flow: Flow | None) -> bool:
        if self._number and (flow is None or root_of(flow.number) != self._number):
            return False
        if flow is not None and not self._headline:
            self._headline = (
                f"flow {flow.number}, {flow.kind}: {flow_text(flow.there)}, by "
                f"{flow.client.interface.name}"
            )
        return True

    def _add(self, text: str) -> None:
        self._lines.append((self._run.world.now, text))

    def _told(self, what: str, flow: Flow | None) -> None:
        if flow is None or self._is_about(flow):
            self._add(line(self._run.world.now, "outside", what))

    def _heard(self, sender: Actor, to: Actor, message: Message, flow: Flow | None) -> None:
        if flow is not None and self._is_about(flow):
            kind = type(message).__name__
            self._add(line(self._run.world.now, who(sender), f"sends {kind} to {who(to)}"))

    def _observed(self, _: Actor, message: Message, flow: Flow | None) -> None:
        if not self._is_about(flow):
            return
        match message:
            case StepTaken():
                self._add(step_line(message, 0))
            case PacketDropped():
                self._add(drop_line(message, 0))
            case SessionClosed():
                what = f"session {message.session_id} closed: {message.reason.name}"
                self._add(line(message.at, f"SPU {message.session_id // 10_000_000}", what))
