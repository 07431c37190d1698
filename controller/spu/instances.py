"""In which routing instance a flow's destination is looked up.

In that of the interface where it came in, unless NAT names another one for the translated address
(``destination pool ... routing-instance``, ``static-nat prefix ... routing-instance``). A child of
such a session goes where its parent does; one from the other side goes back to where the parent
came from.
"""

from __future__ import annotations

from controller.config.nat import DestinationNatRule, NatRule, StaticNatRule
from controller.config.schema import Interface
from controller.spu.core import Core


def named_by(rule: NatRule | None) -> str | None:
    """The instance that a rule names for what it translates destinations to; ``None``: none."""
    match rule:
        case DestinationNatRule():
            return None if rule.pool is None else rule.pool.instance
        case StaticNatRule():
            return rule.instance
        case _:
            return None


def toward(core: Core, ingress: Interface, rule: NatRule | None, parent_id: int) -> str:
    """The instance for a flow by its destination rule and its parent, if it has one (else 0)."""
    named = named_by(rule)
    if named is not None:
        return named
    parent = core.sessions.get(parent_id)
    if parent is not None:
        named = named_by(parent.destination_rule)
        if named is not None:
            forward, reverse = parent.wings
            if ingress.token == reverse.key.token:
                return core.by_token[forward.ingress, forward.key.token].vr
            return named
    return ingress.vr
