// Headers on the wire and on the CPU port, and the metadata that stages hand on.
#ifndef _HEADERS_P4_
#define _HEADERS_P4_

// -- EtherTypes and IP protocols ------------------------------------------------

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP  = 0x0806;
const bit<16> ETHERTYPE_VLAN = 0x8100;
const bit<16> ETHERTYPE_IPV6 = 0x86dd;
// ETHERTYPE_FABRIC: ids.p4, for the controller shares it

const bit<8> PROTOCOL_ICMP   = 1;
const bit<8> PROTOCOL_TCP    = 6;
const bit<8> PROTOCOL_UDP    = 17;
const bit<8> PROTOCOL_ICMPV6 = 58;
// IPv6 extension headers, by the number that announces them (RFC 8200, IANA).
const bit<8> EXTENSION_HOP_BY_HOP  = 0;
const bit<8> EXTENSION_ROUTING     = 43;
const bit<8> EXTENSION_FRAGMENT    = 44;
const bit<8> EXTENSION_NO_NEXT     = 59;
const bit<8> EXTENSION_DESTINATION = 60;
const bit<8> EXTENSION_MOBILITY    = 135;
const bit<8> EXTENSION_HIP         = 139;
const bit<8> EXTENSION_SHIM6       = 140;

const bit<8> ICMP_ECHO_REPLY    = 0;
const bit<8> ICMP_UNREACHABLE   = 3;
const bit<8> ICMP_SOURCE_QUENCH = 4;
const bit<8> ICMP_REDIRECT      = 5;
const bit<8> ICMP_ECHO_REQUEST  = 8;
const bit<8> ICMP_TIME_EXCEEDED = 11;
const bit<8> ICMP_PARAMETER     = 12;

const bit<8> ICMPV6_UNREACHABLE   = 1;
const bit<8> ICMPV6_TOO_BIG       = 2;
const bit<8> ICMPV6_TIME_EXCEEDED = 3;
const bit<8> ICMPV6_PARAMETER     = 4;
const bit<8> ICMPV6_ECHO_REQUEST  = 128;
const bit<8> ICMPV6_ECHO_REPLY    = 129;
const bit<8> ND_ROUTER_SOLICITATION    = 133;
const bit<8> ND_NEIGHBOR_ADVERTISEMENT = 136;
// A router forwards nothing with this hop limit left, so a neighbour sent it (RFC 4861).
const bit<8> ND_HOP_LIMIT = 255;

const bit<8> TCP_FIN = 0x01;
const bit<8> TCP_SYN = 0x02;
const bit<8> TCP_RST = 0x04;
const bit<8> TCP_ACK = 0x10;
const bit<8> TCP_URG = 0x20;
// URG, ACK, PSH, RST, SYN and FIN; the two above them (CWR, ECE) say nothing of a
// connection's state.
const bit<8> TCP_STATE_FLAGS = 0x3f;

// -- CPU port -------------------------------------------------------------------

// In front of a frame that goes to the controller.
@controller_header("packet_in")
header packet_in_h {
    bit<8>  reason;        // Punt
    @padding
    bit<7>  pad0;
    bit<9>  ingress_port;
    bit<16> token;         // of the ingress interface; 0 off the fabric
    bit<32> session_id;    // of the wing that matched; 0: none
    @padding
    bit<7>  pad1;
    bit<1>  wing;          // 0 forward (a->b), 1 reverse (b->a)
    bit<8>  spu;           // owner; 0: none
}

// In front of a frame that the controller has transmitted.
@controller_header("packet_out")
header packet_out_h {
    bit<8>  send;          // Send
    @padding
    bit<7>  pad0;
    bit<9>  egress_port;
}

// -- On the wire ----------------------------------------------------------------

header ethernet_h {
    bit<48> dst_addr;
    bit<48> src_addr;
    bit<16> ether_type;
}

// Behind an outer Ethernet header with ETHERTYPE_FABRIC, on links between NPUs.
header fabric_h {
    bit<7>  pad0;          // fills egress_port up to whole bytes
    bit<9>  egress_port;   // interface of the NPU that receives this
    bit<32> session_id;    // for who reads a capture; the far NPU needs no session
}

header vlan_h {
    bit<3>  pcp;
    bit<1>  dei;
    bit<12> vid;
    bit<16> ether_type;
}

