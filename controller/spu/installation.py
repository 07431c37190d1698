"""Sessions that the central point has acknowledged: built, written on the NPUs, released.

Steps 5 and 6 of the first packet's walk, the egress NPU first. Wings that have to be written anew,
for another path or another epoch, are written here too.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.config.schema import SECOND
from controller.flow import FORWARD, REVERSE, Direction, Nanoseconds, Path
from controller.messages import (
    InstallWing,
    RemoveWing,
    Step,
    WingInstalled,
    WingLeftOut,
    WingRemoved,
)
from controller.packet import TCP
from controller.reasons import Close, Drop
from controller.record import SessionRecord, encode
from controller.spu.alg.registry import TUNNELS
from controller.spu.alg_path import Gateway
from controller.spu.core import Core
from controller.spu.express import NotExpress, not_express
from controller.spu.live_path import LivePath
from controller.spu.session import ACTIVE, CLOSING, INSTALLING, Pending, Session
from controller.spu.syn_guard import SynGuard
from controller.spu.tcp import TcpTracker, opens
from controller.spu.teardown import Teardown, nat_rules

LONGEST_IDLE: Nanoseconds = 86400 * SECOND
"""NPUs speak up after that at the latest; a session that may be silent for longer stays all the
same. (Targets keep time-outs in 32 bits of milliseconds.)"""


class Installation:
    """Has the NPUs know of sessions."""

    def __init__(self, core: Core, live: LivePath, teardown: Teardown, guard: SynGuard) -> None:
        self._core = core
        self._live = live
        self._teardown = teardown
        self._guard = guard
        self.recheck: Callable[[Session], None] | None = None
        """Called with a session that is installed and was decided on under another
        configuration."""

    # -- the session --------------------------------------------------------------------------

    def build(self, pending: Pending) -> Session:
        """What was decided becomes a session, with the packets that wait for it."""
        core = self._core
        both = pending.wings
        verdict = pending.verdict
        passage = pending.passage
        if passage is None:
            service = core.services.find(pending.routed, verdict.application)
        else:
            service = core.services.of_child(pending.flow.tuple5, passage.application)
        session = Session(
            pending.session_id,
            both,
            verdict,
            service,
            not_express(
                verdict,
                both[0],
                is_control=service.alg is not None,
                is_fragment=pending.first.packet.fragment,
                is_spliced=pending.splice is not None,
                mtus=(pending.ingress.mtu, pending.back.interface.mtu, pending.route.interface.mtu),
                tcp=core.config.tcp,
            ),
            pending.nat,
            core.now,
        )
        if pending.flow.protocol == TCP:
            if pending.splice is not None or opens(pending.first.packet.flags):
                session.timeout = core.config.tcp.initial_timeout
                session.tcp = TcpTracker()
            else:
                session.tcp = TcpTracker(is_new=False)
        if passage is not None:
            session.parent = passage.parent
            if passage.application in TUNNELS:
                self._bind(session)
        if pending.source_rule is not None or pending.destination_rule is not None:
            session.source_rule = pending.source_rule
            session.destination_rule = pending.destination_rule
            core.begin_nat(session.source_rule, session.destination_rule)
        if service.alg is not None:
            session.gateway = Gateway(session)
        if pending.splice is not None:
            session.splice = pending.splice
            self._guard.entered(session)
        if session.tcp is not None:
            self._live.tcp.begin(session, session.tcp)
        session.queue = [pending.first, *pending.queue]
        session.next_hops = (pending.route.next_hop, pending.back.next_hop)
        session.record = self._record(session)
        core.express_counts[session.not_express] += 1
        core.sessions[session.id] = session
        core.ipv6_sessions += len(pending.flow.src) == 16
        core.by_key[both[0].key] = core.by_key[both[1].key] = session
        return session

    def _bind(self, tunnel: Session) -> None:
        """A child is to end with its parent; at once, if that has ended meanwhile."""
        parent = self._core.sessions.get(tunnel.parent)
        if parent is None or parent.gateway is None or parent.state is CLOSING:
            tunnel.cleared = True
        else:
            parent.gateway.tunnels.append(tunnel.id)

    def _record(self, session: Session) -> bytes:
        """What a restarted controller rebuilds it from."""
        return encode(
            SessionRecord(
                session.id,
                self._core.number,
                session.path,
                *session.wings,
                session.nat is not None,
                session.verdict.name,
                session.verdict.index,
                session.service.name,
                session.started,
                session.service.timeout,
                nat_rules(session),
            )
        )

    def _leave_express(self, session: Session, why: NotExpress) -> None:
        """From now on its packets go through this SPU; its wings are to be written for that."""
        core = self._core
        core.express_counts[None] -= 1
        core.express_counts[why] += 1
        session.not_express = why
        session.path = Path.SPU

    def reinstall(self, session: Session, mtus: tuple[int, int] = (0, 0)) -> None:
        """Write both wings of a session anew; what waits is released when they are in effect.
        ``mtus`` are those of its interfaces, if they are others now."""
        if session.path is Path.EXPRESS and mtus[0] != mtus[1]:
            self._leave_express(session, NotExpress.MTU)
            if session.tcp is not None:
                session.tcp.checked = False  # it is met in its middle
        session.record = self._record(session)
        self.write(session, REVERSE)

    # -- step 5: the NPUs, egress first -------------------------------------------------------

    def write(self, session: Session, direction: Direction, is_renewal: bool = False) -> None:
        """Write a wing with its final time-out; shorter ones (``live_path``) are kept here."""
        core = self._core
        wing = session.wings[direction]
        session.installed |= 1 << direction
        idle = session.service.timeout
        install = InstallWing(
            session.id,
            direction,
            core.number,
            wing,
            session.path,
            idle if idle < LONGEST_IDLE else LONGEST_IDLE,
            session.record or self._record(session),
            is_renewal,
        )
        core.out.append((core.npus[wing.ingress.npu], install))

    def renew(self, session: Session, direction: Direction) -> None:
        """A wing carries an epoch that is over, but its session stands: write it again."""
        if session.state is ACTIVE:
            self.write(session, direction, is_renewal=True)

    def wing_installed(self, message: WingInstalled) -> None:
        """A wing is in effect, or could not be written: then what was written is taken back."""
        core = self._core
        session = core.sessions.get(message.session_id)
        if session is None or session.state is not INSTALLING:
            return  # said twice
        direction, error = message.direction, message.error
        npu = session.wings[direction].ingress.npu
        if error is not None:
            if error is Drop.NPU_LOST:
                # It may have written the wing, so it is asked to remove it.
                self._teardown.failed(session, error, npu)
                return
            session.installed ^= 1 << direction
            core.ran_out(error, session.wings[0].key, f"NPU {npu} has no room for a wing")
            if session.path is Path.EXPRESS:
                self._leave_express(session, NotExpress.TABLE_FULL)
                if session.tcp is not None:
                    self._live.tcp.begin(session, session.tcp)
                if session.installed:
                    # One wing on Express Path alone would hide half of the session from its SPU.
                    self._take_back(session)
                else:
                    self.reinstall(session)
                return
            wings = session.wings
            core.to_cp(WingLeftOut(session.id, wings[0].key, wings[direction].key))
        if core.trace:
            step = Step.WING_REVERSE if direction == REVERSE else Step.WING_FORWARD
            detail = f"NPU {npu}, {session.path.value} path"
            if error is not None:
                detail = f"NPU {npu} has no room: its packets come by the central point"
            core.step(step, session.wings[0].key, detail, session.id)
        if direction == REVERSE:
            self.write(session, FORWARD)
        else:
            session.record = b""  # the NPUs have it
            self._release(session)

    def _take_back(self, session: Session) -> None:
        """Remove the one wing that was written, to write both anew for the SPU's path."""
        core = self._core
        session.awaiting = 1
        for direction in Direction:
            if session.installed >> direction & 1:
                wing = session.wings[direction]
                remove = RemoveWing(session.id, direction, core.number, wing.key)
                core.send(core.npus[wing.ingress.npu], remove)

    def wing_taken_back(self, session: Session, message: WingRemoved) -> None:
        """The wing that ``_take_back`` removed."""
        session.packets[message.direction] += message.packets
        session.bytes[message.direction] += message.bytes
        session.awaiting = session.installed = 0
        self.reinstall(session)

    # -- step 6: release ----------------------------------------------------------------------

    def _release(self, session: Session) -> None:
        core = self._core
        session.state = ACTIVE
        session.last_seen = core.now
        if session.tcp is not None or not session.is_installed:
            # Without its wings no NPU says when it is idle.
            core.timers.set(session.id, core.now + session.timeout)
        splice = session.splice
        if splice is not None and not splice.is_joined:
            self._live.server_half.begin(session, splice)
        queue = session.queue if splice is None or splice.is_joined else []
        # A RST in the queue closes the session; what is behind it waits for what comes next.
        while queue and session.state is ACTIVE:
            queued = queue.pop(0)
            if core.trace and (session.gateway is None or session.gateway.relay is not None):
                core.tell_release(session, queued)  # else it may wait for a gate
            self._live.forward(session, queued)
        if session.cleared and session.state is ACTIVE:
            self._teardown.begin(session, Close.CLEARED)
        if core.unchecked:
            flow = session.wings[0].key
            if flow in core.unchecked:
                core.unchecked.remove(flow)
                if session.state is ACTIVE and self.recheck is not None:
                    self.recheck(session)
