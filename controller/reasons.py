"""Why a packet is punted or dropped: one list from the P4 source to the operator's screen.

The first part repeats ``p4src/ids.p4`` value by value (a test compares them); values from 128
are the control plane's own.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Punt(IntEnum):
    """Why an NPU hands a packet to the control plane."""

    NONE = 0
    ARP = 1
    ND = 2
    MISS = 3
    SESSION = 4
    TCP_CONTROL = 5
    FRAGMENT = 6
    ICMP_ERROR = 7
    TTL_EXPIRED = 8
    STALE = 9
    SYN_PROXY = 10
    FILTER_REJECT = 11
    TRACE = 12


@unique
class Drop(IntEnum):
    """Why a packet goes no further."""

    NONE = 0
    NO_INTERFACE = 1
    NOT_FOR_US = 2
    ETHERTYPE = 3
    TRUNCATED = 4
    IP_VERSION = 5
    IP_HEADER_LENGTH = 6
    IP_TOTAL_LENGTH = 7
    IP_CHECKSUM = 8
    TTL_EXPIRED = 9
    MARTIAN_SOURCE = 10
    TCP_OFFSET = 11
    UDP_LENGTH = 12
    IPV6_EXTENSION = 13
    NO_EGRESS = 14
    BAD_FABRIC = 15
    MULTICAST = 16
    FILTER = 17
    FILTER_REJECT = 18
    POLICER = 19
    SHAPER = 20
    PUNT_LIMIT = 21

    SCREEN_LAND = 32
    SCREEN_SYN_FIN = 33
    SCREEN_TCP_NO_FLAG = 34
    SCREEN_PING_DEATH = 35
    SCREEN_FIN_NO_ACK = 36
    SCREEN_WINNUKE = 37
    SCREEN_ICMP_FRAGMENT = 38
    SCREEN_ICMP_LARGE = 39
    SCREEN_BLOCK_FRAG = 40
    SCREEN_UNKNOWN_PROTOCOL = 41
    SCREEN_SYN_FRAG = 42
    SCREEN_ICMPV6_MALFORMED = 43
    SCREEN_BAD_OPTION = 44
    SCREEN_RECORD_ROUTE = 45
    SCREEN_TIMESTAMP = 46
    SCREEN_SECURITY = 47
    SCREEN_STREAM = 48
    SCREEN_LOOSE_SOURCE_ROUTE = 49
    SCREEN_STRICT_SOURCE_ROUTE = 50
    SCREEN_SOURCE_ROUTE = 51
    SCREEN_IPV6_HOP_BY_HOP = 52
    SCREEN_IPV6_ROUTING = 53
    SCREEN_IPV6_FRAGMENT = 54
    SCREEN_IPV6_ESP = 55
    SCREEN_IPV6_AH = 56
    SCREEN_IPV6_NO_NEXT = 57
    SCREEN_IPV6_DESTINATION = 58
    SCREEN_IPV6_MOBILITY = 59
    SCREEN_IPV6_HIP = 60
    SCREEN_IPV6_SHIM6 = 61
    SCREEN_IPV6_EXTENSION_LIMIT = 62
    SCREEN_IPV6_MALFORMED_HEADER = 63
    SCREEN_SPOOFING = 64
    SCREEN_TEAR_DROP = 65
    SCREEN_ICMP_FLOOD = 66
    SCREEN_UDP_FLOOD = 67
    SCREEN_SYN_FLOOD_SOURCE = 68
    SCREEN_SYN_FLOOD_DESTINATION = 69
    SCREEN_SYN_FLOOD_ATTACK = 70
    SCREEN_IP_SWEEP = 71
    SCREEN_TCP_SWEEP = 72
    SCREEN_UDP_SWEEP = 73
    SCREEN_PORT_SCAN = 74
    SCREEN_UDP_PORT_SCAN = 75
    SCREEN_SESSION_LIMIT_SOURCE = 76
    SCREEN_SESSION_LIMIT_DESTINATION = 77
    SCREEN_SYN_FLOOD_ALARM = 78

    # The control plane's own.
    NO_ROUTE = 128
    POLICY_DENY = 129
    NAT_EXHAUSTED = 130
    NO_NEIGHBOR = 131
    TCP_NOT_SYN = 132
    PENDING_TIMEOUT = 133
    QUEUE_FULL = 134
    SESSION_TABLE_FULL = 135
    NPU_TABLE_FULL = 136
    NPU_LOST = 137
    FRAGMENT_TIMEOUT = 138
    ICMP_ERROR_UNMATCHED = 139
    HOST_INBOUND = 140
    STALE_SESSION = 142
    MALFORMED = 143
    ICMP_NOT_REQUEST = 144
    NO_REVERSE_ROUTE = 145
    WING_CLASH = 146

    # SPUs: room, and whether they are in service.
    SPU_FULL = 160
    SPU_FAILED = 161
    NO_SPU = 162
    INTERNAL = 163

    # Policies and routing.
    POLICY_REJECT = 180
    ROUTE_REJECT = 181
    ROUTE_DISCARD = 182
    ASYMMETRIC_ROUTE = 183
    TOO_BIG = 184

    # Application layer gateways.
    GATE_TABLE_FULL = 192
    GATE_PARENT_GONE = 193
    DNS_REPLY_UNMATCHED = 194
    ALG_MALFORMED = 195
    ALG_BACKLOG = 196

    # SYN flood protection.
    SYN_ACK_ACK_PROXY = 224
    NO_ANSWER = 225

    # Reassembly.
    FRAGMENT_OVERLAP = 226
    FRAGMENT_LIMIT = 227
    # TCP checks.
    TCP_SEQUENCE = 208
    TCP_RST_SEQUENCE = 209
    TCP_STRICT_SYN = 210


FIRST_SCREEN = Drop.SCREEN_LAND
"""A screen's bit in an interface's profile is its ``Drop`` value less this."""


@unique
class Send(IntEnum):
    """What a packet-out asks of an NPU."""

    RAW = 0
    EGRESS = 1


@unique
class Stage(IntEnum):
    """Where a traced packet's fate was decided."""

    NONE = 0
    INTERFACE = 1
    SANITY = 2
    SCREENS = 3
    FILTER = 4
    SESSION = 5
    EXPRESS = 6
    PUNT = 7
    FABRIC = 8
    PACKET_OUT = 9
    EGRESS_INTERFACE = 10
    EGRESS_FILTER = 11
    EGRESS_SCREENS = 12
    SHAPER = 13
    TRANSMIT = 14


