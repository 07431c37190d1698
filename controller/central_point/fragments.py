"""Fragments whose session is not known: whose are they?

The NPU gives a later fragment the ports of its first one, and then finds its wing. While the wing
is still on its way, the fragment comes here instead, as its first one did. One that comes before
its first waits here until that is seen, here or by the session's SPU, which tells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from controller.config.schema import SECOND
from controller.flow import FlowKey, FragmentId, Nanoseconds
from controller.messages import PacketIn

LIFETIME: Nanoseconds = 30 * SECOND
"""How long a first fragment is remembered, as in the NPU."""
CAPACITY = 4096
"""First fragments remembered; the oldest goes first."""
HELD = 1024
"""Fragments that wait; those that have waited longest go first."""
HELD_OF_ONE = 64
"""Of one datagram."""


class FragmentTable:
    """Flows by what the fragments of one packet have in common, and fragments without."""

    def __init__(self) -> None:
        self._flows: OrderedDict[FragmentId, tuple[FlowKey, Nanoseconds]] = OrderedDict()
        self._held: OrderedDict[FragmentId, tuple[list[PacketIn], Nanoseconds]] = OrderedDict()
        self._count = 0

    def note(self, key: FragmentId, flow: FlowKey, now: Nanoseconds) -> list[PacketIn]:
        """Remember a first fragment; those that waited for it."""
        self._flows[key] = (flow, now)
        self._flows.move_to_end(key)
        if len(self._flows) > CAPACITY:
            self._flows.popitem(last=False)
        held = self._held.pop(key, None)
        if held is None:
            return []
        self._count -= len(held[0])
        return held[0]

    def flow(self, key: FragmentId, now: Nanoseconds) -> FlowKey | None:
        """The flow of a later fragment's packet, if its first one came before."""
        found = self._flows.get(key)
        if found is None or now - found[1] > LIFETIME:
            return None
        return found[0]

    def hold(self, key: FragmentId, message: PacketIn, until: Nanoseconds) -> list[PacketIn]:
        """Have a later fragment wait for its first one; what there is no room for instead."""
        held = self._held.get(key)
        if held is not None and len(held[0]) >= HELD_OF_ONE:
            return [message]
        instead = self._take_oldest() if self._count >= HELD else []
        # (That may have been of this datagram, too.)
        held = self._held.setdefault(key, ([], until))
        held[0].append(message)
        self._count += 1
        return instead

    def _take_oldest(self) -> list[PacketIn]:
        _, (messages, _) = self._held.popitem(last=False)
        self._count -= len(messages)
        return messages

    def deadline(self) -> Nanoseconds | None:
        """When the oldest has waited long enough."""
        for _, until in self._held.values():
            return until
        return None

    def due(self, now: Nanoseconds) -> Iterator[PacketIn]:
        """Take out those that have."""
        while self._held:
            _, until = next(iter(self._held.values()))
            if until > now:
                return
            yield from self._take_oldest()

    def __iter__(self) -> Iterator[PacketIn]:
        for messages, _ in self._held.values():
            yield from messages

    def __len__(self) -> int:
        """How many wait."""
        return self._count
