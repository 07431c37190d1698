"""What stands may stand under the configuration in force: its policy, its translation, its way.

Looked up as plainly as can be: one policy, rule or route after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from controller.config.nat import INTERFACE_POOL
from controller.config.schema import Action, Configuration, Policy, Rematch
from controller.flow import FORWARD, REVERSE, Address, Tuple5, text
from controller.simulate import inside
from controller.simulate.violation import Rule
from controller.spu import Spu
from controller.spu.session import Session, SessionState

Found = tuple[Rule, str]
"""A rule that a session breaks, and how."""


def not_in_force(spu: Spu) -> Iterator[tuple[int, Session, Rule, str]]:
    """Sessions of an SPU that should have ended or moved when its configuration came into force:
    id, session, the rule and what is wrong. While it still looks at them: none."""
    if inside.is_reconfiguring(spu):
        return
    config = inside.config_of(spu)
    for session_id, session in inside.sessions(spu).items():
        if session.state is not SessionState.ACTIVE:
            continue
        for rule, what in (
            *_policy(config, session),
            *_translation(config, session),
            *_way(config, session),
        ):
            yield session_id, session, rule, what


def _policy(config: Configuration, session: Session) -> Iterator[Found]:
    if session.parent:
        return  # a gate let it through
    verdict, rematch = session.verdict, config.policy_rematch
    mine = next((policy for policy in config.policies if policy.index == verdict.index), None)
    if mine is None:
        yield Rule.IN_FORCE, f"policy {verdict.name} is gone"
    elif rematch is Rematch.ON and mine.action is not Action.PERMIT:
        yield Rule.IN_FORCE, f"policy {verdict.name} denies it by now"
    elif rematch is Rematch.EXTENSIVE:
        first = _first(config, session)
        if first is None or first.action is not Action.PERMIT:
            yield Rule.IN_FORCE, "no policy permits it any more"
        elif first.index != verdict.index:
            yield Rule.IN_FORCE, f"policy {first.name} decides on it, not {verdict.name}"


def _first(config: Configuration, session: Session) -> Policy | None:
    """The first policy that matches; those here ask for zones and applications alone."""
    forward, reverse = session.wings
    zones = {i.token: i.zone for i in config.interfaces.values()}
    pair = zones[forward.key.token], zones[reverse.key.token]
    out = forward.translated
    flow = Tuple5(forward.key.src, out.dst, forward.key.sport, out.dport, out.protocol)
    for policy in config.policies:
        if (policy.from_zone, policy.to_zone) == pair and _matches(policy, flow):
            return policy
    return None


def _matches(policy: Policy, flow: Tuple5) -> bool:
    return not policy.applications or any(
        application.protocol in (flow.protocol, -1)
        and flow.dport in application.destination_ports
        and flow.sport in application.source_ports
        for application in policy.applications
    )


def _translation(config: Configuration, session: Session) -> Iterator[Found]:
    nat = config.nat
    standing = (*nat.source, *nat.destination, *nat.static)
    for rule in (session.source_rule, session.destination_rule):
        if rule is not None and rule not in standing:
            yield Rule.IN_FORCE, f"NAT rule {rule.name} is gone, or another"
    granted = session.nat
    if granted is not None and granted.pool != INTERFACE_POOL:
        pool = nat.source_pools.get(granted.pool)
        if pool is None or granted.address not in pool:
            what = f"{text(granted.address)} is in pool {granted.pool} no more"
            yield Rule.IN_FORCE, what


def _way(config: Configuration, session: Session) -> Iterator[Found]:
    if session.tcp is not None and session.tcp.is_over:
        return  # it ends soon
    forward = session.wings[FORWARD]
    ends = {FORWARD: forward.translated.dst, REVERSE: forward.key.src}
    hops = {direction: _next_hop(config, end) for direction, end in ends.items()}
    if None in hops.values():
        return  # no way is left: it goes on as it was, while it may
    for direction, hop in hops.items():
        taken = session.next_hops[direction]
        if hop != taken:
            way = "ahead" if direction is FORWARD else "back"
            yield Rule.IN_FORCE, f"its way {way} is by {text(taken)}, not by {text(hop or b'')}"


def _next_hop(config: Configuration, address: Address) -> Address | None:
    """By the longest prefix; ``None``: there is none."""
    wanted, best, found = ip_address(address), -1, None
    for interface in config.interfaces.values():
        for own in interface.addresses:
            if wanted in own.network and own.network.prefixlen > best:
                best, found = own.network.prefixlen, address
    for route in config.routes:
        if wanted in route.prefix and route.prefix.prefixlen > best:
            best, found = route.prefix.prefixlen, route.next_hop
    return found
