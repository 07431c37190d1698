"""Later fragments that come before their session's wing is in the NPU: whose are they?

The NPU gives a later fragment the ports of its first one, and then finds its wing. While the wing
is still on its way, the fragment comes here instead, as its first one did.
"""

from __future__ import annotations

from collections import OrderedDict

from controller.config.schema import SECOND
from controller.flow import Address, FlowKey, Nanoseconds
from controller.packet import Packet

LIFETIME: Nanoseconds = 30 * SECOND
"""How long a first fragment is remembered, as in the NPU."""
CAPACITY = 4096
"""First fragments remembered; the oldest goes first."""

_Id = tuple[Address, Address, int, int, int]


class FragmentTable:
    """Flows by what the fragments of one packet have in common."""

    def __init__(self) -> None:
        self._flows: OrderedDict[_Id, tuple[FlowKey, Nanoseconds]] = OrderedDict()

    def note(self, packet: Packet, flow: FlowKey, now: Nanoseconds) -> None:
        """Remember a first fragment."""
        key = _id(packet, flow.token)
        self._flows[key] = (flow, now)
        self._flows.move_to_end(key)
        if len(self._flows) > CAPACITY:
            self._flows.popitem(last=False)

    def flow(self, packet: Packet, token: int, now: Nanoseconds) -> FlowKey | None:
        """The flow of a later fragment's packet, if its first one came before."""
        found = self._flows.get(_id(packet, token))
        if found is None or now - found[1] > LIFETIME:
            return None
        return found[0]


def _id(packet: Packet, token: int) -> _Id:
    return packet.src, packet.dst, packet.protocol, packet.fragment_id, token
