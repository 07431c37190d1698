// Does the packet belong to a session, and who forwards that session's packets?
//
// Six things must match: addresses, ports, protocol, and the token of the interface the
// packet came in on. One entry is one wing, that is one direction, so an answer finds
// its session under its own tuple. An entry's action only says what is to be done:
// whether this packet may go the way of its wing is for express.p4 and punt.p4.
//
// A wing carries the epoch of the interface its packets come by, as it was when the wing
// was written. With a new epoch for the interface, one write makes all its wings stale:
// their packets are shown to their owner, which renews the wing or takes it away.
#ifndef _SESSION_P4_
#define _SESSION_P4_

// What an ICMP error is about, as the key of the wing whose packets are its answers. Of
// what the parser could not read the ports stay 0, and no wing will match but that of a
// protocol without ports.
control QuotedFlow(inout headers_t hdr, inout metadata_t meta) {
    apply {
        if (hdr.quoted_ipv4.isValid()) {
            meta.key_src_v4 = hdr.quoted_ipv4.dst_addr;
            meta.key_dst_v4 = hdr.quoted_ipv4.src_addr;
            meta.protocol = hdr.quoted_ipv4.protocol;
        } else {
            meta.key_src_v6 = hdr.quoted_ipv6.dst_addr;
            meta.key_dst_v6 = hdr.quoted_ipv6.src_addr;
            meta.protocol = hdr.quoted_ipv6.next_header;
        }
        if (hdr.quoted_transport.isValid()) {
            if (meta.protocol == PROTOCOL_TCP || meta.protocol == PROTOCOL_UDP) {
                meta.src_port = hdr.quoted_transport.second;
                meta.dst_port = hdr.quoted_transport.first;
            } else if (hdr.quoted_transport.first[15:8] == ICMP_ECHO_REQUEST
                       || hdr.quoted_transport.first[15:8] == ICMPV6_ECHO_REQUEST) {
                // The identifier stands for the port of the side that asked.
                meta.src_port = hdr.quoted_transport.first[15:8] ++ 8w0;
                meta.dst_port = hdr.quoted_transport.third;
            } else if (hdr.quoted_transport.first[15:8] == ICMP_ECHO_REPLY) {
                meta.src_port = hdr.quoted_transport.third;
                meta.dst_port = ICMP_ECHO_REQUEST ++ 8w0;
            } else if (hdr.quoted_transport.first[15:8] == ICMPV6_ECHO_REPLY) {
                meta.src_port = hdr.quoted_transport.third;
                meta.dst_port = ICMPV6_ECHO_REQUEST ++ 8w0;
            }
        }
    }
}

