// Where does the way back to a source lead?
//
// By zone, not by interface: several interfaces of one zone may share the traffic. On the
// way in it must be the zone that the packet comes from, on the way out the one that it
// came from, as far as the source is still the sender's (meta.source_zone).
#ifndef _SPOOFING_P4_
#define _SPOOFING_P4_

@brief("The zone by which packets to an address leave.")
action reverse_zone(inout bit<8> reverse, bit<8> zone) {
    reverse = zone;
}

control IngressReversePath(inout headers_t hdr, inout metadata_t meta, out bit<8> reverse) {
    @brief("Routes, for the sources of IPv4 packets that arrive.")
    table reverse_path_v4 {
        key = {
            meta.vr           : exact @name("vr");                                // 8
            hdr.ipv4.src_addr : lpm @name("src_addr") @format(IPV4_ADDRESS);      // 32
        }
        actions = {
            reverse_zone(reverse);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = REVERSE_PATH_SIZE;
    }

    @brief("Routes, for the sources of IPv6 packets that arrive.")
    table reverse_path_v6 {
        key = {
            meta.vr           : exact @name("vr");                                // 8
            hdr.ipv6.src_addr : lpm @name("src_addr") @format(IPV6_ADDRESS);      // 128
        }
        actions = {
            reverse_zone(reverse);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = REVERSE_PATH_SIZE;
    }

    apply {
        reverse = 0;              // no interface's zone
        if (hdr.ipv4.isValid()) {
            reverse_path_v4.apply();
        } else {
            reverse_path_v6.apply();
        }
    }
}

control EgressReversePath(inout headers_t hdr, inout metadata_t meta, out bit<8> reverse) {
    @brief("Routes, for the sources of IPv4 packets that leave.")
    table egress_reverse_path_v4 {
        key = {
            meta.vr           : exact @name("vr");                                // 8
            hdr.ipv4.src_addr : lpm @name("src_addr") @format(IPV4_ADDRESS);      // 32
        }
        actions = {
            reverse_zone(reverse);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = REVERSE_PATH_SIZE;
    }

    @brief("Routes, for the sources of IPv6 packets that leave.")
    table egress_reverse_path_v6 {
        key = {
            meta.vr           : exact @name("vr");                                // 8
            hdr.ipv6.src_addr : lpm @name("src_addr") @format(IPV6_ADDRESS);      // 128
        }
        actions = {
            reverse_zone(reverse);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = REVERSE_PATH_SIZE;
    }

    apply {
        reverse = 0;              // no interface's zone
        if (hdr.ipv4.isValid()) {
            egress_reverse_path_v4.apply();
        } else {
            egress_reverse_path_v6.apply();
        }
    }
}

#endif
