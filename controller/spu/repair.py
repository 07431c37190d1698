"""Wings that are not where they belong are written again.

A packet of an installed session that comes by the central point, or in hash-based distribution as a
miss, found no wing of the session in its NPU, or one of another session. Just after the set-up that
is a matter of time; later, the NPU's table is wrong: its entry was deleted by others, or stands for
a session that is no more. The session's own wing takes its place.

But if the packet came by another NPU than the one that has the wing, no table is wrong: the path is
asymmetric. The packets of such a wing go on that way, and operators are shown why.
"""

from __future__ import annotations

from collections import OrderedDict

from controller.config.schema import SECOND
from controller.flow import Direction, Nanoseconds, Port
from controller.messages import Step
from controller.reasons import Punt
from controller.spu.core import Core
from controller.spu.installation import Installation
from controller.spu.session import Queued, Session, SessionState

SETTLED: Nanoseconds = SECOND
"""How old a session is before a detour means more than that its wings are under way; and how long
a repair is given before the next one."""
REMEMBERED = 1024
"""Repairs that are remembered for that; and asymmetric wings, the newest ones."""

_DETOURS = (Punt.MISS, Punt.SYN_PROXY, Punt.SESSION, Punt.TCP_CONTROL)


class Repair:
    """Sees packets that took the detour."""

    def __init__(self, core: Core, installation: Installation) -> None:
        self._core = core
        self._installation = installation
        self._recent: dict[tuple[int, Direction], Nanoseconds] = {}
        self._astray: OrderedDict[tuple[int, Direction], Port] = OrderedDict()
        self.count = 0
        """Wings written again so far."""

    def consider(self, session: Session, queued: Queued) -> None:
        """A packet of a session came though its NPU did not name the session."""
        now = self._core.now
        direction = queued.direction
        if (
            session.state is not SessionState.ACTIVE
            or session.move is not None
            or not session.installed >> direction & 1
            or queued.message.reason not in _DETOURS
            or now - session.started < SETTLED
        ):
            return
        what = (session.id, direction)
        port = queued.message.port
        if port.npu != session.wings[direction].ingress.npu:
            if what not in self._astray:
                detail = f"asymmetric: {direction.name.lower()} packets come by NPU {port.npu}"
                self._core.step(Step.ROUTE, session.wings[0].key, detail, session.id)
            self._astray[what] = port
            if len(self._astray) > REMEMBERED:
                self._astray.popitem(last=False)
            return
        last = self._recent.get(what)
        if last is not None and now - last < SETTLED:
            return
        if len(self._recent) >= REMEMBERED:
            self._recent.clear()
        self._recent[what] = now
        self.count += 1
        npu = session.wings[direction].ingress.npu
        detail = f"NPU {npu}, {direction.name.lower()} wing"
        self._core.step(Step.REPAIR, session.wings[0].key, detail, session.id)
        self._installation.renew(session, direction)

    def astray(self, session: Session, direction: Direction) -> Port | None:
        """Where packets of a wing were seen to come in that another NPU has."""
        port = self._astray.get((session.id, direction))
        return None if port is None or port.npu == session.wings[direction].ingress.npu else port
