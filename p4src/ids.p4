// Every number that the NPU shares with its controller, each in one place.
//
// controller/reasons.py carries the same values under the same names, and a test
// compares the two. A number, once given, is never given again; the next free one
// is noted at the end of each list.
#ifndef _IDS_P4_
#define _IDS_P4_

// Why a packet is handed to the control plane.
enum bit<8> Punt {
    NONE         = 0,
    ARP          = 1,   // any ARP packet: requests for us, replies to our requests
    ND           = 2,   // IPv6 neighbour and router discovery
    MISS         = 3,   // no wing matched: first packet of a flow, for the central point
    SESSION      = 4,   // a wing matched: a packet of a normal session, for its owner SPU
    TCP_CONTROL  = 5,   // SYN, FIN or RST of an Express Path session, for its owner SPU
    FRAGMENT     = 6,   // an IP fragment; fragments never ride Express Path
    ICMP_ERROR   = 7,   // an ICMP error; it belongs to the session of the packet it quotes
    TTL_EXPIRED  = 8,   // an Express Path session's packet with no hop left
    STALE        = 9,   // a wing matched, but of another epoch than its interface
    SYN_PROXY    = 10,  // as MISS: a SYN above the SYN flood attack threshold
    FILTER_REJECT = 11, // a filter term rejects it: the sender is to be told
    TRACE        = 12   // a copy; the packet itself goes, or went, its own way
    // next: 13
}

// Why a packet is dropped. 1..31 sanity and forwarding, 32..63 screens (32 + bit
// number in the screen profile), 128..255 are the control plane's own and never
// occur here. Screens stand in line by bit; from SCREEN_ICMP_FLOOD on they count packets.
enum bit<8> Drop {
    NONE               = 0,
    NO_INTERFACE       = 1,   // no interface configured on this port and VLAN
    NOT_FOR_US         = 2,   // destination MAC address is not the interface's
    ETHERTYPE          = 3,   // neither ARP, IPv4 nor IPv6
    TRUNCATED          = 4,   // the frame ends inside a header
    IP_VERSION         = 5,
    IP_HEADER_LENGTH   = 6,
    IP_TOTAL_LENGTH    = 7,   // longer than the frame, or shorter than the headers
    IP_CHECKSUM        = 8,
    TTL_EXPIRED        = 9,
    MARTIAN_SOURCE     = 10,
    TCP_OFFSET         = 11,
    UDP_LENGTH         = 12,
    IPV6_EXTENSION     = 13,  // an extension header that sessions do not carry
    NO_EGRESS          = 14,  // no interface configured on the way out
    BAD_FABRIC         = 15,  // not a fabric frame on a fabric port, or the reverse
    MULTICAST          = 16,  // IP multicast or broadcast that no protocol here listens to
    FILTER             = 17,  // a filter term says discard, or no term matched
    FILTER_REJECT      = 18,  // an output filter says reject
    POLICER            = 19,
    SHAPER             = 20,
    PUNT_LIMIT         = 21,  // too many of its kind for the controller
    // next: 22

