// To and from the controller.
#ifndef _PUNT_P4_
#define _PUNT_P4_

// A packet that the controller sends. SPUs send transit traffic through the egress
// stage; ARP, ND and probes leave as they are.
// standard_metadata.instance_type of a packet that is none.
const bit<32> NOT_A_COPY = 0;

control PacketOut(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    apply {
        meta.trace = hdr.packet_out_header.trace;
        meta.forwarding_class = hdr.packet_out_header.forwarding_class;
        meta.loss_priority = hdr.packet_out_header.loss_priority;
        meta.first_packet = hdr.packet_out_header.first;
        meta.zone = hdr.packet_out_header.source_zone;
        if (hdr.packet_out_header.egress_port >= CPU_PORT) {
            // Back to the CPU it would come without its header, and beyond are the
            // target's own ports.
            meta.drop = Drop.NO_EGRESS;
        } else if (hdr.packet_out_header.send != (bit<8>)Send.EGRESS) {
            meta.raw = 1;
            standard_metadata.egress_spec = hdr.packet_out_header.egress_port;
        } else if (standard_metadata.parser_error != error.NoError) {
            meta.drop = Drop.TRUNCATED;
        } else {
            standard_metadata.egress_spec = hdr.packet_out_header.egress_port;
        }
    }
}

// A packet goes to the controller, and the count of its reason goes up; unless there are
// too many of its kind. So a flood of first packets, say, takes nothing from ARP, or from
// the packets of sessions.
control PuntToController(in headers_t hdr,
                         inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
    @brief("Packets handed to the controller, by Punt.")
    counter(REASONS, CounterType.packets) punts;
    @brief("Packets that the meter kept from the controller, by Punt.")
    counter(REASONS, CounterType.packets) punts_refused;
    @brief("Packets a second for the controller, by Punt; Punt.TRACE: copies.")
    meter(REASONS, MeterType.packets) punt_meter;

    SynAgain() syn_again;

    apply {
        bit<2> color = METER_GREEN;
        bit<1> again = 0;
        if (meta.punt != Punt.NONE) {
            punt_meter.execute_meter((bit<32>)(bit<8>)meta.punt, color);
            if (color == METER_RED && meta.punt == Punt.SYN_PROXY) {
                syn_again.apply(hdr, meta, again);
                if (again == 1) {
                    punt_meter.execute_meter(SYN_AGAIN_METER, color);
                }
            }
            if (color == METER_RED) {
                punts_refused.count((bit<32>)(bit<8>)meta.punt);
                meta.drop = Drop.PUNT_LIMIT;
            } else {
                punts.count((bit<32>)(bit<8>)meta.punt);
                standard_metadata.egress_spec = CPU_PORT;
            }
        }
        if (meta.trace == 1) {
            punt_meter.execute_meter((bit<32>)(bit<8>)Punt.TRACE, color);
            if (color == METER_RED) {
                punts_refused.count((bit<32>)(bit<8>)Punt.TRACE);
                meta.trace = 0;
            }
        }
    }
}

// The header that tells the controller what this NPU knows of the packet.
control PacketIn(inout headers_t hdr,
                 inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) {
    apply {
        hdr.packet_in_header.setValid();
        hdr.packet_in_header.reason = (bit<8>)meta.punt;
        hdr.packet_in_header.trace = meta.trace;
        hdr.packet_in_header.pad0 = 0;
        hdr.packet_in_header.ingress_port = standard_metadata.ingress_port;
        hdr.packet_in_header.token = meta.token;
        hdr.packet_in_header.session_id = meta.session_id;
        hdr.packet_in_header.forwarding_class = meta.forwarding_class;
        hdr.packet_in_header.loss_priority = meta.loss_priority;
        hdr.packet_in_header.pad1 = 0;
        hdr.packet_in_header.wing = meta.wing;
        hdr.packet_in_header.spu = meta.spu;
        hdr.packet_in_header.epoch = meta.epoch;
        hdr.packet_in_header.stage = 0;
        hdr.packet_in_header.verdict = 0;
        hdr.packet_in_header.detail = 0;
        hdr.packet_in_header.filter = 0;
        hdr.packet_in_header.pad2 = 0;
        hdr.packet_in_header.egress_port = 0;
        if (standard_metadata.instance_type != NOT_A_COPY) {
            if (!hdr.fabric_ethernet.isValid()) {
                // Came by the fabric: the copy is of the frame in the fabric frame.
                hdr.fabric.setInvalid();
            }
            hdr.packet_in_header.reason = (bit<8>)meta.copy_reason;
            hdr.packet_in_header.ingress_port = meta.copy_ingress_port;
            hdr.packet_in_header.stage = (bit<8>)meta.copy_stage;
            hdr.packet_in_header.verdict = (bit<8>)meta.copy_verdict;
            hdr.packet_in_header.detail = meta.copy_detail;
            hdr.packet_in_header.filter = meta.trace_filter;
            hdr.packet_in_header.egress_port = meta.copy_egress_port;
        }
    }
}

#endif
