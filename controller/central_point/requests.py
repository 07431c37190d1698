"""What SPUs ask of the central point for their flows: gates, and translated ports."""

from __future__ import annotations

from collections.abc import Sequence

from controller.central_point.core import Core
from controller.central_point.sessions import Entry
from controller.gate import Endpoint, GateOrder, described
from controller.messages import (
    AllocateNat,
    CloseGates,
    GatesOpened,
    GatesRefused,
    Grant,
    NatGranted,
    NatRefused,
    OpenGates,
    ReleaseNat,
    Step,
)
from controller.reasons import Drop


class Requests:
    """Each is answered, refusals by name."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- gates --------------------------------------------------------------------------------

    def open_gates(self, message: OpenGates) -> None:
        """A control session announced flows; only one that stands may."""
        core = self._core
        answer: GatesOpened | GatesRefused
        opened: list[Endpoint] | Drop
        entry = core.sessions.session(message.flow, message.session_id)
        if entry is None or core.fleet.is_lost(message.spu):
            opened = Drop.GATE_PARENT_GONE
        else:
            renewed = self._renewed(message) if core.trace else ()
            opened = core.gates.open(message.session_id, message.spu, message.orders, core.now)
            if core.trace and not isinstance(opened, Drop):
                self._tell(message, renewed)
        if isinstance(opened, Drop):
            answer = GatesRefused(message.session_id, message.serial, opened)
        else:
            answer = GatesOpened(message.session_id, message.serial, tuple(opened))
        core.out.append((core.spus[message.spu], answer))

    def _renewed(self, message: OpenGates) -> Sequence[GateOrder]:
        """Of what is announced, what has its gate already."""
        standing = self._core.gates.standing
        return [each for each in message.orders if standing(message.session_id, each) is not None]

    def _tell(self, message: OpenGates, renewed: Sequence[GateOrder]) -> None:
        """For the control session's walk."""
        core = self._core
        for order in message.orders:
            gate = core.gates.standing(message.session_id, order)
            if gate is not None:
                step = Step.GATE_RENEWED if order in renewed else Step.GATE_OPENED
                core.step(step, message.flow, described(gate.id, order, gate.hole))

    def close_gates(self, message: CloseGates) -> None:
        """What a control session announced is over."""
        self._core.gates.close(message.session_id, message.call)

    # -- translated ports ---------------------------------------------------------------------

    def allocate(self, message: AllocateNat) -> None:
        """Only a flow that is known may have a port, so that none is granted that nobody frees."""
        core = self._core
        entry = core.sessions.by_key.get(message.flow)
        if entry is None or entry.spu != message.spu or entry.nat is not None:
            refused = NatRefused(message.flow, Drop.PENDING_TIMEOUT, message.serial)
            core.out.append((core.spus[message.spu], refused))
        elif core.desk.is_slow:
            core.desk.add(message, core.now)
        else:
            self._grant(message, entry)

    def tick(self) -> None:
        """Answer requests that were put off, if their flows are still there."""
        core = self._core
        for ask in core.desk.due(core.now):
            entry = core.sessions.by_key.get(ask.flow)
            if entry is not None and entry.spu == ask.spu and entry.nat is None:
                self._grant(ask, entry)

    def _grant(self, message: AllocateNat, entry: Entry) -> None:
        core = self._core
        answer: NatGranted | NatRefused
        entry.nat, answer = core.desk.answer(message)
        core.out.append((core.spus[message.spu], answer))

    def release(self, message: ReleaseNat) -> None:
        """A flow does not need its port any more, or an SPU got one that nobody waits for."""
        core = self._core
        binding = Grant(message.address, message.protocol, message.port)
        if message.flow is None:
            core.desk.release(binding, None)
            return
        entry = core.sessions.by_key.get(message.flow)
        if (
            entry is not None
            and entry.spu == message.spu
            and entry.nat is not None
            and entry.nat[:3] == binding[:3]
        ):
            core.release(entry)
