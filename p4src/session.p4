// Does the packet belong to a session, and who forwards that session's packets?
//
// Six things must match: addresses, ports, protocol, and the token of the interface the
// packet came in on. One entry is one wing, that is one direction, so an answer finds
// its session under its own tuple. An entry's action only says what is to be done:
// whether this packet may go the way of its wing is for express.p4 and punt.p4.
#ifndef _SESSION_P4_
#define _SESSION_P4_

control Session(inout headers_t hdr, inout metadata_t meta) {
    @brief("Packets and bytes of each IPv4 wing, on whichever path.")
    direct_counter(CounterType.packets_and_bytes) session_v4_counter;
    @brief("Packets and bytes of each IPv6 wing, on whichever path.")
    direct_counter(CounterType.packets_and_bytes) session_v6_counter;

    @brief("Normal session: every packet visits its owner SPU.")
    action to_spu(bit<32> session_id,
                  bit<1> wing,
                  bit<8> spu) {
        meta.session_id = session_id;
        meta.wing = wing;
        meta.spu = spu;
        meta.punt = Punt.SESSION;
    }

    @brief("Express Path session: the NPU translates and forwards.")
    action express_v4(bit<32> session_id,
                      bit<1> wing,
                      bit<8> spu,
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
                      @format(MAC_ADDRESS) bit<48> src_mac,
                      @format(MAC_ADDRESS) bit<48> dst_mac,
                      bit<12> vlan,
                      bit<9> port,
                      bit<9> remote_port) {
        meta.session_id = session_id;
        meta.wing = wing;
        meta.spu = spu;
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
            hdr.ipv4.src_addr : exact @name("src_addr") @format(IPV4_ADDRESS);  // 32
            hdr.ipv4.dst_addr : exact @name("dst_addr") @format(IPV4_ADDRESS);  // 32
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
            hdr.ipv6.src_addr : exact @name("src_addr") @format(IPV6_ADDRESS);  // 128
            hdr.ipv6.dst_addr : exact @name("dst_addr") @format(IPV6_ADDRESS);  // 128
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
        // An ICMP error is not a packet of a flow of its own; its session is that of the
        // packet it quotes, which a later stage of its way finds.
        if (meta.icmp_error == 1) {
            meta.punt = Punt.ICMP_ERROR;
        } else if (hdr.ipv4.isValid()) {
            session_v4.apply();
        } else {
            session_v6.apply();
        }
        // Also when no wing matched: a later fragment has no ports to match by.
        if (meta.fragment == 1) {
            meta.punt = Punt.FRAGMENT;
        }
    }
}

#endif
