// Screens of first packets of flows.
//
// A sweep is one source that tries many addresses within a window, a scan is one that
// tries many ports of one address. Packets of sessions are none of it, and cost nothing.
#ifndef _SCANS_P4_
#define _SCANS_P4_

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

// Sweeps and scans are a source's, so they need one that is the sender's own. SYN beyond
// what a destination and port takes are found, and dealt with elsewhere. Only for what is
// countable (floods.p4).
control Scans(inout headers_t hdr,
              inout metadata_t meta,
              in bit<1> by_source,
              inout bit<64> hits) {
    Distinct() sweep;
    Distinct() scan;
    Rate() attack;
    Rate() alarm;

    apply {
        bit<64> sweep_screen = 0;
        bit<64> scan_screen = 0;
        bit<32> sweep_window = 0;
        bit<32> scan_window = 0;
        bit<1> syn = 0;
        bit<1> over = 0;
        bit<32> source_index;
        bit<32> pair_index;

        if (hdr.tcp.isValid()) {
            syn = 1;
            sweep_screen = TCP_SWEEP;
            sweep_window = meta.tcp_sweep;
            scan_screen = PORT_SCAN;
            scan_window = meta.port_scan;
        } else if (hdr.udp.isValid()) {
            sweep_screen = UDP_SWEEP;
            sweep_window = meta.udp_sweep;
            scan_screen = UDP_PORT_SCAN;
            scan_window = meta.udp_port_scan;
        } else {
            sweep_screen = IP_SWEEP;
            sweep_window = meta.ip_sweep;
        }

        if (by_source == 1 && (meta.screens & sweep_screen) != 0 && sweep_window != 0) {
            hash(source_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, meta.src }, (bit<32>)RATE_CELLS);
            hash(pair_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, meta.src, meta.dst }, (bit<32>)RATE_CELLS);
            sweep.apply(source_index, pair_index, meta.now, sweep_window, over);
            if (over == 1) {
                hits = hits | sweep_screen;
            }
        }
        if (by_source == 1 && (meta.screens & scan_screen) != 0 && scan_window != 0) {
            hash(source_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, meta.src, meta.dst }, (bit<32>)RATE_CELLS);
            hash(pair_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, meta.src, meta.dst, meta.dst_port },
                 (bit<32>)RATE_CELLS);
            scan.apply(source_index, pair_index, meta.now, scan_window, over);
            if (over == 1) {
                hits = hits | scan_screen;
            }
        }
        if (syn == 1 && meta.white_listed == 0) {
            hash(pair_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.dst, meta.dst_port }, (bit<32>)RATE_CELLS);
            if ((meta.screens & SYN_FLOOD_ATTACK) != 0 && meta.syn_flood_attack != 0) {
                attack.apply(pair_index, meta.now, meta.syn_flood_attack, over);
                if (over == 1) {
                    hits = hits | SYN_FLOOD_ATTACK;
                }
            }
            if ((meta.screens & SYN_FLOOD_ALARM) != 0 && meta.syn_flood_alarm != 0) {
                alarm.apply(pair_index, meta.now, meta.syn_flood_alarm, over);
                if (over == 1) {
                    hits = hits | SYN_FLOOD_ALARM;
                }
            }
        }
    }
}

#endif
