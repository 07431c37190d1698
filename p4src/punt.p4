// To and from the controller.
#ifndef _PUNT_P4_
#define _PUNT_P4_

// A packet that the controller sends. SPUs send transit traffic through the egress
// stage; ARP, ND and probes leave as they are.
control PacketOut(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    apply {
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

// A packet goes to the controller, and the count of its reason goes up.
control PuntToController(inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
    @brief("Packets handed to the controller, by Punt.")
    counter(REASONS, CounterType.packets) punts;

    apply {
        punts.count((bit<32>)(bit<8>)meta.punt);
        standard_metadata.egress_spec = CPU_PORT;
    }
}

// The header that tells the controller what this NPU knows of the packet.
control PacketIn(inout headers_t hdr,
                 inout metadata_t meta,
                 inout standard_metadata_t standard_metadata) {
    apply {
        hdr.packet_in_header.setValid();
        hdr.packet_in_header.reason = (bit<8>)meta.punt;
        hdr.packet_in_header.pad0 = 0;
        hdr.packet_in_header.ingress_port = standard_metadata.ingress_port;
        hdr.packet_in_header.token = meta.token;
        hdr.packet_in_header.session_id = meta.session_id;
        hdr.packet_in_header.pad1 = 0;
        hdr.packet_in_header.wing = meta.wing;
        hdr.packet_in_header.spu = meta.spu;
    }
}

#endif
