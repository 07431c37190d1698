// The network processing unit: one I/O card of the firewall.
//
//   port --> interface --> sanity --> screens --> session --+--> express --> egress
//            (token,       |  |       (ingress   (six       |
//             zone)        |  |        zone)      criteria) +--> owner SPU --.
//               |          |  |          |                  |                 |
//               v          v  |          v                  +--> CP ----------+--> CPU port
//             drop       drop |        drop                  (miss)           |
//                             '--> ARP, ND -----------------------------------'
//
//   fabric port --> fabric: strip ------------------------------------------> egress
//   CPU port ----> packet-out: Send.EGRESS -----------------------------------> egress
//                              Send.RAW ---------------------------------------> port
//
//   egress --+--> interface --> screens --> port
//            |    (zone)        (egress zone)
//            |       |             |
//            |       v             v
//            |     drop          drop
//            '--> fabric: encapsulate --> port to the NPU with the egress interface
//
// Each box is one control, in the file of its name. Stages do not act on a packet's fate,
// they decide it: meta.drop names why it goes no further, meta.punt why the controller
// gets it; a packet with neither has an Express Path wing and leaves. A drop beats a
// punt. The first reason found stands, and every packet ends in exactly one way, counted
// where it ends.
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
#include "screens.p4"
#include "session.p4"
#include "express.p4"
#include "fabric.p4"
#include "punt.p4"
#include "accounting.p4"
#include "deparser.p4"

control NpuIngress(inout headers_t hdr,
                   inout metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    IngressInterface() ingress_interface_stage;
    Sanity() sanity;
    IngressScreens() ingress_screens;
    Session() session;
    Express() express;
    FabricArrival() fabric_arrival;
    PacketOut() packet_out_stage;
    PuntToController() punt;
    IngressAccounting() ingress_accounting;

    apply {
        if (hdr.packet_out_header.isValid()) {
            packet_out_stage.apply(hdr, meta, standard_metadata);
        } else if (hdr.fabric.isValid()
                   || standard_metadata.ingress_port >= FIRST_FABRIC_PORT) {
            fabric_arrival.apply(hdr, meta, standard_metadata);
        } else {
            ingress_interface_stage.apply(meta, standard_metadata);
            if (meta.drop == Drop.NONE) {
                sanity.apply(hdr, meta, standard_metadata);
            }
            if (meta.drop == Drop.NONE && meta.punt == Punt.NONE) {
                ingress_screens.apply(hdr, meta);
                if (meta.drop == Drop.NONE) {
                    session.apply(hdr, meta);
                    if (meta.punt == Punt.NONE) {
                        express.apply(hdr, meta, standard_metadata);
                    }
                }
            }
        }

        if (meta.drop != Drop.NONE) {
            ingress_accounting.apply(meta, standard_metadata);
        } else if (meta.punt != Punt.NONE) {
            punt.apply(meta, standard_metadata);
        }
    }
}

control NpuEgress(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    EgressInterface() egress_interface_stage;
    EgressScreens() egress_screens;
    FabricDeparture() fabric_departure;
    PacketIn() packet_in_stage;
    EgressAccounting() egress_accounting;

    apply {
        if (standard_metadata.egress_port == CPU_PORT) {
            packet_in_stage.apply(hdr, meta, standard_metadata);
        } else if (meta.remote_port != 0) {
            fabric_departure.apply(hdr, meta);
        } else if (meta.raw == 0) {
            egress_interface_stage.apply(meta, standard_metadata);
            if (meta.drop == Drop.NONE) {
                egress_screens.apply(hdr, meta);
            }
            if (meta.drop != Drop.NONE) {
                egress_accounting.apply(meta, standard_metadata);
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
