"""What each reason of a drop means, for operators: a few words beside its name."""

from __future__ import annotations

from controller.config.screens import SCREENS, Screen
from controller.reasons import Drop


def _switch(screen: Screen) -> str:
    words = screen.words
    if screen.threshold is not None and screen.threshold.word not in ("", "threshold"):
        words = (*words, screen.threshold.word)
    return f"screen: {' '.join(words)}"


_SCREENS = {screen.drop: _switch(screen) for screen in SCREENS}

_WORDS = {
    # What an NPU finds wrong, or has no use for.
    Drop.NO_INTERFACE: "no interface is configured on this port and VLAN",
    Drop.NOT_FOR_US: "for another MAC address, or a question that is not the firewall's to answer",
    Drop.ETHERTYPE: "neither ARP nor IP",
    Drop.TRUNCATED: "it ends inside a header",
    Drop.IP_VERSION: "the IP version is not that of the frame",
    Drop.IP_HEADER_LENGTH: "the IP header is shorter than it may be",
    Drop.IP_TOTAL_LENGTH: "the IP length is beyond the frame, or within the headers",
    Drop.IP_CHECKSUM: "the checksum of the IP header is wrong",
    Drop.TTL_EXPIRED: "its TTL ended here; the sender is told",
    Drop.MARTIAN_SOURCE: "no host may have this source address here",
    Drop.TCP_OFFSET: "the TCP header is beyond the packet, or too short",
    Drop.UDP_LENGTH: "the UDP length is not that of the packet",
    Drop.IPV6_EXTENSION: "more, or longer, IPv6 extension headers than sessions carry",
    Drop.NO_EGRESS: "no interface is configured on the way out",
    Drop.BAD_FABRIC: "no fabric frame on a fabric port, or one elsewhere",
    Drop.MULTICAST: "IP multicast or broadcast, which nobody here listens to",
    Drop.FILTER: "a firewall filter discards it",
    Drop.FILTER_REJECT: "a firewall filter rejects it; the sender is told",
    Drop.POLICER: "above a policer's rate",
    Drop.SHAPER: "above the shaping rate of the interface",
    Drop.PUNT_LIMIT: "more of its kind than the controller takes a second",
    # What the central point and SPUs refuse.
    Drop.NO_ROUTE: "no route to its destination; the sender is told",
    Drop.POLICY_DENY: "a policy, or the default policy, denies it",
    Drop.NAT_EXHAUSTED: "source NAT has no address or port left for it",
    Drop.NO_NEIGHBOR: "the next hop does not answer ARP or ND; the sender is told",
    Drop.TCP_NOT_SYN: "a TCP segment of no session that is no SYN",
    Drop.PENDING_TIMEOUT: "the set-up of its session took too long",
    Drop.QUEUE_FULL: "too many packets wait behind the first of its flow, or for its NPU",
    Drop.SESSION_TABLE_FULL: "the chassis has as many sessions as it may",
    Drop.NPU_TABLE_FULL: "an NPU has no room for wings",
    Drop.NPU_LOST: "an NPU did not take what was written to it",
    Drop.FRAGMENT_TIMEOUT: "the rest of its datagram did not come in time",
    Drop.ICMP_ERROR_UNMATCHED: "an ICMP error about a packet of no session",
    Drop.HOST_INBOUND: "for the firewall itself, whose zone does not let it in",
    Drop.STALE_SESSION: "its session ended on one side; the next packet begins anew",
    Drop.MALFORMED: "no valid message of its protocol",
    Drop.ICMP_NOT_REQUEST: "ICMP of no session that asks for nothing",
    Drop.NO_REVERSE_ROUTE: "no route back to its source",
    Drop.WING_CLASH: "another session has the same answers",
    Drop.SPU_FULL: "its SPU has as many sessions as it may",
    Drop.SPU_FAILED: "its SPU failed",
    Drop.NO_SPU: "no SPU is in service",
    Drop.INTERNAL: "a fault of the controller's; see its log",
    Drop.POLICY_REJECT: "a policy rejects it; the sender is told",
    Drop.ROUTE_REJECT: "its route says reject; the sender is told",
    Drop.ROUTE_DISCARD: "its route says discard",
    Drop.ASYMMETRIC_ROUTE: "it came from another zone than answers to it leave by",
    Drop.TOO_BIG: "larger than the MTU, and not to be cut; the sender is told",
    Drop.GATE_TABLE_FULL: "no room for the gate that a control session asks for",
    Drop.GATE_PARENT_GONE: "the control session of its gate has ended",
    Drop.DNS_REPLY_UNMATCHED: "a DNS answer that nobody asked for",
    Drop.ALG_MALFORMED: "an application layer gateway cannot make sense of it",
    Drop.ALG_BACKLOG: "an application layer gateway waits for too much already",
    Drop.NO_ANSWER: "the server does not answer a client that SYN flood protection let in",
    Drop.FRAGMENT_OVERLAP: "fragments of its datagram overlap",
    Drop.FRAGMENT_LIMIT: "too many fragments wait for the rest of their datagrams",
    Drop.TCP_SEQUENCE: "its TCP numbers are out of the windows",
    Drop.TCP_RST_SEQUENCE: "a RST that is not exact; its sender is told the right number",
    Drop.TCP_STRICT_SYN: "data before the TCP handshake was complete",
}


def why(reason: Drop) -> str:
    """What a reason means; a screen's, by the words that switch it on."""
    return _WORDS[reason] if reason in _WORDS else _SCREENS[reason]
