"""The Express Path decision, made just before a session's wings are installed."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from controller.config.tcp import TCP_SETTINGS, TcpSettings
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
    MTU = "the MTU of its interfaces differs"
    SYN_PROXY = "SYN flood protection translates its sequence numbers"
    STRICT_SYN = "strict-syn-check has its SPU see the whole handshake"
    SEQUENCE_CHECK = "its policy requires sequence checks, and NPUs make none"
    RST_CHECK = "rst-sequence-check, and NPUs do not follow sequence numbers"
    TABLE_FULL = "an NPU had no room for its wings"

    @property
    def word(self) -> str:
        """What an operator types for it."""
        return self.name.lower().replace("_", "-")


_ELIGIBLE = frozenset((TCP, UDP, ICMP, ICMPV6))


def not_express(
    verdict: Verdict,
    forward: Wing,
    *,
    is_control: bool = False,
    is_fragment: bool = False,
    is_spliced: bool = False,
    mtus: Collection[int] = (),
    tcp: TcpSettings = TCP_SETTINGS,
) -> NotExpress | None:
    """Why a session may not ride Express Path; ``None``: it may. The first reason found stands.

    ``is_control``: a gateway reads along. ``is_fragment``: its first packet was one.
    ``is_spliced``: SYN flood protection let it in, and its numbers are translated. ``mtus`` are
    those of its interfaces: an NPU does not fragment. IPv6 with NAT is what the NPU cannot rewrite.
    ``tcp`` is what is checked of connections: what was asked for by name keeps them with their SPU,
    and the sequence check that is on by default does not.
    (The original's list: Juniper's page ``security-express-path``. Filters are none of our reasons:
    the NPU applies them before it looks for a session. And where the original offloads unless told
    otherwise, from 21.2 on, only ``services-offload`` does so here, as before 21.2.)
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
    if len(set(mtus)) > 1:
        return NotExpress.MTU
    return _tcp_check(verdict, tcp) if forward.key.protocol == TCP else None


def _tcp_check(verdict: Verdict, tcp: TcpSettings) -> NotExpress | None:
    """A check that only an SPU can make, as it is the one that sees the segments."""
    if tcp.strict_syn_check:
        return NotExpress.STRICT_SYN
    if tcp.rst_sequence_check:
        return NotExpress.RST_CHECK
    policy = verdict.policy
    if policy is not None and policy.tcp is not None and policy.tcp.sequence_check:
        return NotExpress.SEQUENCE_CHECK
    return None
