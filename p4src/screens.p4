// Screens that need to see one packet only, and what all screens share. Each has a bit
// in the profile of the packet's zone (meta.screens), and the same bit in
// meta.alarm_only lets what it finds pass. The same screens stand on the way in and on
// the way out, each with memory and counters of its own: ingress_screens.p4 and
// egress_screens.p4 put them together.
#ifndef _SCREENS_P4_
#define _SCREENS_P4_

// A screen's bit: its number in Drop less that of the first, SCREEN_LAND.
const bit<64> LAND                      = 64w1 << 0;
const bit<64> SYN_FIN                   = 64w1 << 1;
const bit<64> TCP_NO_FLAG               = 64w1 << 2;
const bit<64> PING_DEATH                = 64w1 << 3;
const bit<64> FIN_NO_ACK                = 64w1 << 4;
const bit<64> WINNUKE                   = 64w1 << 5;
const bit<64> ICMP_FRAGMENT             = 64w1 << 6;
const bit<64> ICMP_LARGE                = 64w1 << 7;
const bit<64> BLOCK_FRAG                = 64w1 << 8;
const bit<64> UNKNOWN_PROTOCOL          = 64w1 << 9;
const bit<64> SYN_FRAG                  = 64w1 << 10;
const bit<64> ICMPV6_MALFORMED          = 64w1 << 11;
const bit<64> BAD_OPTION                = 64w1 << 12;
const bit<64> RECORD_ROUTE              = 64w1 << 13;
const bit<64> TIMESTAMP                 = 64w1 << 14;
const bit<64> SECURITY                  = 64w1 << 15;
const bit<64> STREAM                    = 64w1 << 16;
const bit<64> LOOSE_SOURCE_ROUTE        = 64w1 << 17;
const bit<64> STRICT_SOURCE_ROUTE       = 64w1 << 18;
const bit<64> SOURCE_ROUTE              = 64w1 << 19;
@noWarn("unused") const bit<64> IPV6_HOP_BY_HOP           = 64w1 << 20;
@noWarn("unused") const bit<64> IPV6_ROUTING              = 64w1 << 21;
@noWarn("unused") const bit<64> IPV6_FRAGMENT             = 64w1 << 22;
@noWarn("unused") const bit<64> IPV6_ESP                  = 64w1 << 23;
@noWarn("unused") const bit<64> IPV6_AH                   = 64w1 << 24;
@noWarn("unused") const bit<64> IPV6_NO_NEXT              = 64w1 << 25;
@noWarn("unused") const bit<64> IPV6_DESTINATION          = 64w1 << 26;
@noWarn("unused") const bit<64> IPV6_MOBILITY             = 64w1 << 27;
@noWarn("unused") const bit<64> IPV6_HIP                  = 64w1 << 28;
@noWarn("unused") const bit<64> IPV6_SHIM6                = 64w1 << 29;
const bit<64> IPV6_EXTENSION_LIMIT      = 64w1 << 30;
const bit<64> IPV6_MALFORMED_HEADER     = 64w1 << 31;
const bit<64> SPOOFING                  = 64w1 << 32;
const bit<64> TEAR_DROP                 = 64w1 << 33;
const bit<64> ICMP_FLOOD                = 64w1 << 34;
const bit<64> UDP_FLOOD                 = 64w1 << 35;
const bit<64> SYN_FLOOD_SOURCE          = 64w1 << 36;
const bit<64> SYN_FLOOD_DESTINATION     = 64w1 << 37;
const bit<64> SYN_FLOOD_ATTACK          = 64w1 << 38;
const bit<64> IP_SWEEP                  = 64w1 << 39;
const bit<64> TCP_SWEEP                 = 64w1 << 40;
const bit<64> UDP_SWEEP                 = 64w1 << 41;
const bit<64> PORT_SCAN                 = 64w1 << 42;
const bit<64> UDP_PORT_SCAN             = 64w1 << 43;
const bit<64> SESSION_LIMIT_SOURCE      = 64w1 << 44;
const bit<64> SESSION_LIMIT_DESTINATION = 64w1 << 45;
const bit<64> SYN_FLOOD_ALARM           = 64w1 << 46;

// These detect and count, whatever alarm_only says.
const bit<64> NEVER_DROP = LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE | SYN_FLOOD_ATTACK
    | SYN_FLOOD_ALARM;
// Those that count packets over time, before the session lookup.
const bit<64> FLOOD_SCREENS = ICMP_FLOOD | UDP_FLOOD | SYN_FLOOD_SOURCE
    | SYN_FLOOD_DESTINATION;
