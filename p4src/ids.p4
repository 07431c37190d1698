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
    ICMP_ERROR   = 7    // an ICMP error; it belongs to the session of the packet it quotes
    // next: 8
}

// Why a packet is dropped. 1..31 sanity and forwarding, 32..63 screens (32 + bit
// number in the screen profile), 128..255 are the control plane's own and never
// occur here.
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
    // next: 17

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
    SCREEN_SYN_FRAG        = 42
    // next: 43
}

// EtherType between NPUs (IEEE 802 local experimental 1) and the header behind it.
const bit<16> ETHERTYPE_FABRIC = 0x88b5;

// What a packet-out asks for.
enum bit<8> Send {
    RAW    = 0,   // transmit as it is: ARP, ND, probes
    EGRESS = 1    // through the egress stage: screens, counters, as transit traffic
}

const bit<9> CPU_PORT = 255;
// Ports from here up to 254 join this NPU to others; interfaces lie below.
const bit<9> FIRST_FABRIC_PORT = 200;
const bit<9> LAST_FABRIC_PORT  = 254;

#endif
