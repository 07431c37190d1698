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

    state ipv4_options {
        packet.extract(hdr.ipv4_options, ((bit<32>)hdr.ipv4.header_words - 5) << 5);
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
            EXTENSION_FRAGMENT: ipv6_fragment;
            default: accept;
        }
    }

    state ipv6_fragment {
        packet.extract(hdr.ipv6_fragment);
        meta.protocol = hdr.ipv6_fragment.next_header;
        meta.l4_length = hdr.ipv6.payload_length - 8;
        meta.fragment = 1;
        meta.fragment_offset = hdr.ipv6_fragment.fragment_offset;
        transition select(hdr.ipv6_fragment.fragment_offset, hdr.ipv6_fragment.next_header) {
            (0, PROTOCOL_TCP): tcp;
            (0, PROTOCOL_UDP): udp;
            (0, PROTOCOL_ICMPV6): icmpv6;
            default: accept;
        }
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
            ICMPV6_UNREACHABLE: icmp_error;
            ICMPV6_TOO_BIG: icmp_error;
            ICMPV6_TIME_EXCEEDED: icmp_error;
            ICMPV6_PARAMETER: icmp_error;
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

    state icmp_error {
        meta.icmp_error = 1;
        transition accept;
    }
}

#endif
