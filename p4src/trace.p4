// Following single packets through the card.
//
// An interface whose packets may be traced sends them past the trace filters (the packet
// filters of traceoptions). A packet that one of them marks, or a filter term that logs,
// yields a copy for the controller where its fate on the way in is decided, and another
// where that on the way out is; each says by which stage, how and why. The mark goes along to
// other NPUs and to SPUs and back. Without filters interfaces trace nothing, and then all of
// this is one comparison.
//
// A copy of the way in is the frame as it arrived (what came by the fabric without the
// fabric's headers), one of the way out the frame as it is there. Copies are limited by the meter for Punt.TRACE.
#ifndef _TRACE_P4_
#define _TRACE_P4_

control TraceMark(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    @brief("A trace filter finds the packet.")
    action trace(bit<8> filter) {
        meta.trace = 1;
        meta.trace_filter = filter;
    }

    @brief("Packet filters of traceoptions, IPv4.")
    table trace_v4 {
        key = {
            standard_metadata.ingress_port : ternary @name("port");                        // 9
            hdr.ipv4.src_addr : ternary @name("src_addr") @format(IPV4_ADDRESS);           // 32
            hdr.ipv4.dst_addr : ternary @name("dst_addr") @format(IPV4_ADDRESS);           // 32
            meta.src_port     : ternary @name("src_port");                                 // 16
            meta.dst_port     : ternary @name("dst_port");                                 // 16
            meta.protocol     : ternary @name("protocol");                                 // 8
        }
        actions = {
            trace;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = TRACE_SIZE;
    }

    @brief("Packet filters of traceoptions, IPv6.")
    table trace_v6 {
        key = {
            standard_metadata.ingress_port : ternary @name("port");                        // 9
            hdr.ipv6.src_addr : ternary @name("src_addr") @format(IPV6_ADDRESS);           // 128
            hdr.ipv6.dst_addr : ternary @name("dst_addr") @format(IPV6_ADDRESS);           // 128
            meta.src_port     : ternary @name("src_port");                                 // 16
            meta.dst_port     : ternary @name("dst_port");                                 // 16
            meta.protocol     : ternary @name("protocol");                                 // 8
        }
        actions = {
            trace;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = TRACE_SIZE;
    }

    apply {
        if (hdr.ipv4.isValid()) {
            trace_v4.apply();
        } else if (hdr.ipv6.isValid()) {
            trace_v6.apply();
        }
    }
}

// Every reason belongs to one stage, so stages need not leave a trail.
control CopyIngress(inout headers_t hdr,
                    inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    @brief("Trace copies of the way in, by Verdict.")
    counter(REASONS, CounterType.packets) copies;

    apply {
        meta.copy_reason = Punt.TRACE;
        meta.copy_ingress_port = standard_metadata.ingress_port;
        meta.copy_egress_port = 0;
        if (meta.drop != Drop.NONE) {
            meta.copy_verdict = Verdict.DROP;
            meta.copy_detail = (bit<8>)meta.drop;
            if (meta.drop >= Drop.SCREEN_LAND) {
                meta.copy_stage = Stage.SCREENS;
            } else if (meta.drop == Drop.PUNT_LIMIT) {
                meta.copy_stage = Stage.PUNT;
            } else if (meta.drop == Drop.FILTER || meta.drop == Drop.POLICER) {
                meta.copy_stage = Stage.FILTER;
            } else if (meta.from_fabric == 1) {
                meta.copy_stage = Stage.FABRIC;
            } else {
                meta.copy_stage = Stage.SANITY;
            }
        } else if (meta.punt != Punt.NONE) {
            meta.copy_verdict = Verdict.PUNT;
            meta.copy_detail = (bit<8>)meta.punt;
            if (meta.punt == Punt.ARP || meta.punt == Punt.ND) {
                meta.copy_stage = Stage.SANITY;
            } else if (meta.punt == Punt.FILTER_REJECT) {
                meta.copy_stage = Stage.FILTER;
            } else if (meta.punt == Punt.TTL_EXPIRED || meta.punt == Punt.TCP_CONTROL) {
                meta.copy_stage = Stage.EXPRESS;
            } else {
                meta.copy_stage = Stage.SESSION;
            }
        } else {
            meta.copy_verdict = Verdict.FORWARD;
            meta.copy_detail = 0;
            meta.copy_egress_port = standard_metadata.egress_spec;
            if (meta.from_fabric == 1) {
                meta.copy_stage = Stage.FABRIC;
            } else {
                meta.copy_stage = Stage.EXPRESS;
            }
        }
        copies.count((bit<32>)(bit<8>)meta.copy_verdict);
        clone_preserving_field_list(CloneType.I2E, TRACE_SESSION, COPY);
    }
}

control CopyEgress(inout metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    @brief("Trace copies of the way out, by Verdict.")
    counter(REASONS, CounterType.packets) egress_copies;

    apply {
        meta.copy_ingress_port = standard_metadata.ingress_port;
        meta.copy_egress_port = 0;
        meta.copy_reason = Punt.TRACE;
        if (meta.drop != Drop.NONE) {
            meta.copy_verdict = Verdict.DROP;
            meta.copy_detail = (bit<8>)meta.drop;
            if (meta.drop >= Drop.SCREEN_LAND) {
                meta.copy_stage = Stage.EGRESS_SCREENS;
            } else if (meta.drop == Drop.SHAPER) {
                meta.copy_stage = Stage.SHAPER;
            } else if (meta.drop == Drop.NO_EGRESS) {
                meta.copy_stage = Stage.EGRESS_INTERFACE;
            } else {
                meta.copy_stage = Stage.EGRESS_FILTER;
            }
            if (meta.drop == Drop.FILTER_REJECT) {
                // Not a copy to look at: the controller answers it.
                meta.copy_reason = Punt.FILTER_REJECT;
            }
        } else {
            meta.copy_verdict = Verdict.FORWARD;
            meta.copy_detail = 0;
            meta.copy_egress_port = standard_metadata.egress_port;
            if (meta.remote_port != 0) {
                meta.copy_stage = Stage.FABRIC;
            } else {
                meta.copy_stage = Stage.TRANSMIT;
            }
        }
        egress_copies.count((bit<32>)(bit<8>)meta.copy_verdict);
        clone_preserving_field_list(CloneType.E2E, TRACE_SESSION, COPY);
    }
}

#endif
