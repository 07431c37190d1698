// What became of every packet. Each is counted once when it arrives, and once where its
// way ends: dropped on either side under its reason, punted under its reason (punt.p4),
// or forwarded by its port.
#ifndef _ACCOUNTING_P4_
#define _ACCOUNTING_P4_

#define COUNT_SCREEN(counter, n) \
    if (meta.screen_hits[n:n] == 1) { counter.count(cell + n); }

control Arrived(inout standard_metadata_t standard_metadata) {
    @brief("Packets that arrived, by port; from the controller too.")
    counter(PORTS, CounterType.packets_and_bytes) arrived;

    apply {
        arrived.count((bit<32>)standard_metadata.ingress_port);
    }
}

control IngressDrop(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    @brief("Packets dropped on the ingress side, by Drop.")
    counter(REASONS, CounterType.packets) drops;

    apply {
        drops.count((bit<32>)(bit<8>)meta.drop);
        mark_to_drop(standard_metadata);
    }
}

control EgressDrop(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    @brief("Packets dropped on the egress side, by Drop.")
    counter(REASONS, CounterType.packets) egress_drops;

    apply {
        egress_drops.count((bit<32>)(bit<8>)meta.drop);
        mark_to_drop(standard_metadata);
    }
}

control Forwarded(inout standard_metadata_t standard_metadata) {
    @brief("Packets that leave, by port; not those for the controller.")
    counter(PORTS, CounterType.packets_and_bytes) forwarded;

    apply {
        forwarded.count((bit<32>)standard_metadata.egress_port);
    }
}

// A packet may be found by many screens that only raise an alarm, so every bit counts.
control IngressScreenHits(inout metadata_t meta) {
    @brief("Packets that a screen of the ingress zone found: zone * 64 + screen bit.")
    counter(ZONES_SCREENS, CounterType.packets) screen_hits;

    apply {
        if (meta.screen_hits != 0) {
            bit<32> cell = (bit<32>)meta.zone * SCREENS_A_ZONE;
            if (meta.screen_hits[7:0] != 0) {
                COUNT_SCREEN(screen_hits, 0) COUNT_SCREEN(screen_hits, 1) COUNT_SCREEN(screen_hits, 2) COUNT_SCREEN(screen_hits, 3)
                COUNT_SCREEN(screen_hits, 4) COUNT_SCREEN(screen_hits, 5) COUNT_SCREEN(screen_hits, 6) COUNT_SCREEN(screen_hits, 7)
            }
            if (meta.screen_hits[15:8] != 0) {
                COUNT_SCREEN(screen_hits, 8) COUNT_SCREEN(screen_hits, 9) COUNT_SCREEN(screen_hits, 10) COUNT_SCREEN(screen_hits, 11)
                COUNT_SCREEN(screen_hits, 12) COUNT_SCREEN(screen_hits, 13) COUNT_SCREEN(screen_hits, 14) COUNT_SCREEN(screen_hits, 15)
            }
            if (meta.screen_hits[23:16] != 0) {
                COUNT_SCREEN(screen_hits, 16) COUNT_SCREEN(screen_hits, 17) COUNT_SCREEN(screen_hits, 18) COUNT_SCREEN(screen_hits, 19)
                COUNT_SCREEN(screen_hits, 20) COUNT_SCREEN(screen_hits, 21) COUNT_SCREEN(screen_hits, 22) COUNT_SCREEN(screen_hits, 23)
            }
            if (meta.screen_hits[31:24] != 0) {
                COUNT_SCREEN(screen_hits, 24) COUNT_SCREEN(screen_hits, 25) COUNT_SCREEN(screen_hits, 26) COUNT_SCREEN(screen_hits, 27)
                COUNT_SCREEN(screen_hits, 28) COUNT_SCREEN(screen_hits, 29) COUNT_SCREEN(screen_hits, 30) COUNT_SCREEN(screen_hits, 31)
            }
            if (meta.screen_hits[39:32] != 0) {
                COUNT_SCREEN(screen_hits, 32) COUNT_SCREEN(screen_hits, 33) COUNT_SCREEN(screen_hits, 34) COUNT_SCREEN(screen_hits, 35)
                COUNT_SCREEN(screen_hits, 36) COUNT_SCREEN(screen_hits, 37) COUNT_SCREEN(screen_hits, 38) COUNT_SCREEN(screen_hits, 39)
            }
            if (meta.screen_hits[47:40] != 0) {
                COUNT_SCREEN(screen_hits, 40) COUNT_SCREEN(screen_hits, 41) COUNT_SCREEN(screen_hits, 42) COUNT_SCREEN(screen_hits, 43)
                COUNT_SCREEN(screen_hits, 44) COUNT_SCREEN(screen_hits, 45) COUNT_SCREEN(screen_hits, 46)
            }
        }
    }
}

