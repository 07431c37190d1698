// Screens of first packets: behind a miss of the session lookup.
//
// A sweep is one source that tries many addresses within a window, a scan is one that
// tries many ports of one address. Packets of sessions are none of it, and cost nothing.
#ifndef _SCANS_P4_
#define _SCANS_P4_

const bit<64> SWEEP_SCREENS = IP_SWEEP | TCP_SWEEP | UDP_SWEEP;
const bit<64> SCAN_SCREENS = PORT_SCAN | UDP_PORT_SCAN;
const bit<64> LIMIT_SCREENS = SESSION_LIMIT_SOURCE | SESSION_LIMIT_DESTINATION;
const bit<64> FIRST_PACKET_SCREENS = SWEEP_SCREENS | SCAN_SCREENS | LIMIT_SCREENS
    | SYN_FLOOD_ATTACK;

// So many different targets a window are let through; the next is one too many.
const bit<31> TARGETS = 10;

// Is this one target too many? A window begins with its source's first packet. A target
// that was met in this window is not counted again: its own cell holds the window's
// beginning. When there are too many, all is refused for the rest of the window.
control Distinct(in bit<32> source_index,
                 in bit<32> pair_index,
                 in bit<32> now,
                 in bit<32> window,
                 out bit<1> over) {
    // start of the window 32, too many 1, targets 31
    register<bit<64>>(RATE_CELLS) sources;
    // start of the window in which this target was last met
    register<bit<32>>(RATE_CELLS) targets;

    apply {
        bit<64> cell;
        bit<32> met;
        sources.read(cell, source_index);
        targets.read(met, pair_index);
        over = 0;
        if (cell[30:0] == 0 || now - cell[63:32] >= window) {
            cell = now ++ 32w1;
            targets.write(pair_index, now);
        } else if (cell[31:31] == 1) {
            over = 1;
        } else if (met != cell[63:32]) {
            if (cell[30:0] >= TARGETS) {
                cell[31:31] = 1;
                over = 1;
            } else {
                cell[30:0] = cell[30:0] + 1;
                targets.write(pair_index, cell[63:32]);
            }
        }
        sources.write(source_index, cell);
    }
}

// Addresses that have as many sessions as they may. The controller counts sessions; the
// NPU keeps what is in vain from it.
control SessionLimits(inout metadata_t meta, inout bit<64> hits, in bit<128> src,
                      in bit<128> dst) {
    @brief("No new session from this address.")
    action at_source_limit() {
        hits = hits | SESSION_LIMIT_SOURCE;
    }

    @brief("No new session to this address.")
    action at_destination_limit() {
        hits = hits | SESSION_LIMIT_DESTINATION;
    }

    @brief("Source addresses at their limit of sessions, by ingress zone.")
    table session_limit_source {
        key = {
            meta.zone : exact @name("zone");                              // 8
            src       : exact @name("address") @format(IPV6_ADDRESS);     // 128
        }
        actions = {
            at_source_limit;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = SESSION_LIMIT_SIZE;
    }

    @brief("Destination addresses at their limit of sessions, by ingress zone.")
    table session_limit_destination {
        key = {
            meta.zone : exact @name("zone");                              // 8
            dst       : exact @name("address") @format(IPV6_ADDRESS);     // 128
        }
        actions = {
            at_destination_limit;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = SESSION_LIMIT_SIZE;
    }

    apply {
        session_limit_source.apply();
        session_limit_destination.apply();
    }
}

control Scans(inout headers_t hdr, inout metadata_t meta) {
    Distinct() sweep;
    Distinct() scan;
    Rate() attack;
    SessionLimits() limits;
    ScreenVerdict() verdict;

    apply {
        bit<64> hits = 0;
        bit<64> sweep_screen = 0;
        bit<64> scan_screen = 0;
        bit<32> sweep_window = 0;
        bit<32> scan_window = 0;
        bit<1> syn = 0;
        bit<1> over = 0;
        bit<32> source_index;
        bit<32> pair_index;
        bit<128> src = hdr.ipv6.src_addr;
        bit<128> dst = hdr.ipv6.dst_addr;
        if (hdr.ipv4.isValid()) {
            src = 0xffff00000000 | (bit<128>)hdr.ipv4.src_addr;
            dst = 0xffff00000000 | (bit<128>)hdr.ipv4.dst_addr;
        }

        if (hdr.tcp.isValid()) {
            if ((hdr.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
                syn = 1;
                sweep_screen = TCP_SWEEP;
                sweep_window = meta.tcp_sweep;
                scan_screen = PORT_SCAN;
                scan_window = meta.port_scan;
            }
        } else if (hdr.udp.isValid()) {
            sweep_screen = UDP_SWEEP;
            sweep_window = meta.udp_sweep;
            scan_screen = UDP_PORT_SCAN;
            scan_window = meta.udp_port_scan;
        } else if (hdr.icmp.isValid()) {
            sweep_screen = IP_SWEEP;
            sweep_window = meta.ip_sweep;
        }

        if ((meta.screens & sweep_screen) != 0 && sweep_window != 0) {
            hash(source_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, src }, (bit<32>)RATE_CELLS);
            hash(pair_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, src, dst }, (bit<32>)RATE_CELLS);
            sweep.apply(source_index, pair_index, meta.now, sweep_window, over);
            if (over == 1) {
                hits = sweep_screen;
            }
        }
        if ((meta.screens & scan_screen) != 0 && scan_window != 0) {
            hash(source_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, src, dst }, (bit<32>)RATE_CELLS);
            hash(pair_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, src, dst, meta.dst_port },
                 (bit<32>)RATE_CELLS);
            scan.apply(source_index, pair_index, meta.now, scan_window, over);
            if (over == 1) {
                hits = hits | scan_screen;
            }
        }
        if (syn == 1 && (meta.screens & SYN_FLOOD_ATTACK) != 0
            && meta.syn_flood_attack != 0) {
            hash(pair_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, dst, meta.dst_port }, (bit<32>)RATE_CELLS);
            attack.apply(pair_index, meta.now, meta.syn_flood_attack, over);
            if (over == 1) {
                hits = hits | SYN_FLOOD_ATTACK;
                if ((meta.alarm_only & SYN_FLOOD_ATTACK) == 0) {
                    meta.punt = Punt.SYN_PROXY;
                }
            }
        }
        if ((meta.screens & LIMIT_SCREENS) != 0) {
            limits.apply(meta, hits, src, dst);
        }

        hits = hits & meta.screens;
        if (hits != 0) {
            verdict.apply(meta, hits);
        }
    }
}

#endif