header arp_h {
    bit<16> hardware_type;
    bit<16> protocol_type;
    bit<8>  hardware_length;
    bit<8>  protocol_length;
    bit<16> operation;
    bit<48> sender_hardware;
    bit<32> sender_protocol;
    bit<48> target_hardware;
    bit<32> target_protocol;
}

header ipv4_h {
    bit<4>  version;
    bit<4>  header_words;    // 32 bits each, options included
    bit<8>  dscp_ecn;
    bit<16> total_length;    // bytes, this header included
    bit<16> identification;
    bit<1>  reserved;
    bit<1>  dont_fragment;
    bit<1>  more_fragments;
    bit<13> fragment_offset; // 8 bytes each
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src_addr;
    bit<32> dst_addr;
}

// Options have no stage of their own yet; they are taken off so that the ports
// behind them are found and the header checksum covers them.
header ipv4_options_h {
    varbit<320> options;
}

header ipv6_h {
    bit<4>   version;
    bit<8>   traffic_class;
    bit<20>  flow_label;
    bit<16>  payload_length; // bytes, this header excluded
    bit<8>   next_header;
    bit<8>   hop_limit;
    bit<128> src_addr;
    bit<128> dst_addr;
}

header ipv6_fragment_h {
    bit<8>  next_header;
    bit<8>  reserved;
    bit<13> fragment_offset; // 8 bytes each
    bit<2>  reserved2;
    bit<1>  more_fragments;
    bit<32> identification;
}

// TCP options stay in the payload: nothing here reads them.
header tcp_h {
    bit<16> src_port;
    bit<16> dst_port;
    bit<32> sequence;
    bit<32> acknowledgement;
    bit<4>  header_words;
    bit<4>  reserved;
    bit<8>  flags;
    bit<16> window;
    bit<16> checksum;
    bit<16> urgent;
}

header udp_h {
    bit<16> src_port;
    bit<16> dst_port;
    bit<16> length;          // bytes, this header included
    bit<16> checksum;        // 0 over IPv4: none
}

// ICMP and ICMPv6 alike: the first 8 bytes, which every message of either has. The
// last two fields are those of an echo; other messages keep something else there.
header icmp_h {
    bit<8>  icmp_type;
    bit<8>  icmp_code;
    bit<16> checksum;
    bit<16> identifier;
    bit<16> sequence;
}

struct headers_t {
    packet_out_h    packet_out_header; // only parsed
    packet_in_h     packet_in_header;  // only deparsed
    ethernet_h      fabric_ethernet;   // only deparsed
    fabric_h        fabric;
    ethernet_h      ethernet;
    vlan_h          vlan;
    arp_h           arp;
    ipv4_h          ipv4;
    ipv4_options_h  ipv4_options;
    ipv6_h          ipv6;
    ipv6_fragment_h ipv6_fragment;
    tcp_h           tcp;
    udp_h           udp;
    icmp_h          icmp;
}

// -- Between stages -------------------------------------------------------------

// All zero when a packet arrives; zero therefore means "not known", "no", "none".
struct metadata_t {
    // What becomes of the packet; see npu.p4.
    Drop     drop;
    Punt     punt;
    bit<1>   raw;            // packet-out that bypasses the egress stage

    // The frame, as parsed.
    bit<12>  vlan;           // of the interface it arrives or leaves by; 0: untagged
    bit<8>   protocol;       // behind IPv6 extension headers
    bit<16>  l4_length;      // bytes behind the IP headers, by the IP length fields
    bit<1>   fragment;       // first ones too
    bit<13>  fragment_offset;
    bit<1>   icmp_error;     // quotes a packet of another flow
    bit<16>  src_port;       // ICMP echo: see docs/ARCHITECTURE.md
    bit<16>  dst_port;

    // The interface the packet passes: ingress first, egress later.
    bit<16>  token;
    bit<48>  mac;
    bit<8>   zone;
    bit<32>  screens;
    bit<32>  alarm_only;
    bit<32>  screen_hits;    // screens to count this packet under

    // The wing that matched.
    bit<32>  session_id;
    bit<1>   wing;
    bit<8>   spu;

    // How an Express Path packet leaves.
    bit<32>  new_src_addr;
    bit<32>  new_dst_addr;
    bit<16>  new_src_port;
    bit<16>  new_dst_port;
    bit<48>  new_src_mac;
    bit<48>  new_dst_mac;
    bit<12>  new_vlan;
    bit<9>   new_port;
    bit<9>   remote_port;    // interface of the far NPU; 0: leaves by this one
}

#endif
