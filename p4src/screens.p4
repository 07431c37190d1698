// Screens that need to see one packet only. Each has a bit in the profile of the
// packet's zone (meta.screens), and the same bit in meta.alarm_only lets what it finds
// pass. The same screens stand on the way in and on the way out; only the counters
// differ.
#ifndef _SCREENS_P4_
#define _SCREENS_P4_

// A screen's bit: its number in Drop less that of the first, SCREEN_LAND.
const bit<32> LAND             = 32w1 << 0;
const bit<32> SYN_FIN          = 32w1 << 1;
const bit<32> TCP_NO_FLAG      = 32w1 << 2;
const bit<32> PING_DEATH       = 32w1 << 3;
const bit<32> FIN_NO_ACK       = 32w1 << 4;
const bit<32> WINNUKE          = 32w1 << 5;
const bit<32> ICMP_FRAGMENT    = 32w1 << 6;
const bit<32> ICMP_LARGE       = 32w1 << 7;
const bit<32> BLOCK_FRAG       = 32w1 << 8;
const bit<32> UNKNOWN_PROTOCOL = 32w1 << 9;
const bit<32> SYN_FRAG         = 32w1 << 10;

const bit<16> WINNUKE_PORT = 139;             // NetBIOS session service
const bit<16> ICMP_LARGE_BYTES = 1024;
const bit<32> REASSEMBLED_BYTES = 65535;      // the most an IP packet can be
const bit<8> FIRST_UNKNOWN_PROTOCOL = 137;

// What each screen looks for. Leaves in meta.screen_hits those that found it, of the
// ones that are switched on.
control ScreenPredicates(inout headers_t hdr, inout metadata_t meta) {
    apply {
        bit<32> hits = 0;
        bit<1> same_address = 0;
        bit<1> icmp = 0;

        if (hdr.ipv4.isValid()) {
            if (hdr.ipv4.src_addr == hdr.ipv4.dst_addr) {
                same_address = 1;
            }
            if (meta.protocol == PROTOCOL_ICMP) {
                icmp = 1;
            }
        } else if (hdr.ipv6.isValid()) {
            if (hdr.ipv6.src_addr == hdr.ipv6.dst_addr) {
                same_address = 1;
            }
            if (meta.protocol == PROTOCOL_ICMPV6) {
                icmp = 1;
            }
        }

        if (hdr.tcp.isValid()) {
            if ((hdr.tcp.flags & TCP_SYN) != 0) {
                if (same_address == 1) {
                    hits = hits | LAND;
                }
                if ((hdr.tcp.flags & TCP_FIN) != 0) {
                    hits = hits | SYN_FIN;
                }
                if (meta.fragment == 1) {
                    hits = hits | SYN_FRAG;
                }
            }
            if ((hdr.tcp.flags & TCP_STATE_FLAGS) == 0) {
                hits = hits | TCP_NO_FLAG;
            }
            if ((hdr.tcp.flags & (TCP_FIN | TCP_ACK)) == TCP_FIN) {
                hits = hits | FIN_NO_ACK;
            }
            if ((hdr.tcp.flags & TCP_URG) != 0 && meta.dst_port == WINNUKE_PORT) {
                hits = hits | WINNUKE;
            }
        } else if (icmp == 1) {
            if (meta.l4_length > ICMP_LARGE_BYTES) {
                hits = hits | ICMP_LARGE;
            }
            if (meta.fragment == 1) {
                hits = hits | ICMP_FRAGMENT;
            }
            // The last fragment tells how long the whole will be.
            if (((bit<32>)meta.fragment_offset << 3) + (bit<32>)meta.l4_length
                > REASSEMBLED_BYTES) {
                hits = hits | PING_DEATH;
            }
        }

        if (meta.fragment == 1) {
            hits = hits | BLOCK_FRAG;
        }
        if (meta.protocol >= FIRST_UNKNOWN_PROTOCOL) {
            hits = hits | UNKNOWN_PROTOCOL;
        }

        meta.screen_hits = hits & meta.screens;
    }
}

// Screens stand in line, lowest bit first. Those that only raise an alarm are counted
// and passed; the first that does not ends the packet's way, and none behind it sees it.
control ScreenVerdict(inout metadata_t meta) {
    apply {
        bit<32> dropping = meta.screen_hits & ~meta.alarm_only;
        if (dropping != 0) {
            // x & -x keeps the lowest bit of x; that less one has all bits below it.
            bit<32> first = dropping & (~dropping + 1);
            meta.screen_hits = meta.screen_hits & (first | (first - 1));
            if (first == LAND) {
                meta.drop = Drop.SCREEN_LAND;
            } else if (first == SYN_FIN) {
                meta.drop = Drop.SCREEN_SYN_FIN;
            } else if (first == TCP_NO_FLAG) {
                meta.drop = Drop.SCREEN_TCP_NO_FLAG;
            } else if (first == PING_DEATH) {
                meta.drop = Drop.SCREEN_PING_DEATH;
            } else if (first == FIN_NO_ACK) {
                meta.drop = Drop.SCREEN_FIN_NO_ACK;
            } else if (first == WINNUKE) {
                meta.drop = Drop.SCREEN_WINNUKE;
            } else if (first == ICMP_FRAGMENT) {
                meta.drop = Drop.SCREEN_ICMP_FRAGMENT;
            } else if (first == ICMP_LARGE) {
                meta.drop = Drop.SCREEN_ICMP_LARGE;
            } else if (first == BLOCK_FRAG) {
                meta.drop = Drop.SCREEN_BLOCK_FRAG;
            } else if (first == UNKNOWN_PROTOCOL) {
                meta.drop = Drop.SCREEN_UNKNOWN_PROTOCOL;
            } else {
                meta.drop = Drop.SCREEN_SYN_FRAG;
            }
        }
    }
}

