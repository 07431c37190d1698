"""What happened in a small run, told line by line in the words of ``show security flow walk``."""

from __future__ import annotations

from dataclasses import replace

from controller.messages import (
    Actor,
    Message,
    PacketDropped,
    SessionClosed,
    StepTaken,
    Transmit,
)
from controller.operate.text import flow as flow_text
from controller.operate.walk_lines import drop_line, line, step_line, who
from controller.simulate.engine import Run
from controller.simulate.flow import Flow, root_of
from controller.simulate.frames import tag_of
from controller.simulate.options import Plan
from controller.simulate.play import Broken, play
from controller.simulate.tracking import PacketCarrier, carried
from controller.spu.core import IDS_PER_SPU

MOST_LINES = 100
"""Of a long story, so many from its beginning and so many from its end."""
MOST_FLOWS = 20
"""That are introduced."""


class Story:
    """Looks on while a plan is played, and keeps what concerns one flow."""

    def __init__(self, plan: Plan, number: int) -> None:
        """``number`` is the flow's; 0: all flows."""
        self._plan = replace(plan, trace=True)
        self._number = number
        self._lines: list[tuple[str, int]] = []
        """And whose they are."""
        self._headlines: dict[int, str] = {}
        """Of the flows that it is about, by number."""
        self._run: Run

    def told(self) -> tuple[list[str], Broken | None]:
        """The lines, and the rule that was broken at their end."""
        outcome = play(self._plan, self._prepare)
        several = len(self._headlines) > 1
        lines = [f"{text}  [flow {n}]" if several and n else text for text, n in self._lines]
        left_out = len(lines) - 2 * MOST_LINES
        if left_out > 0:
            lines[MOST_LINES:-MOST_LINES] = [f"... {left_out} lines left out"]
        heads = list(self._headlines.values())
        if len(heads) > MOST_FLOWS:
            heads[MOST_FLOWS:] = [f"... {len(heads) - MOST_FLOWS} more flows"]
        return [*heads, *lines] if heads else [], outcome.broken

    def _prepare(self, run: Run) -> None:
        self._run = run
        run.world.watch = self._observed
        run.world.tell = self._told
        run.world.hear = self._heard

    def _is_about(self, flow: Flow | None) -> bool:
        if self._number and (flow is None or root_of(flow.number) != self._number):
            return False
        if flow is not None and flow.number not in self._headlines:
            parent = root_of(flow.number)
            whose = "" if parent == flow.number else f", announced by flow {parent}"
            self._headlines[flow.number] = (
                f"flow {flow.number}, {flow.kind}: {flow_text(flow.there)}, by "
                f"{flow.client.interface.name}{whose}"
            )
        return True

    def _add(self, text: str, flow: Flow | None) -> None:
        self._lines.append((text, 0 if flow is None else flow.number))

    def _told(self, what: str, flow: Flow | None) -> None:
        if flow is None or self._is_about(flow):
            self._add(line(self._run.world.now, "outside", what), flow)

    def _heard(self, sender: Actor, to: Actor, message: Message, flow: Flow | None) -> None:
        if flow is not None and self._is_about(flow):
            what = f"sends {type(message).__name__} to {who(to)}{_packet_of(message, flow)}"
            self._add(line(self._run.world.now, who(sender), what), flow)

    def _observed(self, _: Actor, message: Message, flow: Flow | None) -> None:
        if not self._is_about(flow):
            return
        match message:
            case StepTaken():
                self._add(step_line(message, 0), flow)
            case PacketDropped():
                self._add(drop_line(message, 0), flow)
            case SessionClosed():
                what = f"session {message.session_id} closed: {message.reason.name}"
                name = f"SPU {message.session_id // IDS_PER_SPU}"
                self._add(line(message.at, name, what), flow)


def _packet_of(message: Message, flow: Flow) -> str:
    """Which packet is in a message, in words."""
    if isinstance(message, Transmit):
        frame = message.frame
    elif isinstance(message, PacketCarrier):
        frame = carried(message).frame
    else:
        return ""
    tag = tag_of(frame)
    return f", packet {tag.packet}" if tag is not None and tag.flow == flow.number else ""
