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
    FRAGMENT_UNSUPPORTED = 138
    ICMP_ERROR_UNMATCHED = 139
    HOST_INBOUND = 140
    NO_OWNER = 141
    STALE_SESSION = 142
    MALFORMED = 143
    ICMP_NOT_REQUEST = 144
    NO_REVERSE_ROUTE = 145
    WING_CLASH = 146

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


FIRST_SCREEN = Drop.SCREEN_LAND
"""A screen's bit in an interface's profile is its ``Drop`` value less this."""


@unique
class Send(IntEnum):
    """What a packet-out asks of an NPU."""

    RAW = 0
    EGRESS = 1


@unique
class Close(IntEnum):
    """Why a session ended, as its close record says it."""

    TCP_FIN = 1
    TCP_RST = 2
    ICMP_ERROR = 3
    IDLE_TIMEOUT = 4
    CLEARED = 5
    INSTALL_FAILED = 6
    NPU_LOST = 7
    RESPONSE_RECEIVED = 20

    # Policies and routing.
    POLICY_CHANGED = 40
    INTERFACE_CHANGED = 41
    ROUTE_CHANGED = 42