    SCREEN_LAND            = 32,
    SCREEN_SYN_FIN         = 33,
    SCREEN_TCP_NO_FLAG     = 34,
    SCREEN_PING_DEATH      = 35,
    SCREEN_FIN_NO_ACK      = 36,
    SCREEN_WINNUKE         = 37,
    SCREEN_ICMP_FRAGMENT   = 38,
    SCREEN_ICMP_LARGE      = 39,
    SCREEN_BLOCK_FRAG      = 40,
    SCREEN_UNKNOWN_PROTOCOL = 41,
    SCREEN_SYN_FRAG        = 42,
    SCREEN_ICMPV6_MALFORMED = 43,
    SCREEN_BAD_OPTION      = 44,
    SCREEN_RECORD_ROUTE    = 45,
    SCREEN_TIMESTAMP       = 46,
    SCREEN_SECURITY        = 47,
    SCREEN_STREAM          = 48,
    SCREEN_LOOSE_SOURCE_ROUTE = 49,
    SCREEN_STRICT_SOURCE_ROUTE = 50,
    SCREEN_SOURCE_ROUTE    = 51,  // either of the two above
    SCREEN_IPV6_HOP_BY_HOP = 52,
    SCREEN_IPV6_ROUTING    = 53,
    SCREEN_IPV6_FRAGMENT   = 54,
    SCREEN_IPV6_ESP        = 55,
    SCREEN_IPV6_AH         = 56,
    SCREEN_IPV6_NO_NEXT    = 57,
    SCREEN_IPV6_DESTINATION = 58,
    SCREEN_IPV6_MOBILITY   = 59,
    SCREEN_IPV6_HIP        = 60,
    SCREEN_IPV6_SHIM6      = 61,
    SCREEN_IPV6_EXTENSION_LIMIT = 62,
    SCREEN_IPV6_MALFORMED_HEADER = 63,
    SCREEN_SPOOFING        = 64,
    SCREEN_TEAR_DROP       = 65,
    SCREEN_ICMP_FLOOD      = 66,
    SCREEN_UDP_FLOOD       = 67,
    SCREEN_SYN_FLOOD_SOURCE = 68,
    SCREEN_SYN_FLOOD_DESTINATION = 69,
    SCREEN_SYN_FLOOD_ATTACK = 70, // never drops: makes a Punt.SYN_PROXY of a Punt.MISS
    SCREEN_IP_SWEEP        = 71,
    SCREEN_TCP_SWEEP       = 72,
    SCREEN_UDP_SWEEP       = 73,
    SCREEN_PORT_SCAN       = 74,
    SCREEN_UDP_PORT_SCAN   = 75,
    SCREEN_SESSION_LIMIT_SOURCE = 76, // this one and the next: on the way in only
    SCREEN_SESSION_LIMIT_DESTINATION = 77,
    SCREEN_SYN_FLOOD_ALARM = 78   // never drops
    // next: 79
}

// EtherType between NPUs (IEEE 802 local experimental 1) and the header behind it.
const bit<16> ETHERTYPE_FABRIC = 0x88b5;

// What a packet-out asks for.
enum bit<8> Send {
    RAW    = 0,   // transmit as it is: ARP, ND, probes
    EGRESS = 1    // through the egress stage: screens, counters, as transit traffic
}

// Where a traced packet's fate was decided.
enum bit<8> Stage {
    NONE             = 0,
    INTERFACE        = 1,
    SANITY           = 2,
    SCREENS          = 3,   // all of the way in, floods and scans too
    FILTER           = 4,
    SESSION          = 5,
    EXPRESS          = 6,
    PUNT             = 7,   // the meter in front of the controller
    FABRIC           = 8,
    PACKET_OUT       = 9,
    EGRESS_INTERFACE = 10,
    EGRESS_FILTER    = 11,
    EGRESS_SCREENS   = 12,
    SHAPER           = 13,
    TRANSMIT         = 14
    // next: 15
}

// What was decided. On the way in, FORWARD means: on to the egress stages.
enum bit<8> Verdict {
    NONE    = 0,
    FORWARD = 1,
    PUNT    = 2,
    DROP    = 3
    // next: 4
}

// What a filter term does with a packet.
enum bit<8> FilterVerdict {
    ACCEPT  = 0,
    DISCARD = 1,
    REJECT  = 2
    // next: 3
}

// What a term's policer does with what it finds yellow or red.
enum bit<8> PolicerAction {
    DISCARD = 0,  // red falls
    MARK    = 1   // yellow gets loss priority medium-high (2), red high (3)
    // next: 2
}

// Clone session of trace copies; its replica is the CPU port.
const bit<32> TRACE_SESSION = 1;

const bit<9> CPU_PORT = 255;
// Ports from here up to 254 join this NPU to others; interfaces lie below.
const bit<9> FIRST_FABRIC_PORT = 200;
const bit<9> LAST_FABRIC_PORT  = 254;

#endif