// Those that look at first packets of flows.
const bit<64> SCAN_SCREENS = IP_SWEEP | TCP_SWEEP | UDP_SWEEP | PORT_SCAN | UDP_PORT_SCAN
    | SYN_FLOOD_ATTACK | SYN_FLOOD_ALARM;
const bit<64> LIMIT_SCREENS = SESSION_LIMIT_SOURCE | SESSION_LIMIT_DESTINATION;
// Those that look into IPv4 options.
const bit<64> OPTION_SCREENS = BAD_OPTION | RECORD_ROUTE | TIMESTAMP | SECURITY | STREAM
    | LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE | SOURCE_ROUTE;
// meta.extensions_seen, shifted so far, lines up with IPV6_HOP_BY_HOP and what follows.
const bit<8> FIRST_EXTENSION_SCREEN = 20;

const bit<16> WINNUKE_PORT = 139;             // NetBIOS session service
const bit<16> ICMP_LARGE_BYTES = 1024;
const bit<32> REASSEMBLED_BYTES = 65535;      // the most an IP packet can be
const bit<8> FIRST_UNKNOWN_PROTOCOL = 137;

const bit<8> OPTION_END           = 0;
const bit<8> OPTION_NO_OPERATION  = 1;
const bit<8> OPTION_RECORD_ROUTE  = 7;
const bit<8> OPTION_TIMESTAMP     = 68;
const bit<8> OPTION_SECURITY      = 130;
const bit<8> OPTION_LOOSE_ROUTE   = 131;
const bit<8> OPTION_STREAM        = 136;
const bit<8> OPTION_STRICT_ROUTE  = 137;

// One step through a list of IPv4 options (RFC 791, 3.1): the first of what is left is
// judged and taken off.
control OptionStep(inout metadata_t meta, inout bit<64> hits) {
    apply {
        bit<8> kind = meta.options[319:312];
        bit<8> bytes = meta.options[311:304];
        if (meta.options_left != 0) {
            if (kind == OPTION_END) {
                meta.options_left = 0;
            } else if (kind == OPTION_NO_OPERATION) {
                meta.options_left = meta.options_left - 1;
                meta.options = meta.options << 8;
            } else if (meta.options_left < 2 || bytes < 2 || bytes > meta.options_left) {
                hits = hits | BAD_OPTION;
                meta.options_left = 0;
            } else {
                if (kind == OPTION_RECORD_ROUTE) {
                    hits = hits | RECORD_ROUTE;
                } else if (kind == OPTION_TIMESTAMP) {
                    hits = hits | TIMESTAMP;
                } else if (kind == OPTION_SECURITY) {
                    hits = hits | SECURITY;
                } else if (kind == OPTION_STREAM) {
                    hits = hits | STREAM;
                } else if (kind == OPTION_LOOSE_ROUTE) {
                    hits = hits | LOOSE_SOURCE_ROUTE | SOURCE_ROUTE;
                } else if (kind == OPTION_STRICT_ROUTE) {
                    hits = hits | STRICT_SOURCE_ROUTE | SOURCE_ROUTE;
                }
                // Those with a pointer have it behind the length, and it starts behind
                // itself.
                if ((kind == OPTION_RECORD_ROUTE || kind == OPTION_LOOSE_ROUTE
                     || kind == OPTION_STRICT_ROUTE)
                    && (bytes < 3 || meta.options[303:296] < 4)
                    || kind == OPTION_TIMESTAMP
                    && (bytes < 4 || meta.options[303:296] < 5)) {
                    hits = hits | BAD_OPTION;
                }
                meta.options_left = meta.options_left - bytes;
                // By halves: 8 bits hold no shift by more than 31 bytes.
                meta.options = meta.options << (bytes << 2);
                meta.options = meta.options << (bytes << 2);
            }
        }
    }
}

// Eight steps; a list that is longer has no business here and counts as bad.
control Options(inout metadata_t meta, inout bit<64> hits) {
    OptionStep() first;
    OptionStep() second;
    OptionStep() third;
    OptionStep() fourth;
    OptionStep() fifth;
    OptionStep() sixth;
    OptionStep() seventh;
    OptionStep() eighth;

    apply {
        // Bits to the left end: 40 bytes less those there are. In two halves, for targets
        // shift by no more than 255.
        bit<8> half = (40 - meta.options_left) << 2;
        meta.options = meta.options << half;
        meta.options = meta.options << half;

        first.apply(meta, hits);
        second.apply(meta, hits);
        third.apply(meta, hits);
        fourth.apply(meta, hits);
        if (meta.options_left != 0) {
            fifth.apply(meta, hits);
            sixth.apply(meta, hits);
            seventh.apply(meta, hits);
            eighth.apply(meta, hits);
            // What is left may be padding.
            if (meta.options_left != 0 && meta.options != 0) {
                hits = hits | BAD_OPTION;
            }
        }
    }
}

