// The network processing unit: one I/O card of the firewall.
//
//   port --> interface --> sanity --> screens ---------> class, --> session --+--> express ------.
//            (token,       |  |       (ingress zone;     filter     (six      |                  |
//             zone)        |  |        floods)            |  |       criteria)+--> owner SPU     |
//               |          |  |          |                |  |                |       |          |
//               v          v  |          v                v  |         miss:  v       |          |
//             drop       drop |        drop             drop |         first-packet   |          |
//                             |                              |         screens -------+-> CP, SPU|
//                             |                              |            |           |          |
//                             '--> ARP, ND --------------> reject         v           v          |
//                                                            '--------> drop      punt meter     |
//                                                                                     |          |
//   fabric port --> fabric: strip ---------------------------.                  CPU port         |
//   CPU port ----> packet-out: Send.EGRESS ------------------+--> egress <-----------------------'
//                              Send.RAW ----> port
//
//   egress --+--> interface --> filter --> screens --> shaper --> rewrite --> port
//            |    (zone)          |        (egress       |
//            |       |            |         zone)        |
//            |       v            v           v          v
//            |     drop         drop        drop       drop
//            '--> fabric: encapsulate --> port to the NPU with the egress interface
//
// Each box is one control, in the file of its name. Stages do not act on a packet's fate,
// they decide it: meta.drop names why it goes no further, meta.punt why the controller
// gets it; a packet with neither has an Express Path wing and leaves. A drop beats a
// punt. The first reason found stands, and every packet ends in exactly one way, counted
// where it ends. A traced packet leaves a copy at the end of either side.
//
// Stages that an interface has no use for are stepped over by one comparison.
//
// Numbers shared with the controller are in ids.p4, sizes in sizes.p4; the contract with
// the controller is docs/ARCHITECTURE.md.
#include <core.p4>
#include <v1model.p4>

#include "ids.p4"
#include "sizes.p4"
#include "headers.p4"
#include "parser.p4"
#include "checksum.p4"
#include "interface.p4"
#include "sanity.p4"
#include "fragments.p4"
#include "screens.p4"
#include "spoofing.p4"
#include "thresholds.p4"
#include "floods.p4"
#include "scans.p4"
#include "session_limits.p4"
#include "ingress_screens.p4"
#include "egress_screens.p4"
#include "filter.p4"
#include "session.p4"
#include "distribution.p4"
#include "express.p4"
#include "class_of_service.p4"
#include "fabric.p4"
#include "syn_again.p4"
#include "punt.p4"
#include "trace.p4"
#include "accounting.p4"
#include "deparser.p4"

// What arrives by an interface.
control Arrival(inout headers_t hdr,
                inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {
    IngressInterface() ingress_interface_stage;
    TraceMark() trace_mark;
    Sanity() sanity;
    Addresses() addresses;
    Fragments() fragments;
    IngressScreens() ingress_screens;
    Classify() classify;
    InputFilter() input_filter;
    Session() session;
    FirstPacketScreens() first_packet_screens;
    Distribution() distribution_stage;
    Express() express;

    apply {
        ingress_interface_stage.apply(meta, standard_metadata);
        if (meta.drop == Drop.NONE) {
            if (meta.trace_here == 1) {
                trace_mark.apply(hdr, meta, standard_metadata);
            }
            sanity.apply(hdr, meta, standard_metadata);
        }
        if (meta.drop == Drop.NONE && meta.punt == Punt.NONE) {
            if (meta.fragment == 1) {
                bit<16> place = meta.token;
                addresses.apply(hdr, meta);
                fragments.apply(meta, place);
            }
            if (meta.screens != 0) {
                ingress_screens.apply(hdr, meta);
            }
            if (meta.drop == Drop.NONE && meta.features == 1) {
                classify.apply(hdr, meta);
                input_filter.apply(hdr, meta);
            }
            if (meta.drop == Drop.NONE && meta.punt == Punt.NONE) {
                session.apply(hdr, meta);
                if (meta.punt == Punt.NONE) {
                    express.apply(hdr, meta, standard_metadata);
                } else if (meta.punt == Punt.MISS) {
                    if ((meta.screens & (SCAN_SCREENS | LIMIT_SCREENS)) != 0) {
                        first_packet_screens.apply(hdr, meta);
                    }
                    distribution_stage.apply(meta);
                }
            }
        }
    }
}

control NpuIngress(inout headers_t hdr,
                   inout metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    Arrived() arrived_count;
    Arrival() arrival;
    FabricArrival() fabric_arrival;
    PacketOut() packet_out_stage;
    PuntToController() punt;
    CopyIngress() copy;
    IngressScreenHits() hits;
    IngressDrop() drop;
    Queue() queue;

    apply {
        meta.now = standard_metadata.ingress_global_timestamp[31:0];
        arrived_count.apply(standard_metadata);
        if (hdr.packet_out_header.isValid()) {
            packet_out_stage.apply(hdr, meta, standard_metadata);
        } else if (hdr.fabric.isValid()
                   || standard_metadata.ingress_port >= FIRST_FABRIC_PORT) {
            fabric_arrival.apply(hdr, meta, standard_metadata);
        } else {
            arrival.apply(hdr, meta, standard_metadata);
        }

        if (meta.drop == Drop.NONE && (meta.punt != Punt.NONE || meta.trace == 1)) {
            punt.apply(hdr, meta, standard_metadata);
        }
        if (meta.trace == 1 && !hdr.packet_out_header.isValid()) {
            copy.apply(hdr, meta, standard_metadata);
        }
        hits.apply(meta);
        if (meta.drop != Drop.NONE) {
            drop.apply(meta, standard_metadata);
        }
        queue.apply(meta, standard_metadata);
    }
}

// What leaves by an interface.
control Departure(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    EgressInterface() egress_interface_stage;
    OutputFilter() output_filter;
    EgressScreens() egress_screens;
    EgressScreenHits() hits;
    Shape() shape;
    Rewrite() rewrite;

    apply {
        egress_interface_stage.apply(meta, standard_metadata);
        if (meta.drop == Drop.NONE && meta.features == 1) {
            output_filter.apply(hdr, meta);
        }
        if (meta.drop == Drop.NONE && meta.screens != 0) {
            egress_screens.apply(hdr, meta);
            hits.apply(meta);
        }
        if (meta.drop == Drop.NONE && meta.features == 1) {
            if (meta.shaper != 0) {
                shape.apply(meta);
            }
            if (meta.drop == Drop.NONE && meta.dscp_rewrite != 0) {
                rewrite.apply(hdr, meta);
            }
        }
    }
}

control NpuEgress(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    Departure() departure;
    FabricDeparture() fabric_departure;
    PacketIn() packet_in_stage;
    CopyEgress() copy;
    Forwarded() forwarded_count;
    EgressDrop() drop;

    apply {
        if (standard_metadata.egress_port == CPU_PORT) {
            packet_in_stage.apply(hdr, meta, standard_metadata);
        } else {
            if (meta.remote_port != 0) {
                fabric_departure.apply(hdr, meta);
            } else if (meta.raw == 0) {
                departure.apply(hdr, meta, standard_metadata);
            }
            if (meta.trace == 1 || meta.drop == Drop.FILTER_REJECT) {
                copy.apply(meta, standard_metadata);
            }
            if (meta.drop == Drop.NONE) {
                forwarded_count.apply(standard_metadata);
            } else {
                drop.apply(meta, standard_metadata);
            }
        }
    }
}

V1Switch(NpuParser(),
         NpuVerifyChecksum(),
         NpuIngress(),
         NpuEgress(),
         NpuComputeChecksum(),
         NpuDeparser()) main;
