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
const bit<8> EXTENSION_ESP         = 50;
const bit<8> EXTENSION_AH          = 51;
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
const bit<8> ND_REDIRECT               = 137;
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
    bit<1>  trace;         // the packet is being traced
    @padding
    bit<6>  pad0;
    bit<9>  ingress_port;
    bit<16> token;         // of the ingress interface; 0 off the fabric
    bit<32> session_id;    // of the wing that matched; 0: none
    bit<3>  forwarding_class;
    bit<2>  loss_priority;
    @padding
    bit<2>  pad1;
    bit<1>  wing;          // 0 forward (a->b), 1 reverse (b->a)
    bit<8>  spu;           // owner, or who is to be; 0: none
    bit<8>  epoch;         // of the wing that matched
    // Of a copy only (reason is Punt.TRACE), else zero.
    bit<8>  stage;         // Stage
    bit<8>  verdict;       // Verdict
    bit<8>  detail;        // the Drop or Punt behind the verdict
    bit<8>  filter;        // trace filter that marked the packet; 0: a filter term's log
    @padding
    bit<7>  pad2;
    bit<9>  egress_port;   // port it leaves by; 0: it does not
}

// In front of a frame that the controller has transmitted.
@controller_header("packet_out")
header packet_out_h {
    bit<8>  send;          // Send
    bit<1>  trace;         // this and the class of service: as they came in packet_in
    bit<3>  forwarding_class;
    bit<2>  loss_priority;
    bit<1>  first;         // the first packet of its flow
    bit<9>  egress_port;
    bit<8>  source_zone;   // as in metadata_t
}

// -- On the wire ----------------------------------------------------------------

header ethernet_h {
    bit<48> dst_addr;
    bit<48> src_addr;
    bit<16> ether_type;
}