// Screens of the zone a packet comes from.
control IngressScreens(inout headers_t hdr, inout metadata_t meta) {
    @brief("Packets that a screen of the ingress zone found: zone * 32 + screen bit.")
    counter(ZONES_SCREENS, CounterType.packets) screen_hits;

    ScreenPredicates() predicates;
    ScreenVerdict() verdict;

    apply {
        if (meta.screens != 0) {
            predicates.apply(hdr, meta);
            if (meta.screen_hits != 0) {
                verdict.apply(meta);
                bit<32> cell = (bit<32>)meta.zone * SCREENS_A_ZONE;
                if ((meta.screen_hits & LAND) != 0) {
                    screen_hits.count(cell);
                }
                if ((meta.screen_hits & SYN_FIN) != 0) {
                    screen_hits.count(cell + 1);
                }
                if ((meta.screen_hits & TCP_NO_FLAG) != 0) {
                    screen_hits.count(cell + 2);
                }
                if ((meta.screen_hits & PING_DEATH) != 0) {
                    screen_hits.count(cell + 3);
                }
                if ((meta.screen_hits & FIN_NO_ACK) != 0) {
                    screen_hits.count(cell + 4);
                }
                if ((meta.screen_hits & WINNUKE) != 0) {
                    screen_hits.count(cell + 5);
                }
                if ((meta.screen_hits & ICMP_FRAGMENT) != 0) {
                    screen_hits.count(cell + 6);
                }
                if ((meta.screen_hits & ICMP_LARGE) != 0) {
                    screen_hits.count(cell + 7);
                }
                if ((meta.screen_hits & BLOCK_FRAG) != 0) {
                    screen_hits.count(cell + 8);
                }
                if ((meta.screen_hits & UNKNOWN_PROTOCOL) != 0) {
                    screen_hits.count(cell + 9);
                }
                if ((meta.screen_hits & SYN_FRAG) != 0) {
                    screen_hits.count(cell + 10);
                }
            }
        }
    }
}

// Screens of the zone a packet goes to: packets that Express Path forwards, that the
// fabric brings, and that an SPU sends out.
control EgressScreens(inout headers_t hdr, inout metadata_t meta) {
    @brief("Packets that a screen of the egress zone found: zone * 32 + screen bit.")
    counter(ZONES_SCREENS, CounterType.packets) egress_screen_hits;

    ScreenPredicates() predicates;
    ScreenVerdict() verdict;

    apply {
        if (meta.screens != 0) {
            predicates.apply(hdr, meta);
            if (meta.screen_hits != 0) {
                verdict.apply(meta);
                bit<32> cell = (bit<32>)meta.zone * SCREENS_A_ZONE;
                if ((meta.screen_hits & LAND) != 0) {
                    egress_screen_hits.count(cell);
                }
                if ((meta.screen_hits & SYN_FIN) != 0) {
                    egress_screen_hits.count(cell + 1);
                }
                if ((meta.screen_hits & TCP_NO_FLAG) != 0) {
                    egress_screen_hits.count(cell + 2);
                }
                if ((meta.screen_hits & PING_DEATH) != 0) {
                    egress_screen_hits.count(cell + 3);
                }
                if ((meta.screen_hits & FIN_NO_ACK) != 0) {
                    egress_screen_hits.count(cell + 4);
                }
                if ((meta.screen_hits & WINNUKE) != 0) {
                    egress_screen_hits.count(cell + 5);
                }
                if ((meta.screen_hits & ICMP_FRAGMENT) != 0) {
                    egress_screen_hits.count(cell + 6);
                }
                if ((meta.screen_hits & ICMP_LARGE) != 0) {
                    egress_screen_hits.count(cell + 7);
                }
                if ((meta.screen_hits & BLOCK_FRAG) != 0) {
                    egress_screen_hits.count(cell + 8);
                }
                if ((meta.screen_hits & UNKNOWN_PROTOCOL) != 0) {
                    egress_screen_hits.count(cell + 9);
                }
                if ((meta.screen_hits & SYN_FRAG) != 0) {
                    egress_screen_hits.count(cell + 10);
                }
            }
        }
    }
}

#endif
