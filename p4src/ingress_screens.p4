// The screens of the zone that a packet comes from.
#ifndef _INGRESS_SCREENS_P4_
#define _INGRESS_SCREENS_P4_

// Before the session lookup. What screens that see one packet drop is not counted
// towards a flood.
control IngressScreens(inout headers_t hdr, inout metadata_t meta) {
    ScreenPredicates() predicates;
    IngressReversePath() reverse_path;
    ScreenVerdict() verdict;
    Countable() does_it_count;
    Addresses() addresses;
    IngressThresholds() thresholds;
    Floods() floods;
    ScreenVerdict() flood_verdict;

    apply {
        bit<64> hits;
        predicates.apply(hdr, meta, hits);
        if ((meta.screens & SPOOFING) != 0) {
            bit<8> reverse;
            reverse_path.apply(hdr, meta, reverse);
            if (reverse != meta.zone) {
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
                    floods.apply(hdr, meta, 1, hits);
                }
            }
            if (hits != 0) {
                flood_verdict.apply(meta, hits);
            }
        }
    }
}

// Behind a miss of the session lookup.
control FirstPacketScreens(inout headers_t hdr, inout metadata_t meta) {
    Countable() does_it_count;
    Addresses() addresses;
    Scans() scans;
    SessionLimits() limits;
    ScreenVerdict() verdict;

    apply {
        bit<64> hits = 0;
        bit<1> countable;
        addresses.apply(hdr, meta);
        does_it_count.apply(hdr, countable);
        if (countable == 1) {
            scans.apply(hdr, meta, 1, hits);
        }
        if ((hits & SYN_FLOOD_ATTACK & ~meta.alarm_only) != 0) {
            meta.punt = Punt.SYN_PROXY;
        }
        if ((meta.screens & LIMIT_SCREENS) != 0) {
            limits.apply(meta, hits);
        }
        hits = hits & meta.screens;
        if (hits != 0) {
            verdict.apply(meta, hits);
        }
    }
}

#endif
