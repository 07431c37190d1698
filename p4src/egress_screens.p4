// The screens of the zone that a packet goes to: packets that Express Path forwards, that
// the fabric brings, and that an SPU sends out.
//
// They see the packet as it leaves. A source that was translated stands for many, so what
// is said of sources (spoofing, sweeps, scans, SYN by source) holds of the others only.
// There is no session lookup here, so whether a packet is the first of its flow is its
// SPU's to say; Express Path never sees one.
#ifndef _EGRESS_SCREENS_P4_
#define _EGRESS_SCREENS_P4_

control EgressScreens(inout headers_t hdr, inout metadata_t meta) {
    Addresses() fragment_addresses;
    Fragments() fragments;
    ScreenPredicates() predicates;
    EgressReversePath() reverse_path;
    ScreenVerdict() verdict;
    Countable() does_it_count;
    Addresses() addresses;
    EgressThresholds() thresholds;
    Floods() floods;
    Scans() scans;
    ScreenVerdict() rate_verdict;

    apply {
        bit<64> hits;
        bit<1> by_source = 1;
        meta.screen_hits = 0;
        if (meta.source_zone == 0 || meta.new_src_addr != meta.key_src_v4) {
            by_source = 0;
        }

        if (meta.fragment == 1 && (meta.screens & TEAR_DROP) != 0) {
            bit<16> place = (bit<16>)meta.zone;
            fragment_addresses.apply(hdr, meta);
            fragments.apply(meta, place);
        }
        predicates.apply(hdr, meta, hits);
        if (by_source == 1 && (meta.screens & SPOOFING) != 0) {
            bit<8> reverse;
            reverse_path.apply(hdr, meta, reverse);
            if (reverse != meta.source_zone) {
                hits = hits | SPOOFING;
            }
        }
        hits = hits & meta.screens;
        if (hits != 0) {
            verdict.apply(meta, hits);
        }

        if (meta.drop == Drop.NONE && (meta.screens & (FLOOD_SCREENS | SCAN_SCREENS)) != 0) {
            bit<1> countable;
            hits = 0;
            does_it_count.apply(hdr, countable);
            if (countable == 1) {
                bit<1> known;
                addresses.apply(hdr, meta);
                thresholds.apply(hdr, meta, known);
                if (known == 1) {
                    floods.apply(hdr, meta, by_source, hits);
                    if (meta.first_packet == 1) {
                        scans.apply(hdr, meta, by_source, hits);
                    }
                }
            }
            if (hits != 0) {
                rate_verdict.apply(meta, hits);
            }
        }
    }
}

#endif