control Session(inout headers_t hdr, inout metadata_t meta) {
    @brief("Packets and bytes of each IPv4 wing, on whichever path.")
    direct_counter(CounterType.packets_and_bytes) session_v4_counter;
    @brief("Packets and bytes of each IPv6 wing, on whichever path.")
    direct_counter(CounterType.packets_and_bytes) session_v6_counter;

    QuotedFlow() quoted;

    @brief("Normal session: every packet visits its owner SPU.")
    action to_spu(bit<32> session_id,
                  bit<1> wing,
                  bit<8> spu,
                  bit<8> epoch) {
        meta.session_id = session_id;
        meta.wing = wing;
        meta.spu = spu;
        meta.epoch = epoch;
        meta.punt = Punt.SESSION;
    }

    @brief("Express Path session: the NPU translates and forwards.")
    action express_v4(bit<32> session_id,
                      bit<1> wing,
                      bit<8> spu,
                      bit<8> epoch,
                      @format(IPV4_ADDRESS) bit<32> src_addr,
                      @format(IPV4_ADDRESS) bit<32> dst_addr,
                      bit<16> src_port,
                      bit<16> dst_port,
                      @format(MAC_ADDRESS) bit<48> src_mac,
                      @format(MAC_ADDRESS) bit<48> dst_mac,
                      bit<12> vlan,
                      bit<9> port,
                      bit<9> remote_port) {
        meta.session_id = session_id;
        meta.wing = wing;
        meta.spu = spu;
        meta.epoch = epoch;
        meta.new_src_addr = src_addr;
        meta.new_dst_addr = dst_addr;
        meta.new_src_port = src_port;
        meta.new_dst_port = dst_port;
        meta.new_src_mac = src_mac;
        meta.new_dst_mac = dst_mac;
        meta.new_vlan = vlan;
        meta.new_port = port;
        meta.remote_port = remote_port;
    }

    @brief("Express Path session without translation, the only kind for IPv6.")
    action express_v6(bit<32> session_id,
                      bit<1> wing,
                      bit<8> spu,
                      bit<8> epoch,
                      @format(MAC_ADDRESS) bit<48> src_mac,
                      @format(MAC_ADDRESS) bit<48> dst_mac,
                      bit<12> vlan,
                      bit<9> port,
                      bit<9> remote_port) {
        meta.session_id = session_id;
        meta.wing = wing;
        meta.spu = spu;
        meta.epoch = epoch;
        meta.new_src_mac = src_mac;
        meta.new_dst_mac = dst_mac;
        meta.new_vlan = vlan;
        meta.new_port = port;
        meta.remote_port = remote_port;
    }

    // First packet of a flow, as far as this NPU can tell: the central point knows.
    action miss() {
        meta.punt = Punt.MISS;
    }

    @brief("IPv4 wings by the six match criteria.")
    table session_v4 {
        key = {
            meta.key_src_v4  : exact @name("src_addr") @format(IPV4_ADDRESS);  // 32
            meta.key_dst_v4  : exact @name("dst_addr") @format(IPV4_ADDRESS);  // 32
            meta.src_port     : exact @name("src_port");                        // 16
            meta.dst_port     : exact @name("dst_port");                        // 16
            meta.protocol     : exact @name("protocol");                        // 8
            meta.token        : exact @name("token");                           // 16
        }
        actions = {
            to_spu;
            express_v4;
            @defaultonly miss;
        }
        const default_action = miss();
        counters = session_v4_counter;
        support_timeout = true;
        size = SESSION_V4_SIZE;
    }

    @brief("IPv6 wings by the six match criteria.")
    table session_v6 {
        key = {
            meta.key_src_v6  : exact @name("src_addr") @format(IPV6_ADDRESS);  // 128
            meta.key_dst_v6  : exact @name("dst_addr") @format(IPV6_ADDRESS);  // 128
            meta.src_port     : exact @name("src_port");                        // 16
            meta.dst_port     : exact @name("dst_port");                        // 16
            meta.protocol     : exact @name("protocol");                        // 8
            meta.token        : exact @name("token");                           // 16
        }
        actions = {
            to_spu;
            express_v6;
            @defaultonly miss;
        }
        const default_action = miss();
        counters = session_v6_counter;
        support_timeout = true;
        size = SESSION_V6_SIZE;
    }

    apply {
        if (meta.icmp_error == 1) {
            // Not a packet of a flow of its own: its session is that of the packet it
            // quotes. That one went the other way, so its tuple reversed is the wing's
            // that arrives here. The owner SPU gets it, whatever kind of session it is.
            quoted.apply(hdr, meta);
        } else if (hdr.ipv4.isValid()) {
            meta.key_src_v4 = hdr.ipv4.src_addr;
            meta.key_dst_v4 = hdr.ipv4.dst_addr;
        } else {
            meta.key_src_v6 = hdr.ipv6.src_addr;
            meta.key_dst_v6 = hdr.ipv6.dst_addr;
        }

        if (hdr.ipv4.isValid()) {
            session_v4.apply();
        } else {
            session_v6.apply();
        }

        if (meta.icmp_error == 1) {
            meta.punt = Punt.ICMP_ERROR;
        } else if (meta.fragment == 1) {
            // Also when no wing matched: a later fragment may have no ports to match by.
            meta.punt = Punt.FRAGMENT;
        } else if (meta.punt != Punt.MISS && meta.epoch != meta.interface_epoch) {
            meta.punt = Punt.STALE;
        }
    }
}

#endif