@unique
class Verdict(IntEnum):
    """What was decided of a traced packet."""

    NONE = 0
    FORWARD = 1
    PUNT = 2
    DROP = 3


@unique
class FilterVerdict(IntEnum):
    """What a filter term does with a packet."""

    ACCEPT = 0
    DISCARD = 1
    REJECT = 2


@unique
class PolicerAction(IntEnum):
    """What a term's policer does with what it finds yellow or red."""

    DISCARD = 0
    MARK = 1


@unique
class Close(IntEnum):
    """Why a session ended, as its close record says it."""

    TCP_FIN = 1
    TCP_CLIENT_RST = 2
    ICMP_ERROR = 3
    IDLE_TIMEOUT = 4
    CLEARED = 5
    INSTALL_FAILED = 6
    NPU_LOST = 7
    CP_LOST = 8
    """The central point has no entry of it (any more)."""
    TCP_SERVER_RST = 9
    TCP_ANEW = 10
    """Both ends have forgotten the connection, and began another with the same ports."""
    RESPONSE_RECEIVED = 20
    PARENT_ENDED = 21
    """The control session that it is nothing without has ended, or its call has."""

    # Policies and routing.
    POLICY_CHANGED = 40
    INTERFACE_CHANGED = 41
    ROUTE_CHANGED = 42
    NAT_CHANGED = 43

    NO_ANSWER = 60
    """The server of a connection that a SYN cookie let in is silent."""
    EARLY_AGEOUT = 61
    """It was idle when the session table was too full."""
    SPU_LOST = 62
    """Its SPU failed, or was taken out."""