// Message types and codes that ICMPv6 knows, and lengths that they need (RFC 4443, RFC
// 4861). The checksum is the receiver's to judge: it covers the payload.
control Icmpv6Malformed(inout headers_t hdr, inout metadata_t meta, inout bit<64> hits) {
    apply {
        bit<8> type = hdr.icmp.icmp_type;
        bit<8> code = hdr.icmp.icmp_code;
        if (type == 0 || type == 127 || type == 255
            || type == ICMPV6_UNREACHABLE && code > 8
            || type == ICMPV6_TOO_BIG && code != 0
            || type == ICMPV6_TIME_EXCEEDED && code > 1
            || type == ICMPV6_PARAMETER && code > 10
            || (type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY) && code != 0
            || type >= ND_ROUTER_SOLICITATION && type <= ND_REDIRECT
            && (code != 0 || hdr.ipv6.hop_limit != ND_HOP_LIMIT || meta.fragment == 1)) {
            hits = hits | ICMPV6_MALFORMED;
        }
    }
}

// What each screen looks for: those that found it, switched on or not.
control ScreenPredicates(inout headers_t hdr, inout metadata_t meta, out bit<64> hits) {
    Options() options;
    Icmpv6Malformed() icmpv6_malformed;

    apply {
        bit<1> same_address = 0;
        bit<1> icmp = 0;
        hits = 0;

        if (hdr.ipv4.isValid()) {
            if (hdr.ipv4.src_addr == hdr.ipv4.dst_addr) {
                same_address = 1;
            }
            if (meta.protocol == PROTOCOL_ICMP) {
                icmp = 1;
            }
            if (meta.options_left != 0 && (meta.screens & OPTION_SCREENS) != 0) {
                options.apply(meta, hits);
            }
        } else if (hdr.ipv6.isValid()) {
            if (hdr.ipv6.src_addr == hdr.ipv6.dst_addr) {
                same_address = 1;
            }
            if (meta.protocol == PROTOCOL_ICMPV6) {
                icmp = 1;
                if (hdr.icmp.isValid()) {
                    icmpv6_malformed.apply(hdr, meta, hits);
                }
            }
            if (meta.extensions_seen != 0) {
                hits = hits | (bit<64>)meta.extensions_seen << FIRST_EXTENSION_SCREEN;
                if ((bit<8>)meta.extensions > meta.extension_limit) {
                    hits = hits | IPV6_EXTENSION_LIMIT;
                }
                if (meta.extension_malformed == 1) {
                    hits = hits | IPV6_MALFORMED_HEADER;
                }
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
        if (meta.fragment_overlap == 1) {
            hits = hits | TEAR_DROP;
        }
        if (meta.protocol >= FIRST_UNKNOWN_PROTOCOL) {
            hits = hits | UNKNOWN_PROTOCOL;
        }
    }
}

// Screens stand in line, lowest bit first. Those that only raise an alarm are counted
// and passed; the first that does not ends the packet's way, and none behind it sees it.
control ScreenVerdict(inout metadata_t meta, in bit<64> hits) {
    apply {
        bit<64> dropping = hits & ~meta.alarm_only & ~NEVER_DROP;
        if (dropping == 0) {
            meta.screen_hits = meta.screen_hits | hits;
        } else {
            // x & -x keeps the lowest bit of x; that less one has all bits below it.
            bit<64> first = dropping & (~dropping + 1);
            bit<8> reason = (bit<8>)Drop.SCREEN_LAND;
            meta.screen_hits = meta.screen_hits | hits & (first | (first - 1));
            // The number of that bit, by halves.
            if (first[31:0] == 0) {
                reason = reason + 32;
                first = first >> 32;
            }
            if (first[15:0] == 0) {
                reason = reason + 16;
                first = first >> 16;
            }
            if (first[7:0] == 0) {
                reason = reason + 8;
                first = first >> 8;
            }
            if (first[3:0] == 0) {
                reason = reason + 4;
                first = first >> 4;
            }
            if (first[1:0] == 0) {
                reason = reason + 2;
                first = first >> 2;
            }
            if (first[0:0] == 0) {
                reason = reason + 1;
            }
            meta.drop = (Drop)reason;
        }
    }
}

#endif
