// Firewall filters: stateless, by interface, direction and IP version.
//
// A filter is a number that an interface has; its terms are the entries with that number,
// and the entry with the highest priority that matches is the term that decides. Junos's
// "next term" has no place here: the controller refuses it.
#ifndef _FILTER_P4_
#define _FILTER_P4_

// Colours as BMv2's meters give them.
const bit<2> METER_GREEN = 0;
const bit<2> METER_RED = 2;

// What a term can ask for that is in no one header field.
control FilterKey(inout headers_t hdr, inout metadata_t meta) {
    apply {
        meta.filter_flags = 0;
        meta.filter_icmp = 0;
        meta.filter_fragment = 0;
        if (hdr.tcp.isValid()) {
            meta.filter_flags = hdr.tcp.flags;
        } else if (hdr.icmp.isValid()) {
            meta.filter_icmp = hdr.icmp.icmp_type ++ hdr.icmp.icmp_code;
        }
        if (meta.fragment_offset != 0) {
            meta.filter_fragment = 2;
        } else {
            meta.filter_fragment = (bit<2>)meta.fragment;
        }
        if (hdr.ipv4.isValid()) {
            meta.filter_dscp = hdr.ipv4.dscp;
        } else {
            meta.filter_dscp = hdr.ipv6.dscp;
        }
    }
}

control InputFilter(inout headers_t hdr, inout metadata_t meta) {
    @brief("Packets and bytes of input filter terms that count.")
    counter(FILTER_COUNTERS, CounterType.packets_and_bytes) filter_counts;
    @brief("Policers of input filter terms: two rates, three colours.")
    meter(POLICERS, MeterType.bytes) policers;
    @brief("Packets that a policer of input filter terms dropped, by policer.")
    counter(POLICERS, CounterType.packets_and_bytes) policer_drops;

    FilterKey() filter_key;

    @brief("A term: verdict, what is counted, policed, marked and logged.")
    action input_filter_term(bit<8> verdict,
                             bit<16> count,
                             bit<16> policer,
                             bit<8> policer_action,
                             bit<1> set_class,
                             bit<3> forwarding_class,
                             bit<1> set_loss,
                             bit<2> loss_priority,
                             bit<1> log) {
        meta.term_verdict = verdict;
        meta.term_count = count;
        meta.term_policer = policer;
        meta.term_policer_action = policer_action;
        meta.term_sets_class = set_class;
        meta.term_class = forwarding_class;
        meta.term_sets_loss = set_loss;
        meta.term_loss = loss_priority;
        meta.term_log = log;
    }

    // Every filter ends with a term that discards all (Junos, "firewall filter").
    action no_input_term() {
        meta.term_verdict = (bit<8>)FilterVerdict.DISCARD;
        meta.term_count = 0;
        meta.term_policer = 0;
        meta.term_sets_class = 0;
        meta.term_sets_loss = 0;
        meta.term_log = 0;
    }

    @brief("Terms of input filters for IPv4.")
    table input_filter_v4 {
        key = {
            meta.filter_v4       : exact @name("filter");                                // 16
            hdr.ipv4.src_addr    : ternary @name("src_addr") @format(IPV4_ADDRESS);  // 32
            hdr.ipv4.dst_addr    : ternary @name("dst_addr") @format(IPV4_ADDRESS);  // 32
            meta.protocol        : ternary @name("protocol");                            // 8
            meta.src_port        : range @name("src_port");                              // 16
            meta.dst_port        : range @name("dst_port");                              // 16
            meta.filter_flags    : ternary @name("tcp_flags");                           // 8
            meta.filter_fragment : ternary @name("fragment");                            // 2
            meta.filter_dscp     : ternary @name("dscp");                                // 6
            meta.filter_icmp     : ternary @name("icmp");                                // 16
        }
        actions = {
            input_filter_term;
            @defaultonly no_input_term;
        }
        const default_action = no_input_term();
        size = FILTER_TERMS;
    }

    @brief("Terms of input filters for IPv6.")
    table input_filter_v6 {
        key = {
            meta.filter_v6       : exact @name("filter");                                // 16
            hdr.ipv6.src_addr    : ternary @name("src_addr") @format(IPV6_ADDRESS);  // 128
            hdr.ipv6.dst_addr    : ternary @name("dst_addr") @format(IPV6_ADDRESS);  // 128
            meta.protocol        : ternary @name("protocol");                            // 8
            meta.src_port        : range @name("src_port");                              // 16
            meta.dst_port        : range @name("dst_port");                              // 16
            meta.filter_flags    : ternary @name("tcp_flags");                           // 8
            meta.filter_fragment : ternary @name("fragment");                            // 2
            meta.filter_dscp     : ternary @name("dscp");                                // 6
            meta.filter_icmp     : ternary @name("icmp");                                // 16
        }
        actions = {
            input_filter_term;
            @defaultonly no_input_term;
        }
        const default_action = no_input_term();
        size = FILTER_TERMS;
    }

    apply {
        bit<16> filter = meta.filter_v4;
        if (hdr.ipv6.isValid()) {
            filter = meta.filter_v6;
        }
        if (filter != 0) {
            filter_key.apply(hdr, meta);
            if (hdr.ipv4.isValid()) {
                input_filter_v4.apply();
            } else {
                input_filter_v6.apply();
            }
            if (meta.term_count != 0) {
                filter_counts.count((bit<32>)meta.term_count);
            }
            if (meta.term_log == 1) {
                meta.trace = 1;
            }
            if (meta.term_sets_class == 1) {
                meta.forwarding_class = meta.term_class;
            }
            if (meta.term_sets_loss == 1) {
                meta.loss_priority = meta.term_loss;
            }
            if (meta.term_verdict == (bit<8>)FilterVerdict.DISCARD) {
                meta.drop = Drop.FILTER;
            } else if (meta.term_verdict == (bit<8>)FilterVerdict.REJECT) {
                meta.punt = Punt.FILTER_REJECT;
            } else if (meta.term_policer != 0) {
                bit<2> color;
                policers.execute_meter((bit<32>)meta.term_policer, color);
                if (meta.term_policer_action == (bit<8>)PolicerAction.MARK) {
                    if (color != METER_GREEN) {
                        // Yellow is 1 and red is 2; medium-high is 2 and high is 3.
                        meta.loss_priority = color + 1;
                    }
                } else if (color == METER_RED) {
                    meta.drop = Drop.POLICER;
                    policer_drops.count((bit<32>)meta.term_policer);
                }
            }
        }
    }
}

