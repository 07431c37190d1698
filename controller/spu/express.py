"""The Express Path decision, made just before a session's wings are installed."""

from __future__ import annotations

from enum import Enum

from controller.flow import Wing
from controller.packet import ICMP, ICMPV6, TCP, UDP
from controller.spu.policy import Verdict


class NotExpress(Enum):
    """Why a session's packets go through their SPU; the value is what a person reads."""

    POLICY = "its policy does not say services-offload"
    POLICY_OFF = "its policy says no-services-offload"
    ALG_CONTROL = "an application layer gateway reads along"
    PROTOCOL = "its protocol has no ports"
    FRAGMENT = "its first packet was a fragment"
    IPV6_NAT = "IPv6 with address translation"
    MTU = "the MTU of its two interfaces differs"
    SYN_PROXY = "SYN flood protection translates its sequence numbers"
    TABLE_FULL = "an NPU had no room for its wings"


_ELIGIBLE = frozenset((TCP, UDP, ICMP, ICMPV6))


def not_express(
    verdict: Verdict,
    forward: Wing,
    *,
    is_control: bool = False,
    is_fragment: bool = False,
    is_spliced: bool = False,
    mtus: tuple[int, int] = (0, 0),
) -> NotExpress | None:
    """Why a session may not ride Express Path; ``None``: it may. The first reason found stands.

    ``is_control``: a gateway reads along. ``is_fragment``: its first packet was one.
    ``is_spliced``: SYN flood protection let it in, and its numbers are translated. ``mtus`` are
    those of its interfaces: an NPU does not fragment. IPv6 with NAT is what the NPU cannot rewrite.
    (junos-facts 4 has the original's list. Filters are none of our reasons: the NPU applies them
    before it looks for a session. And where the original offloads unless told otherwise, from
    21.2 on, only ``services-offload`` does so here, as before 21.2.)
    """
    if verdict.policy is not None and verdict.policy.no_services_offload:
        return NotExpress.POLICY_OFF
    if not verdict.services_offload:
        return NotExpress.POLICY
    if is_control:
        return NotExpress.ALG_CONTROL
    if forward.key.protocol not in _ELIGIBLE:
        return NotExpress.PROTOCOL
    if is_fragment:
        return NotExpress.FRAGMENT
    if is_spliced:
        return NotExpress.SYN_PROXY
    if len(forward.key.src) == 16 and forward.is_translated:
        return NotExpress.IPV6_NAT
    if mtus[0] != mtus[1]:
        return NotExpress.MTU
    return None