// Behind an outer Ethernet header with ETHERTYPE_FABRIC, on links between NPUs.
header fabric_h {
    bit<1>  trace;
    bit<3>  forwarding_class;
    bit<2>  loss_priority;
    bit<1>  pad0;          // fills egress_port up to whole bytes
    bit<9>  egress_port;   // interface of the NPU that receives this
    bit<32> session_id;    // for who reads a capture; the far NPU needs no session
    bit<8>  source_zone;   // as in metadata_t
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
    bit<6>  dscp;
    bit<2>  ecn;
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

// As a whole, for the header checksum; meta.options has them once more, to be read.
header ipv4_options_h {
    varbit<320> options;
}

header ipv6_h {
    bit<4>   version;
    bit<6>   dscp;
    bit<2>   ecn;
    bit<20>  flow_label;
    bit<16>  payload_length; // bytes, this header excluded
    bit<8>   next_header;
    bit<8>   hop_limit;
    bit<128> src_addr;
    bit<128> dst_addr;
}

// One of the chain of extension headers, fragment headers among them. Those of up to
// 64 bytes are walked, and no more than IPV6_EXTENSIONS of them.
header ipv6_extension_h {
    bit<8>      next_header;
    bit<8>      units;           // of 8 bytes, the first excluded; 0 in a fragment header
    varbit<496> rest;
}

// How a fragment header is read; in the packet it is an ipv6_extension_h.
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

// The first 8 bytes above IP of a packet that an ICMP error quotes: ports of TCP and UDP;
// type and code, checksum, identifier, sequence of ICMP.
header quoted_transport_h {
    bit<16> first;
    bit<16> second;
    bit<16> third;
    bit<16> fourth;
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
    ipv6_extension_h[IPV6_EXTENSIONS] ipv6_extensions;
    tcp_h           tcp;
    udp_h           udp;
    icmp_h          icmp;
    ipv4_h          quoted_ipv4;
    ipv6_h          quoted_ipv6;
    quoted_transport_h quoted_transport;
}

// -- Between stages -------------------------------------------------------------

// All zero when a packet arrives; zero therefore means "not known", "no", "none".
// What stands in the field list COPY goes along with a copy (trace.p4).
struct metadata_t {
    // What becomes of the packet; see npu.p4.
    Drop     drop;
    Punt     punt;
    bit<1>   from_fabric;
    bit<1>   raw;            // packet-out that bypasses the egress stage
    bit<32>  now;            // microseconds; wraps after 71 minutes

    // The frame, as parsed.
    bit<12>  vlan;           // of the interface it arrives or leaves by; 0: untagged
    bit<8>   protocol;       // behind IPv6 extension headers
    bit<16>  l4_length;      // bytes behind the IP headers, by the IP length fields
    bit<8>   options_left;   // bytes of IPv4 options
    bit<320> options;        // the options, right-aligned
    bit<4>   extensions;     // how many IPv6 extension headers
    bit<16>  extension_bytes;
    bit<10>  extensions_seen;    // bit 0 is that of the screen IPV6_HOP_BY_HOP
    bit<1>   second_destination; // two of them are well-formed, three are not
    bit<1>   extension_malformed;
    bit<1>   extension_unwalked; // too long, or too many
    bit<1>   fragment;       // first ones too
    bit<13>  fragment_offset;
    bit<1>   more_fragments;
    bit<32>  identification; // of a fragment
    bit<1>   fragment_overlap;
    bit<1>   icmp_error;     // quotes a packet of another flow
    bit<16>  src_port;       // ICMP echo: see docs/ARCHITECTURE.md
    bit<16>  dst_port;

    // The interface the packet passes: ingress first, egress later.
    @field_list(COPY)
    bit<16>  token;
    bit<48>  mac;
    bit<8>   zone;
    bit<64>  screens;
    bit<64>  alarm_only;
    bit<8>   extension_limit;
    bit<64>  screen_hits;    // screens to count this packet under
    // Its zone's thresholds, packets a second, and windows, microseconds.
    bit<32>  icmp_flood;
    bit<32>  udp_flood;
    bit<32>  syn_flood_attack;
    bit<32>  syn_flood_alarm;
    bit<32>  syn_flood_source;
    bit<32>  syn_flood_destination;
    bit<32>  ip_sweep;
    bit<32>  tcp_sweep;
    bit<32>  udp_sweep;
    bit<32>  port_scan;
    bit<32>  udp_port_scan;
    bit<1>   white_lists;    // it has any
    bit<1>   white_listed;   // this packet is on one
    bit<8>   vr;
    bit<8>   interface_epoch;
    bit<1>   features;       // the interface has any of those below
    bit<16>  filter_v4;
    bit<16>  filter_v6;
    bit<8>   dscp_classifier;
    bit<8>   pcp_classifier;
    bit<8>   dscp_rewrite;
    bit<16>  shaper;
    bit<1>   trace_here;     // packets of this interface may be traced

    // What screens of the way out cannot see from the packet.
    bit<8>   source_zone;    // where its source is; 0: nobody knows, or it was translated
    bit<1>   first_packet;   // of a flow, says its SPU

    // Class of service.
    @field_list(COPY)
    bit<3>   forwarding_class;
    @field_list(COPY)
    bit<2>   loss_priority;  // 0 low, 1 medium-low, 2 medium-high, 3 high

    // Addresses of both versions, IPv4 as ::ffff:a.b.c.d, for who asked for them.
    bit<128> src;
    bit<128> dst;

    // What the session tables are searched by, beside ports, protocol and token.
    bit<32>  key_src_v4;
    bit<32>  key_dst_v4;
    bit<128> key_src_v6;
    bit<128> key_dst_v6;

    // The wing that matched.
    @field_list(COPY)
    bit<32>  session_id;
    @field_list(COPY)
    bit<1>   wing;
    @field_list(COPY)
    bit<8>   spu;
    @field_list(COPY)
    bit<8>   epoch;

    // The filter term that matched.
    bit<2>   filter_fragment;  // 0 whole, 1 first, 2 later
    bit<8>   filter_flags;     // of TCP
    bit<6>   filter_dscp;
    bit<16>  filter_icmp;      // type and code
    bit<8>   term_verdict;     // FilterVerdict
    bit<16>  term_count;       // 0: none
    bit<16>  term_policer;     // 0: none
    bit<8>   term_policer_action;
    bit<1>   term_sets_class;
    bit<3>   term_class;
    bit<1>   term_sets_loss;
    bit<2>   term_loss;
    bit<1>   term_log;

    // Of a packet that is traced, and of its copies.
    @field_list(COPY)
    bit<1>   trace;
    @field_list(COPY)
    bit<8>   trace_filter;
    @field_list(COPY)
    Punt     copy_reason;
    @field_list(COPY)
    Stage    copy_stage;
    @field_list(COPY)
    Verdict  copy_verdict;
    @field_list(COPY)
    bit<8>   copy_detail;
    @field_list(COPY)
    bit<9>   copy_ingress_port;
    @field_list(COPY)
    bit<9>   copy_egress_port;

    // How an Express Path packet leaves.
    bit<32>  new_src_addr;
    bit<32>  new_dst_addr;
    bit<16>  new_src_port;
    bit<16>  new_dst_port;
    bit<48>  new_src_mac;
    bit<48>  new_dst_mac;
    bit<12>  new_vlan;
    bit<9>   new_port;
    bit<6>   new_dscp;
    bit<9>   remote_port;    // interface of the far NPU; 0: leaves by this one
}

#endif
