// Express Path: the NPU itself translates and forwards.
//
// Everything the packet becomes was decided when its session was set up and stands in
// the wing's entry; here it is only written into the packet. Checksums are corrected by
// what changed (RFC 1624), not computed anew, so that a packet damaged on its way here
// is still seen to be damaged at its end.
#ifndef _EXPRESS_P4_
#define _EXPRESS_P4_

// RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). The sum of all (~m + m') is the change;
// it is kept in 32 bits with its carries, so that several add up, and folded at the end.
// The change of a 16-bit field that stays the same is 0xffff, which is zero there.
//
// Folding twice adds to a sum its carries, and then the carry of that:
//     sum + ((sum + (sum >> 16)) >> 16)
// which is the upper part of one product. A compiler that puts the sum's expression in
// the place of its name computes it once this way, four times the other.
const bit<64> FOLD_TWICE = 0x100010001;       // 2^32 + 2^16 + 1

control CorrectChecksum(inout bit<16> checksum, in bit<32> change) {
    apply {
        bit<64> sum = (bit<64>)((bit<32>)(~checksum) + change);
        checksum = ~(sum * FOLD_TWICE)[47:32];
    }
}

control ExpressIpv4(inout headers_t hdr, inout metadata_t meta) {
    CorrectChecksum() correct_ipv4;
    CorrectChecksum() correct_tcp;
    CorrectChecksum() correct_udp;
    CorrectChecksum() correct_icmp;

    apply {
        bit<32> addresses = (bit<32>)(~hdr.ipv4.src_addr[31:16])
            + (bit<32>)(~hdr.ipv4.src_addr[15:0])
            + (bit<32>)(~hdr.ipv4.dst_addr[31:16])
            + (bit<32>)(~hdr.ipv4.dst_addr[15:0])
            + (bit<32>)meta.new_src_addr[31:16]
            + (bit<32>)meta.new_src_addr[15:0]
            + (bit<32>)meta.new_dst_addr[31:16]
            + (bit<32>)meta.new_dst_addr[15:0];
        bit<32> ports = (bit<32>)(~meta.src_port)
            + (bit<32>)(~meta.dst_port)
            + (bit<32>)meta.new_src_port
            + (bit<32>)meta.new_dst_port;

        // TTL is the upper byte of its 16-bit field, so ~m + m' is ~0x0100, always.
        correct_ipv4.apply(hdr.ipv4.checksum, addresses + 0xfeff);
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
        hdr.ipv4.src_addr = meta.new_src_addr;
        hdr.ipv4.dst_addr = meta.new_dst_addr;

        if (hdr.tcp.isValid()) {
            correct_tcp.apply(hdr.tcp.checksum, addresses + ports);
            hdr.tcp.src_port = meta.new_src_port;
            hdr.tcp.dst_port = meta.new_dst_port;
        } else if (hdr.udp.isValid()) {
            // Zero says that there is none; what comes out as zero is sent as its other
            // form (RFC 768).
            if (hdr.udp.checksum != 0) {
                correct_udp.apply(hdr.udp.checksum, addresses + ports);
                if (hdr.udp.checksum == 0) {
                    hdr.udp.checksum = 0xffff;
                }
            }
            hdr.udp.src_port = meta.new_src_port;
            hdr.udp.dst_port = meta.new_dst_port;
        } else if (hdr.icmp.isValid()) {
            // ICMP's checksum covers no addresses, and of the two ports only the
            // identifier is in the packet; the other never changes and adds nothing.
            if (hdr.icmp.icmp_type == ICMP_ECHO_REQUEST
                || hdr.icmp.icmp_type == ICMP_ECHO_REPLY) {
                correct_icmp.apply(hdr.icmp.checksum, ports);
                if (hdr.icmp.icmp_type == ICMP_ECHO_REQUEST) {
                    hdr.icmp.identifier = meta.new_src_port;
                } else {
                    hdr.icmp.identifier = meta.new_dst_port;
                }
            }
        }

        // The egress stages see the packet as it leaves.
        meta.src_port = meta.new_src_port;
        meta.dst_port = meta.new_dst_port;
    }
}

// The frame's new link header, for the next hop of the wing.
control ExpressLink(inout headers_t hdr, inout metadata_t meta) {
    apply {
        hdr.ethernet.src_addr = meta.new_src_mac;
        hdr.ethernet.dst_addr = meta.new_dst_mac;
        if (meta.new_vlan != 0) {
            if (!hdr.vlan.isValid()) {
                hdr.vlan.setValid();
                hdr.vlan.pcp = 0;
                hdr.vlan.dei = 0;
                hdr.vlan.ether_type = hdr.ethernet.ether_type;
                hdr.ethernet.ether_type = ETHERTYPE_VLAN;
            }
            hdr.vlan.vid = meta.new_vlan;
        } else if (hdr.vlan.isValid()) {
            hdr.ethernet.ether_type = hdr.vlan.ether_type;
            hdr.vlan.setInvalid();
        }
        meta.vlan = meta.new_vlan;
    }
}

control Express(inout headers_t hdr,
                inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    ExpressIpv4() ipv4;
    ExpressLink() link;

    apply {
        if (hdr.tcp.isValid() && (hdr.tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST)) != 0) {
            // The SPU opens and closes the connection, and forwards what does so.
            meta.punt = Punt.TCP_CONTROL;
        } else if (hdr.ipv4_options.isValid() || meta.extensions != 0) {
            meta.punt = Punt.SESSION;
        } else if (hdr.ipv4.isValid() && hdr.ipv4.ttl <= 1
                   || hdr.ipv6.isValid() && hdr.ipv6.hop_limit <= 1) {
            meta.punt = Punt.TTL_EXPIRED;
        } else {
            if (hdr.ipv4.isValid()) {
                ipv4.apply(hdr, meta);
            } else {
                hdr.ipv6.hop_limit = hdr.ipv6.hop_limit - 1;
            }
            link.apply(hdr, meta);
            standard_metadata.egress_spec = meta.new_port;
        }
    }
}

#endif