control OutputFilter(inout headers_t hdr, inout metadata_t meta) {
    @brief("Packets and bytes of output filter terms that count.")
    counter(FILTER_COUNTERS, CounterType.packets_and_bytes) output_filter_counts;
    @brief("Policers of output filter terms: two rates, three colours.")
    meter(POLICERS, MeterType.bytes) output_policers;
    @brief("Packets that a policer of output filter terms dropped, by policer.")
    counter(POLICERS, CounterType.packets_and_bytes) output_policer_drops;

    FilterKey() filter_key;

    @brief("A term: verdict, what is counted, policed, marked and logged.")
    action output_filter_term(bit<8> verdict,
                             bit<16> count,
                             bit<16> policer,
                             bit<8> policer_action,
                             bit<1> set_class,
                             bit<3> forwarding_class,
                             bit<1> set_loss,
                             bit<2> loss_priority,
                             bit<1> log) {
        meta.term_verdict = verdict;
        meta.term_count = count;
        meta.term_policer = policer;
        meta.term_policer_action = policer_action;
        meta.term_sets_class = set_class;
        meta.term_class = forwarding_class;
        meta.term_sets_loss = set_loss;
        meta.term_loss = loss_priority;
        meta.term_log = log;
    }

    // Every filter ends with a term that discards all (Junos, "firewall filter").
    action no_output_term() {
        meta.term_verdict = (bit<8>)FilterVerdict.DISCARD;
        meta.term_count = 0;
        meta.term_policer = 0;
        meta.term_sets_class = 0;
        meta.term_sets_loss = 0;
        meta.term_log = 0;
    }

    @brief("Terms of output filters for IPv4.")
    table output_filter_v4 {
        key = {
            meta.filter_v4       : exact @name("filter");                                // 16
            hdr.ipv4.src_addr    : ternary @name("src_addr") @format(IPV4_ADDRESS);  // 32
            hdr.ipv4.dst_addr    : ternary @name("dst_addr") @format(IPV4_ADDRESS);  // 32
            meta.protocol        : ternary @name("protocol");                            // 8
            meta.src_port        : range @name("src_port");                              // 16
            meta.dst_port        : range @name("dst_port");                              // 16
            meta.filter_flags    : ternary @name("tcp_flags");                           // 8
            meta.filter_fragment : ternary @name("fragment");                            // 2
            meta.filter_dscp     : ternary @name("dscp");                                // 6
            meta.filter_icmp     : ternary @name("icmp");                                // 16
        }
        actions = {
            output_filter_term;
            @defaultonly no_output_term;
        }
        const default_action = no_output_term();
        size = FILTER_TERMS;
    }

    @brief("Terms of output filters for IPv6.")
    table output_filter_v6 {
        key = {
            meta.filter_v6       : exact @name("filter");                                // 16
            hdr.ipv6.src_addr    : ternary @name("src_addr") @format(IPV6_ADDRESS);  // 128
            hdr.ipv6.dst_addr    : ternary @name("dst_addr") @format(IPV6_ADDRESS);  // 128
            meta.protocol        : ternary @name("protocol");                            // 8
            meta.src_port        : range @name("src_port");                              // 16
            meta.dst_port        : range @name("dst_port");                              // 16
            meta.filter_flags    : ternary @name("tcp_flags");                           // 8
            meta.filter_fragment : ternary @name("fragment");                            // 2
            meta.filter_dscp     : ternary @name("dscp");                                // 6
            meta.filter_icmp     : ternary @name("icmp");                                // 16
        }
        actions = {
            output_filter_term;
            @defaultonly no_output_term;
        }
        const default_action = no_output_term();
        size = FILTER_TERMS;
    }

    apply {
        bit<16> filter = meta.filter_v4;
        if (hdr.ipv6.isValid()) {
            filter = meta.filter_v6;
        }
        if (filter != 0) {
            filter_key.apply(hdr, meta);
            if (hdr.ipv4.isValid()) {
                output_filter_v4.apply();
            } else {
                output_filter_v6.apply();
            }
            if (meta.term_count != 0) {
                output_filter_counts.count((bit<32>)meta.term_count);
            }
            if (meta.term_log == 1) {
                meta.trace = 1;
            }
            if (meta.term_sets_class == 1) {
                meta.forwarding_class = meta.term_class;
            }
            if (meta.term_sets_loss == 1) {
                meta.loss_priority = meta.term_loss;
            }
            if (meta.term_verdict == (bit<8>)FilterVerdict.DISCARD) {
                meta.drop = Drop.FILTER;
            } else if (meta.term_verdict == (bit<8>)FilterVerdict.REJECT) {
                meta.drop = Drop.FILTER_REJECT;
            } else if (meta.term_policer != 0) {
                bit<2> color;
                output_policers.execute_meter((bit<32>)meta.term_policer, color);
                if (meta.term_policer_action == (bit<8>)PolicerAction.MARK) {
                    if (color != METER_GREEN) {
                        // Yellow is 1 and red is 2; medium-high is 2 and high is 3.
                        meta.loss_priority = color + 1;
                    }
                } else if (color == METER_RED) {
                    meta.drop = Drop.POLICER;
                    output_policer_drops.count((bit<32>)meta.term_policer);
                }
            }
        }
    }
}

#endif
