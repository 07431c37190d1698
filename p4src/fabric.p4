// Between NPUs: a frame that is complete but for its last port.
//
// Fabric links carry fabric frames and nothing else, interfaces carry none; what breaks
// this is dropped, so nobody outside can inject frames behind the session lookup.
#ifndef _FABRIC_P4_
#define _FABRIC_P4_

// Locally administered; the far NPU is the only station on the link and does not look.
const bit<48> FABRIC_MAC = 0x020000000000;

// A frame from another NPU: its own session lookup is done, only the egress stage is
// left.
control FabricArrival(inout headers_t hdr,
                      inout metadata_t meta,
                      inout standard_metadata_t standard_metadata) {
    apply {
        meta.from_fabric = 1;
        if (!hdr.fabric.isValid()
            || standard_metadata.ingress_port < FIRST_FABRIC_PORT
            || standard_metadata.ingress_port > LAST_FABRIC_PORT) {
            meta.drop = Drop.BAD_FABRIC;
        } else if (standard_metadata.parser_error != error.NoError) {
            meta.drop = Drop.TRUNCATED;
        } else if (hdr.fabric.egress_port >= FIRST_FABRIC_PORT) {
            meta.drop = Drop.NO_EGRESS;
        } else {
            meta.trace = hdr.fabric.trace;
            meta.forwarding_class = hdr.fabric.forwarding_class;
            meta.loss_priority = hdr.fabric.loss_priority;
            meta.session_id = hdr.fabric.session_id;
            meta.zone = hdr.fabric.source_zone;
            standard_metadata.egress_spec = hdr.fabric.egress_port;
        }
        hdr.fabric.setInvalid();
    }
}

control FabricDeparture(inout headers_t hdr, inout metadata_t meta) {
    apply {
        hdr.fabric_ethernet.setValid();
        hdr.fabric_ethernet.dst_addr = FABRIC_MAC;
        hdr.fabric_ethernet.src_addr = FABRIC_MAC;
        hdr.fabric_ethernet.ether_type = ETHERTYPE_FABRIC;
        hdr.fabric.setValid();
        hdr.fabric.trace = meta.trace;
        hdr.fabric.forwarding_class = meta.forwarding_class;
        hdr.fabric.loss_priority = meta.loss_priority;
        hdr.fabric.pad0 = 0;
        hdr.fabric.egress_port = meta.remote_port;
        hdr.fabric.session_id = meta.session_id;
        hdr.fabric.source_zone = meta.zone;
        if (meta.new_src_addr != meta.key_src_v4) {
            hdr.fabric.source_zone = 0;
        }
    }
}

#endif