control EgressScreenHits(inout metadata_t meta) {
    @brief("Packets that a screen of the egress zone found: zone * 64 + screen bit.")
    counter(ZONES_SCREENS, CounterType.packets) egress_screen_hits;

    apply {
        if (meta.screen_hits != 0) {
            bit<32> cell = (bit<32>)meta.zone * SCREENS_A_ZONE;
            if (meta.screen_hits[7:0] != 0) {
                COUNT_SCREEN(egress_screen_hits, 0) COUNT_SCREEN(egress_screen_hits, 1) COUNT_SCREEN(egress_screen_hits, 2) COUNT_SCREEN(egress_screen_hits, 3)
                COUNT_SCREEN(egress_screen_hits, 4) COUNT_SCREEN(egress_screen_hits, 5) COUNT_SCREEN(egress_screen_hits, 6) COUNT_SCREEN(egress_screen_hits, 7)
            }
            if (meta.screen_hits[15:8] != 0) {
                COUNT_SCREEN(egress_screen_hits, 8) COUNT_SCREEN(egress_screen_hits, 9) COUNT_SCREEN(egress_screen_hits, 10) COUNT_SCREEN(egress_screen_hits, 11)
                COUNT_SCREEN(egress_screen_hits, 12) COUNT_SCREEN(egress_screen_hits, 13) COUNT_SCREEN(egress_screen_hits, 14) COUNT_SCREEN(egress_screen_hits, 15)
            }
            if (meta.screen_hits[23:16] != 0) {
                COUNT_SCREEN(egress_screen_hits, 16) COUNT_SCREEN(egress_screen_hits, 17) COUNT_SCREEN(egress_screen_hits, 18) COUNT_SCREEN(egress_screen_hits, 19)
                COUNT_SCREEN(egress_screen_hits, 20) COUNT_SCREEN(egress_screen_hits, 21) COUNT_SCREEN(egress_screen_hits, 22) COUNT_SCREEN(egress_screen_hits, 23)
            }
            if (meta.screen_hits[31:24] != 0) {
                COUNT_SCREEN(egress_screen_hits, 24) COUNT_SCREEN(egress_screen_hits, 25) COUNT_SCREEN(egress_screen_hits, 26) COUNT_SCREEN(egress_screen_hits, 27)
                COUNT_SCREEN(egress_screen_hits, 28) COUNT_SCREEN(egress_screen_hits, 29) COUNT_SCREEN(egress_screen_hits, 30) COUNT_SCREEN(egress_screen_hits, 31)
            }
            if (meta.screen_hits[39:32] != 0) {
                COUNT_SCREEN(egress_screen_hits, 32) COUNT_SCREEN(egress_screen_hits, 33) COUNT_SCREEN(egress_screen_hits, 34) COUNT_SCREEN(egress_screen_hits, 35)
                COUNT_SCREEN(egress_screen_hits, 36) COUNT_SCREEN(egress_screen_hits, 37) COUNT_SCREEN(egress_screen_hits, 38) COUNT_SCREEN(egress_screen_hits, 39)
            }
            if (meta.screen_hits[47:40] != 0) {
                COUNT_SCREEN(egress_screen_hits, 40) COUNT_SCREEN(egress_screen_hits, 41) COUNT_SCREEN(egress_screen_hits, 42) COUNT_SCREEN(egress_screen_hits, 43)
                COUNT_SCREEN(egress_screen_hits, 44) COUNT_SCREEN(egress_screen_hits, 45) COUNT_SCREEN(egress_screen_hits, 46)
            }
        }
    }
}

#endif
