// What a zone's screens that count are set to, and whom floods are not counted of.
#ifndef _THRESHOLDS_P4_
#define _THRESHOLDS_P4_

@brief("Packets a second, and microseconds; 0: the screen is off.")
action set_thresholds(inout metadata_t meta,
                      bit<32> icmp_flood,
                      bit<32> udp_flood,
                      bit<32> syn_flood_attack,
                      bit<32> syn_flood_alarm,
                      bit<32> syn_flood_source,
                      bit<32> syn_flood_destination,
                      bit<32> ip_sweep,
                      bit<32> tcp_sweep,
                      bit<32> udp_sweep,
                      bit<32> port_scan,
                      bit<32> udp_port_scan,
                      bit<1> white_lists) {
    meta.icmp_flood = icmp_flood;
    meta.udp_flood = udp_flood;
    meta.syn_flood_attack = syn_flood_attack;
    meta.syn_flood_alarm = syn_flood_alarm;
    meta.syn_flood_source = syn_flood_source;
    meta.syn_flood_destination = syn_flood_destination;
    meta.ip_sweep = ip_sweep;
    meta.tcp_sweep = tcp_sweep;
    meta.udp_sweep = udp_sweep;
    meta.port_scan = port_scan;
    meta.udp_port_scan = udp_port_scan;
    meta.white_lists = white_lists;
}

@brief("Packets between these are not counted towards a flood.")
action white_listed(inout metadata_t meta) {
    meta.white_listed = 1;
}

control IngressThresholds(inout headers_t hdr, inout metadata_t meta, out bit<1> known) {
    @brief("Thresholds and windows of the zone that packets come from.")
    table screen_thresholds {
        key = {
            meta.zone : exact @name("zone");  // 8
        }
        actions = {
            set_thresholds(meta);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = ZONE_SIZE;
    }

    @brief("Who may send, or get, any number of SYN or UDP packets.")
    table flood_white_list {
        key = {
            meta.zone     : exact @name("zone");                                  // 8
            meta.protocol : exact @name("protocol");                              // 8
            meta.src      : ternary @name("src_addr") @format(IPV6_ADDRESS);      // 128
            meta.dst      : ternary @name("dst_addr") @format(IPV6_ADDRESS);      // 128
        }
        actions = {
            white_listed(meta);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = WHITE_LIST_SIZE;
    }

    apply {
        known = 0;
        meta.white_listed = 0;
        if (screen_thresholds.apply().hit) {
            known = 1;
            if (meta.white_lists == 1) {
                flood_white_list.apply();
            }
        }
    }
}

control EgressThresholds(inout headers_t hdr, inout metadata_t meta, out bit<1> known) {
    @brief("Thresholds and windows of the zone that packets go to.")
    table egress_screen_thresholds {
        key = {
            meta.zone : exact @name("zone");  // 8
        }
        actions = {
            set_thresholds(meta);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = ZONE_SIZE;
    }

    @brief("Who may send, or get, any number of SYN or UDP packets.")
    table egress_flood_white_list {
        key = {
            meta.zone     : exact @name("zone");                                  // 8
            meta.protocol : exact @name("protocol");                              // 8
            meta.src      : ternary @name("src_addr") @format(IPV6_ADDRESS);      // 128
            meta.dst      : ternary @name("dst_addr") @format(IPV6_ADDRESS);      // 128
        }
        actions = {
            white_listed(meta);
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = WHITE_LIST_SIZE;
    }

    apply {
        known = 0;
        meta.white_listed = 0;
        if (egress_screen_thresholds.apply().hit) {
            known = 1;
            if (meta.white_lists == 1) {
                egress_flood_white_list.apply();
            }
        }
    }
}

#endif
