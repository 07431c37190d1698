"""The Express Path decision, made just before a session's wings are installed."""

from __future__ import annotations

from enum import Enum

from controller.flow import Wing
from controller.packet import ICMP, ICMPV6, TCP, UDP
from controller.spu.policy import Verdict


class NotExpress(Enum):
    """Why a session's packets go through their SPU; the value is what a person reads."""

    POLICY = "its policy does not say services-offload"
    ALG_CONTROL = "an application layer gateway reads along"
    PROTOCOL = "its protocol has no ports"
    IPV6_NAT = "IPv6 with address translation"


_ELIGIBLE = frozenset((TCP, UDP, ICMP, ICMPV6))


def not_express(verdict: Verdict, forward: Wing, *, is_control: bool = False) -> NotExpress | None:
    """Why a session may not ride Express Path; ``None``: it may. ``is_control``: a gateway reads
    along.

    Fragments never get this far, and IPv6 with NAT is what the NPU cannot rewrite (junos-facts 4
    has the original's list).
    """
    if not verdict.services_offload:
        return NotExpress.POLICY
    if is_control:
        return NotExpress.ALG_CONTROL
    if forward.key.protocol not in _ELIGIBLE:
        return NotExpress.PROTOCOL
    if len(forward.key.src) == 16 and forward.is_translated:
        return NotExpress.IPV6_NAT
    return None
