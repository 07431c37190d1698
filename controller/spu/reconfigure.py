"""Another configuration comes into force: what becomes of flows and sessions that are there.

A session ends when an interface of it is gone or belongs to another zone or virtual router, or when
a NAT rule that translated it is gone or another (a pool keeps its bindings by name); what
its policy's change means for it is ``policy-rematch``'s to say; a changed route re-routes it
(``reroute``). Sessions on Express Path are treated alike: their entries go or change with them.

What Junos says of ``policy-rematch`` (its documentation, "Managing sessions on policy changes"):

====================================  ==================  =====================  ==================
a policy is ...                       off (default)       on                     extensive
====================================  ==================  =====================  ==================
deleted                               its sessions end    its sessions end       searched anew
changed from permit to deny, reject   they stay           they end               searched anew
changed in addresses, applications    they stay           end if it no longer    searched anew
                                                          matches them
inserted or moved before another      they stay           they stay              searched anew
====================================  ==================  =====================  ==================

"Searched anew": a session stays if any policy permits it now, and belongs to that one.

Children of control sessions go by their parents: what ends those here ends them. One whose parent
has ended before stays as long as its policy is there and permits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from controller.config.nat import INTERFACE_POOL, SourcePool
from controller.config.schema import Action, Configuration, Rematch
from controller.flow import Tuple5
from controller.messages import Reconfigure
from controller.reasons import Close
from controller.spu.core import Core
from controller.spu.first_path import FirstPath
from controller.spu.policy import DEFAULT_INDEX, Verdict
from controller.spu.reroute import Reroute
from controller.spu.session import Session, SessionState, Stage
from controller.spu.teardown import Teardown

SLICE = 500
"""Sessions looked at without a break."""


class Reconfiguration:
    """Brings an SPU's flows and sessions in line with a configuration."""

    def __init__(self, core: Core, first: FirstPath, reroute: Reroute, teardown: Teardown) -> None:
        self._core = core
        self._first = first
        self._reroute = reroute
        self._teardown = teardown
        self._left: deque[int] = deque()
        """Sessions that are still to be looked at."""
        self._lost: set[bytes] = set()
        """Addresses of ours that the configuration in force has no more."""
        self._pools: Mapping[str, SourcePool] = {}
        """The source pools before."""
        self._ended: dict[int, Close] = {}
        """Control sessions that did not stay; their children are looked at later."""

    def take(self, message: Reconfigure) -> None:
        """The configuration in force changes."""
        core = self._core
        old = core.config
        core.configure(message.configuration)
        for pending in list(core.pending.values()):
            if pending.stage is Stage.INSTALL or pending.passage is not None:
                core.unchecked.add(pending.flow)
            else:
                self._first.restart(pending)
        for index in [index for index in core.hits if core.policy(index) is None]:
            if index != DEFAULT_INDEX:
                del core.hits[index]
                core.statistics.pop(index, None)
        self._pools = old.nat.source_pools
        self._lost = _own_addresses(old) - _own_addresses(core.config)
        self._ended.clear()
        self._left = deque(core.sessions)
        self.go_on()

    @property
    def is_under_way(self) -> bool:
        """Whether ``go_on`` is due."""
        return bool(self._left)

    def go_on(self) -> None:
        """Look at some of the sessions that are left; the packets of all others wait no longer than
        that takes."""
        core = self._core
        for _ in range(min(SLICE, len(self._left))):
            session = core.sessions.get(self._left.popleft())
            if session is None:
                continue
            if session.state is SessionState.INSTALLING:
                core.unchecked.add(session.wings[0].key)
            elif session.state is SessionState.ACTIVE:
                if (
                    session.nat is not None
                    and session.nat.pool == INTERFACE_POOL
                    and session.nat.address in self._lost
                ):
                    self._end(session, Close.INTERFACE_CHANGED)
                else:
                    self.check(session)

    def check(self, session: Session) -> None:
        """Hold an active session against the configuration in force."""
        reason = self._interfaces(session) or self._translation(session)
        if reason is None and session.parent:
            reason = self._ended.get(session.parent)
        if reason is None and not self._still_permitted(session):
            reason = Close.POLICY_CHANGED
        if reason is not None:
            self._end(session, reason)
        else:
            self._reroute.check(session)

    def _end(self, session: Session, reason: Close) -> None:
        if session.gateway is not None:
            self._ended[session.id] = reason
        self._teardown.begin(session, reason)

    def _interfaces(self, session: Session) -> Close | None:
        """Both must still be there, with the tokens that the session's keys have."""
        interfaces = self._core.by_token
        forward, reverse = session.wings
        for wing, answers in ((forward, reverse), (reverse, forward)):
            if (wing.ingress, wing.key.token) not in interfaces:
                return Close.INTERFACE_CHANGED
            # Another VLAN of that port may have the same zone: so this looks at the interface.
            out = self._core.interface(wing.hop.port, wing.hop.vlan)
            if out is None or out.token != answers.key.token:
                return Close.INTERFACE_CHANGED
            if not out.enabled:
                continue  # a matter of routes
            if out.mac != wing.hop.src_mac:
                return Close.INTERFACE_CHANGED
        return None

    def _translation(self, session: Session) -> Close | None:
        """The rules that translated it must be there as they were, and its pool must still have its
        address, under the same terms. A rule that is new is for new sessions."""
        tables = self._core.nat
        for rule in (session.source_rule, session.destination_rule):
            if rule is not None and not tables.stands(rule):
                return Close.NAT_CHANGED
        if session.nat is None or session.nat.pool == INTERFACE_POOL:
            return None
        pool = tables.source_pools.get(session.nat.pool)
        before = self._pools.get(session.nat.pool, pool)
        if (
            pool is None
            or before is None
            or session.nat.address not in pool
            or (pool.port_use, pool.host_base) != (before.port_use, before.host_base)
        ):
            return Close.NAT_CHANGED
        return None

    # -- policies -----------------------------------------------------------------------------

    def _still_permitted(self, session: Session) -> bool:
        core = self._core
        rematch = core.config.policy_rematch
        old = session.verdict
        if session.parent:
            parent = core.sessions.get(session.parent)
            if parent is not None and parent.state is SessionState.ACTIVE:
                return self._adopt(session, parent.verdict)
        elif rematch is Rematch.EXTENSIVE:
            return self._adopt(session, self._search(session))
        if old.index == DEFAULT_INDEX:
            return rematch is Rematch.OFF or core.config.default_action is Action.PERMIT
        new = core.policy(old.index)
        if new is None or (old.policy is not None and old.policy.identity != new.identity):
            return False  # numbers are used again
        if new == old.policy or rematch is Rematch.OFF:
            return True
        if session.parent:
            # Its own addresses and ports are not what was permitted.
            return new.action is Action.PERMIT
        found = self._search(session)
        return found.index == old.index and self._adopt(session, found)

    def _adopt(self, session: Session, verdict: Verdict) -> bool:
        if verdict.permits:
            session.verdict = verdict
        return verdict.permits

    def _search(self, session: Session) -> Verdict:
        """As for its first packet: original source, translated destination."""
        forward, reverse = session.wings
        key, out = forward.key, forward.translated
        flow = Tuple5(key.src, out.dst, key.sport, out.dport, key.protocol)
        interfaces = self._core.by_token
        ingress = interfaces[forward.ingress, key.token]
        egress = interfaces[reverse.ingress, reverse.key.token]
        return self._core.policies.search(ingress.zone, egress.zone, flow)


def _own_addresses(config: Configuration) -> set[bytes]:
    return {a.packed for i in config.interfaces.values() for a in i.addresses}
