"""Lines of a first packet's walk: when, who, what. For ``show security flow walk`` and whoever else
tells a walk in the same words."""

from __future__ import annotations

from controller.flow import Nanoseconds
from controller.messages import Actor, PacketDropped, StepTaken
from controller.operate.text import milliseconds


def who(actor: Actor) -> str:
    """``SPU 2``, or ``CP``, of which there is one."""
    return str(actor)


def line(at: Nanoseconds, name: str, what: str) -> str:
    """``at`` is relative to where the walk begins."""
    return f"{milliseconds(at)}  {name:<9}  {what}"


def step_line(step: StepTaken, start: Nanoseconds) -> str:
    """A step of the walk."""
    detail = f" ({step.detail})" if step.detail else ""
    return line(step.at - start, who(step.who), f"{step.step.value}{detail}")


def drop_line(drop: PacketDropped, start: Nanoseconds, packets: int = 1) -> str:
    """Why a packet, or several for the same reason, went no further."""
    what = f"dropped: {drop.reason.name} ({drop.detail})"
    if packets > 1:
        what += f", {packets} packets"
    return line(drop.at - start, who(drop.who), what)
