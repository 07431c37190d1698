// Is it a well-formed packet that may ask this box to forward it?
//
// The first thing found wrong names the drop. Neighbour protocols, which speak to the
// box itself, are picked out here: ARP, and IPv6 neighbour discovery. The TTL is not
// looked at: a packet with its last hop may be for one of our own addresses, which the
// NPU does not know, so whoever forwards it (express.p4, or an SPU) has ICMP time exceeded
// sent. Checksums above IPv4 cover the payload and are the receiver's to judge.
#ifndef _SANITY_P4_
#define _SANITY_P4_

// Bytes in front of the IP header; a VLAN tag adds to them.
const bit<32> ETHERNET_BYTES = 14;
const bit<32> VLAN_BYTES = 4;
const bit<32> IPV6_BYTES = 40;

const bit<16> TCP_BYTES = 20;
const bit<16> UDP_BYTES = 8;
const bit<16> ICMP_BYTES = 8;
// An ICMP error, with the least it quotes: an IP header and 8 bytes.
const bit<16> ICMP_ERROR_BYTES = 8 + 20 + 8;
const bit<16> ICMPV6_ERROR_BYTES = 8 + 40 + 8;

control SanityIpv4(inout headers_t hdr,
                   inout metadata_t meta,
                   inout standard_metadata_t standard_metadata,
                   in bit<32> frame_bytes) {
    apply {
        if (hdr.ipv4.version != 4) {
            meta.drop = Drop.IP_VERSION;
        } else if (hdr.ipv4.header_words < 5) {
            meta.drop = Drop.IP_HEADER_LENGTH;
        } else if ((bit<32>)hdr.ipv4.total_length > frame_bytes
                   || hdr.ipv4.total_length < ((bit<16>)hdr.ipv4.header_words << 2)) {
            meta.drop = Drop.IP_TOTAL_LENGTH;
        } else if (standard_metadata.checksum_error == 1) {
            meta.drop = Drop.IP_CHECKSUM;
        } else if (hdr.ethernet.dst_addr != meta.mac
                   || hdr.ipv4.dst_addr[31:28] == 0xe
                   || hdr.ipv4.dst_addr == 0xffffffff) {
            meta.drop = Drop.MULTICAST;
        } else if (hdr.ipv4.src_addr[31:24] == 0        // this network
                   || hdr.ipv4.src_addr[31:24] == 127   // loopback
                   || hdr.ipv4.src_addr[31:29] == 7) {  // multicast, reserved, broadcast
            meta.drop = Drop.MARTIAN_SOURCE;
        }
    }
}

control SanityIpv6(inout headers_t hdr,
                   inout metadata_t meta,
                   in bit<32> frame_bytes) {
    apply {
        if (hdr.ipv6.version != 6) {
            meta.drop = Drop.IP_VERSION;
        } else if ((bit<32>)hdr.ipv6.payload_length + IPV6_BYTES > frame_bytes
                   || hdr.ipv6.payload_length < meta.extension_bytes) {
            meta.drop = Drop.IP_TOTAL_LENGTH;
        } else if (meta.extension_unwalked == 1) {
            meta.drop = Drop.IPV6_EXTENSION;
        } else if (hdr.icmp.isValid()
                   && meta.fragment == 0
                   && hdr.icmp.icmp_type >= ND_ROUTER_SOLICITATION
                   && hdr.icmp.icmp_type <= ND_NEIGHBOR_ADVERTISEMENT
                   && hdr.ipv6.hop_limit == ND_HOP_LIMIT) {
            // Before the source is looked at: who has no address yet asks from ::
            meta.punt = Punt.ND;
        } else if (hdr.ethernet.dst_addr != meta.mac
                   || hdr.ipv6.dst_addr[127:120] == 0xff) {
            meta.drop = Drop.MULTICAST;
        } else if (hdr.ipv6.src_addr[127:120] == 0xff   // multicast
                   || hdr.ipv6.src_addr == 0            // unspecified
                   || hdr.ipv6.src_addr == 1) {         // loopback
            meta.drop = Drop.MARTIAN_SOURCE;
        }
    }
}

// Lengths above IP. What is parsed into tcp, udp and icmp lies within the frame; this
// asks whether it lies within the packet too, and does not run into padding. A UDP
// length covers the whole datagram, of which a fragment is only a part.
control SanityTransport(inout headers_t hdr, inout metadata_t meta) {
    apply {
        if (hdr.tcp.isValid()) {
            if (meta.l4_length < TCP_BYTES) {
                meta.drop = Drop.IP_TOTAL_LENGTH;
            } else if (hdr.tcp.header_words < 5
                       || ((bit<16>)hdr.tcp.header_words << 2) > meta.l4_length) {
                meta.drop = Drop.TCP_OFFSET;
            }
        } else if (hdr.udp.isValid()) {
            if (meta.l4_length < UDP_BYTES) {
                meta.drop = Drop.IP_TOTAL_LENGTH;
            } else if (hdr.udp.length < UDP_BYTES
                       || hdr.udp.length > meta.l4_length && meta.fragment == 0) {
                meta.drop = Drop.UDP_LENGTH;
            }
        } else if (hdr.icmp.isValid()) {
            if (meta.l4_length < ICMP_BYTES
                || hdr.quoted_ipv4.isValid() && meta.l4_length < ICMP_ERROR_BYTES
                || hdr.quoted_ipv6.isValid() && meta.l4_length < ICMPV6_ERROR_BYTES) {
                meta.drop = Drop.IP_TOTAL_LENGTH;
            }
        }
    }
}

control Sanity(inout headers_t hdr,
               inout metadata_t meta,
               inout standard_metadata_t standard_metadata) {
    SanityIpv4() ipv4;
    SanityIpv6() ipv6;
    SanityTransport() transport;

    apply {
        bit<32> frame_bytes = standard_metadata.packet_length - ETHERNET_BYTES;
        if (hdr.vlan.isValid()) {
            frame_bytes = frame_bytes - VLAN_BYTES;
        }

        if (standard_metadata.parser_error != error.NoError) {
            meta.drop = Drop.TRUNCATED;
        } else if (hdr.ethernet.dst_addr != meta.mac && hdr.ethernet.dst_addr[40:40] == 0) {
            meta.drop = Drop.NOT_FOR_US;
        } else if (hdr.ipv4.isValid()) {
            ipv4.apply(hdr, meta, standard_metadata, frame_bytes);
        } else if (hdr.ipv6.isValid()) {
            ipv6.apply(hdr, meta, frame_bytes);
        } else if (hdr.arp.isValid()) {
            meta.punt = Punt.ARP;
        } else {
            meta.drop = Drop.ETHERTYPE;
        }

        if (meta.drop == Drop.NONE) {
            transport.apply(hdr, meta);
        }
    }
}

#endif
