// From bytes to headers, ports and the few facts that several stages need.
//
// Whatever is wrong with a packet is for sanity.p4 to say: the parser stops where it
// cannot go on, and a frame that ends inside a header ends in
// standard_metadata.parser_error. A later fragment has no ports and is not searched for
// any.
#ifndef _PARSER_P4_
#define _PARSER_P4_

parser NpuParser(packet_in packet,
                 out headers_t hdr,
                 inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) {
    state start {
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: from_controller;
            default: ethernet;
        }
    }

    // A raw frame leaves as it came; it need not be one that this parser knows.
    state from_controller {
        packet.extract(hdr.packet_out_header);
        transition select(hdr.packet_out_header.send) {
            (bit<8>)Send.EGRESS: ethernet;
            default: accept;
        }
    }

    state ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: ipv4;
            ETHERTYPE_IPV6: ipv6;
            ETHERTYPE_VLAN: vlan;
            ETHERTYPE_ARP: arp;
            ETHERTYPE_FABRIC: fabric;
            default: accept;
        }
    }

    // The outer Ethernet header has done its work: the inner one takes its place.
    state fabric {
        packet.extract(hdr.fabric);
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: ipv4;
            ETHERTYPE_IPV6: ipv6;
            ETHERTYPE_VLAN: vlan;
            default: accept;
        }
    }

    state vlan {
        packet.extract(hdr.vlan);
        meta.vlan = hdr.vlan.vid;
        transition select(hdr.vlan.ether_type) {
            ETHERTYPE_IPV4: ipv4;
            ETHERTYPE_IPV6: ipv6;
            ETHERTYPE_ARP: arp;
            default: accept;
        }
    }

    state arp {
        packet.extract(hdr.arp);
        transition accept;
    }

    // -- IPv4

    state ipv4 {
        packet.extract(hdr.ipv4);
        meta.protocol = hdr.ipv4.protocol;
        meta.l4_length = hdr.ipv4.total_length - ((bit<16>)hdr.ipv4.header_words << 2);
        transition select(hdr.ipv4.header_words) {
            5: ipv4_payload;
            0 &&& 0xc: accept;   // 0..3: too short for the header it stands in
            4: accept;
            default: ipv4_options;
        }
    }

    // Read ahead before they are taken off: a variable-length field cannot be looked into.
    state ipv4_options {
        meta.options_left = ((bit<8>)hdr.ipv4.header_words - 5) << 2;
        transition select(hdr.ipv4.header_words) {
            6: options_4;
            7: options_8;
            8: options_12;
            9: options_16;
            10: options_20;
            11: options_24;
            12: options_28;
            13: options_32;
            14: options_36;
            15: options_40;
        }
    }

    state options_4 {
        meta.options = (bit<320>)packet.lookahead<bit<32>>();
        transition options_taken;
    }

    state options_8 {
        meta.options = (bit<320>)packet.lookahead<bit<64>>();
        transition options_taken;
    }

    state options_12 {
        meta.options = (bit<320>)packet.lookahead<bit<96>>();
        transition options_taken;
    }

    state options_16 {
        meta.options = (bit<320>)packet.lookahead<bit<128>>();
        transition options_taken;
    }

    state options_20 {
        meta.options = (bit<320>)packet.lookahead<bit<160>>();
        transition options_taken;
    }

    state options_24 {
        meta.options = (bit<320>)packet.lookahead<bit<192>>();
        transition options_taken;
    }

    state options_28 {
        meta.options = (bit<320>)packet.lookahead<bit<224>>();
        transition options_taken;
    }

    state options_32 {
        meta.options = (bit<320>)packet.lookahead<bit<256>>();
        transition options_taken;
    }

    state options_36 {
        meta.options = (bit<320>)packet.lookahead<bit<288>>();
        transition options_taken;
    }

    state options_40 {
        meta.options = packet.lookahead<bit<320>>();
        transition options_taken;
    }

    state options_taken {
        packet.extract(hdr.ipv4_options, (bit<32>)meta.options_left << 3);
        transition ipv4_payload;
    }

    state ipv4_payload {
        transition select(hdr.ipv4.more_fragments, hdr.ipv4.fragment_offset,
                          hdr.ipv4.protocol) {
            (0, 0, PROTOCOL_TCP): tcp;
            (0, 0, PROTOCOL_UDP): udp;
            (0, 0, PROTOCOL_ICMP): icmp;
            (0, 0, _): accept;
            default: ipv4_fragment;
        }
    }

    state ipv4_fragment {
        meta.fragment = 1;
        meta.fragment_offset = hdr.ipv4.fragment_offset;
        meta.more_fragments = hdr.ipv4.more_fragments;
        meta.identification = (bit<32>)hdr.ipv4.identification;
        transition select(hdr.ipv4.fragment_offset, hdr.ipv4.protocol) {
            (0, PROTOCOL_TCP): tcp;
            (0, PROTOCOL_UDP): udp;
            (0, PROTOCOL_ICMP): icmp;
            default: accept;
        }
    }

    // -- IPv6

    state ipv6 {
        packet.extract(hdr.ipv6);
        meta.protocol = hdr.ipv6.next_header;
        meta.l4_length = hdr.ipv6.payload_length;
        transition select(hdr.ipv6.next_header) {
            PROTOCOL_TCP: tcp;
            PROTOCOL_UDP: udp;
            PROTOCOL_ICMPV6: icmpv6;
            EXTENSION_HOP_BY_HOP: hop_by_hop;
            default: ipv6_chain;
        }
    }

    // Only here, right behind the IPv6 header, is hop-by-hop in its place (RFC 8200, 4.1).
    state hop_by_hop {
        meta.extensions_seen[0:0] = 1;
        transition ipv6_extension;
    }

    state late_hop_by_hop {
        meta.extensions_seen[0:0] = 1;
        meta.extension_malformed = 1;
        transition ipv6_extension;
    }

    state ipv6_chain {
        transition select(meta.protocol) {
            PROTOCOL_TCP: tcp;
            PROTOCOL_UDP: udp;
            PROTOCOL_ICMPV6: icmpv6;
            EXTENSION_HOP_BY_HOP: late_hop_by_hop;
            EXTENSION_ROUTING: routing;
            EXTENSION_FRAGMENT: ipv6_fragment;
            EXTENSION_DESTINATION: destination;
            EXTENSION_MOBILITY: mobility;
            EXTENSION_HIP: hip;
            EXTENSION_SHIM6: shim6;
            EXTENSION_ESP: esp;
            EXTENSION_AH: ah;
            EXTENSION_NO_NEXT: no_next;
            default: accept;
        }
    }

    state routing {
        meta.extension_malformed = meta.extension_malformed | meta.extensions_seen[1:1];
        meta.extensions_seen[1:1] = 1;
        transition ipv6_extension;
    }

    state destination {
        meta.extension_malformed = meta.extension_malformed | meta.second_destination;
        meta.second_destination = meta.extensions_seen[6:6];
        meta.extensions_seen[6:6] = 1;
        transition ipv6_extension;
    }

    state mobility {
        meta.extension_malformed = meta.extension_malformed | meta.extensions_seen[7:7];
        meta.extensions_seen[7:7] = 1;
        transition ipv6_extension;
    }

    state hip {
        meta.extension_malformed = meta.extension_malformed | meta.extensions_seen[8:8];
        meta.extensions_seen[8:8] = 1;
        transition ipv6_extension;
    }

    state shim6 {
        meta.extension_malformed = meta.extension_malformed | meta.extensions_seen[9:9];
        meta.extensions_seen[9:9] = 1;
        transition ipv6_extension;
    }

    // One link of the chain, if it is short enough and there is room for one more.
    state ipv6_extension {
        bit<16> head = packet.lookahead<bit<16>>();
        meta.protocol = head[15:8];
        transition select(meta.extensions, head[7:3]) {
            (8 &&& 8, _): ipv6_unwalked;
            (_, 0): ipv6_extension_taken;
            default: ipv6_unwalked;
        }
    }

    state ipv6_extension_taken {
        bit<16> head = packet.lookahead<bit<16>>();
        packet.extract(hdr.ipv6_extensions.next, ((bit<32>)head[7:0] << 6) + 48);
        meta.extensions = meta.extensions + 1;
        meta.extension_bytes = meta.extension_bytes + (((bit<16>)head[7:0] + 1) << 3);
        meta.l4_length = meta.l4_length - (((bit<16>)head[7:0] + 1) << 3);
        transition ipv6_chain;
    }

    state ipv6_unwalked {
        meta.extension_unwalked = 1;
        transition accept;
    }

    state ipv6_fragment {
        ipv6_fragment_h fragment = packet.lookahead<ipv6_fragment_h>();
        meta.extension_malformed = meta.extension_malformed | meta.fragment;
        meta.extensions_seen[2:2] = 1;
        meta.protocol = fragment.next_header;
        meta.fragment = 1;
        meta.fragment_offset = fragment.fragment_offset;
        meta.more_fragments = fragment.more_fragments;
        meta.identification = fragment.identification;
        transition select(meta.extensions) {
            8 &&& 8: ipv6_unwalked;
            default: ipv6_fragment_taken;
        }
    }

    state ipv6_fragment_taken {
        packet.extract(hdr.ipv6_extensions.next, 48);
        meta.extensions = meta.extensions + 1;
        meta.extension_bytes = meta.extension_bytes + 8;
        meta.l4_length = meta.l4_length - 8;
        transition select(meta.fragment_offset) {
            0: ipv6_chain;
            default: accept;     // the rest of the chain is in the first fragment
        }
    }

    // What follows these is encrypted, or nothing; a session is matched by them.
    state esp {
        meta.extensions_seen[3:3] = 1;
        transition accept;
    }

    state ah {
        meta.extensions_seen[4:4] = 1;
        transition accept;
    }

    state no_next {
        meta.extensions_seen[5:5] = 1;
        transition accept;
    }

    // -- Above IP

    state tcp {
        packet.extract(hdr.tcp);
        meta.src_port = hdr.tcp.src_port;
        meta.dst_port = hdr.tcp.dst_port;
        transition accept;
    }

    state udp {
        packet.extract(hdr.udp);
        meta.src_port = hdr.udp.src_port;
        meta.dst_port = hdr.udp.dst_port;
        transition accept;
    }

    state icmp {
        packet.extract(hdr.icmp);
        transition select(hdr.icmp.icmp_type) {
            ICMP_ECHO_REQUEST: echo_request;
            ICMP_ECHO_REPLY: icmp_echo_reply;
            ICMP_UNREACHABLE: icmp_error;
            ICMP_SOURCE_QUENCH: icmp_error;
            ICMP_REDIRECT: icmp_error;
            ICMP_TIME_EXCEEDED: icmp_error;
            ICMP_PARAMETER: icmp_error;
            default: accept;
        }
    }

    state icmpv6 {
        packet.extract(hdr.icmp);
        transition select(hdr.icmp.icmp_type) {
            ICMPV6_ECHO_REQUEST: echo_request;
            ICMPV6_ECHO_REPLY: icmpv6_echo_reply;
            ICMPV6_UNREACHABLE: icmpv6_error;
            ICMPV6_TOO_BIG: icmpv6_error;
            ICMPV6_TIME_EXCEEDED: icmpv6_error;
            ICMPV6_PARAMETER: icmpv6_error;
            default: accept;
        }
    }

    // The identifier stands for the port of the side that asks, the request's type for
    // that of the side that answers, so the answer's tuple is the question's reversed.
    state echo_request {
        meta.src_port = hdr.icmp.identifier;
        meta.dst_port = hdr.icmp.icmp_type ++ 8w0;
        transition accept;
    }

    state icmp_echo_reply {
        meta.src_port = ICMP_ECHO_REQUEST ++ 8w0;
        meta.dst_port = hdr.icmp.identifier;
        transition accept;
    }

    state icmpv6_echo_reply {
        meta.src_port = ICMPV6_ECHO_REQUEST ++ 8w0;
        meta.dst_port = hdr.icmp.identifier;
        transition accept;
    }

    // An error quotes the IP header of the packet it is about, and 8 bytes more at least
    // (RFC 792, RFC 4443). Of a packet with options or extension headers, or a later
    // fragment, only IP is read.

    state icmp_error {
        meta.icmp_error = 1;
        packet.extract(hdr.quoted_ipv4);
        transition select(hdr.quoted_ipv4.header_words, hdr.quoted_ipv4.fragment_offset,
                          hdr.quoted_ipv4.protocol) {
            (5, 0, PROTOCOL_TCP): quoted_transport;
            (5, 0, PROTOCOL_UDP): quoted_transport;
            (5, 0, PROTOCOL_ICMP): quoted_transport;
            default: accept;
        }
    }

    state icmpv6_error {
        meta.icmp_error = 1;
        packet.extract(hdr.quoted_ipv6);
        transition select(hdr.quoted_ipv6.next_header) {
            PROTOCOL_TCP: quoted_transport;
            PROTOCOL_UDP: quoted_transport;
            PROTOCOL_ICMPV6: quoted_transport;
            default: accept;
        }
    }

    state quoted_transport {
        packet.extract(hdr.quoted_transport);
        transition accept;
    }
}

#endif
