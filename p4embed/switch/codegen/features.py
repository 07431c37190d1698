"""What a program needs beside the way straight through: copies, second passes, multicast."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from p4embed.switch import program as p
from p4embed.switch.codegen.names import all_actions
from p4embed.switch.codegen.walk import walk


@dataclass(frozen=True, slots=True)
class Features:
    """What a program asks of the traffic manager."""

    clone_ingress: bool
    clone_egress: bool
    resubmit: bool
    recirculate: bool
    multicast: bool

    @property
    def queues(self) -> bool:
        """Whether one packet can become several, or pass twice."""
        return any(dataclasses.astuple(self))


def features(program: p.Program) -> Features:
    """What the program's actions and parser states do."""
    kinds: set[object] = set()
    multicast = False
    group = program.intrinsics.mcast_grp
    for item in walk((all_actions(program), program.parser)):
        kinds.add(type(item))
        if isinstance(item, p.Clone):
            kinds.add((p.Clone, item.egress))
        if group is None or isinstance(item, p.MarkToDrop):
            continue
        target = getattr(item, "target", None)
        if target == group or target == p.HeaderRef(group.header):
            multicast = True
    return Features(
        (p.Clone, False) in kinds,
        (p.Clone, True) in kinds,
        p.Resubmit in kinds,
        p.Recirculate in kinds,
        multicast,
    )
