// Screens that count packets of one kind towards a threshold a second.
//
// Counters are register cells, chosen by a hash of zone and address, so their number does
// not grow with that of attackers; two addresses that share a cell are counted together.
#ifndef _FLOODS_P4_
#define _FLOODS_P4_

const bit<64> FLOOD_SCREENS = ICMP_FLOOD | UDP_FLOOD | SYN_FLOOD_SOURCE
    | SYN_FLOOD_DESTINATION;
const bit<64> THRESHOLD_SCREENS = FLOOD_SCREENS | SYN_FLOOD_ATTACK | IP_SWEEP | TCP_SWEEP
    | UDP_SWEEP | PORT_SCAN | UDP_PORT_SCAN;

const bit<32> SECOND = 1000000;               // microseconds

// Is this one packet too many? A second begins with its first packet. When the threshold
// is passed, all packets of the rest of that second and of the next are too many.
control Rate(in bit<32> index, in bit<32> now, in bit<32> threshold, out bit<1> over) {
    // start of the second 32, threshold passed 1, packets 31
    register<bit<64>>(RATE_CELLS) cells;

    apply {
        bit<64> cell;
        cells.read(cell, index);
        bit<32> age = now - cell[63:32];
        over = 0;
        if (cell[31:31] == 1 && age < 2 * SECOND) {
            over = 1;
        } else if (cell[31:31] == 1 || age >= SECOND || cell[30:0] == 0) {
            cell = now ++ 32w1;
        } else if ((bit<32>)cell[30:0] >= threshold) {
            cell[31:31] = 1;
            over = 1;
        } else {
            cell[30:0] = cell[30:0] + 1;
        }
        cells.write(index, cell);
    }
}

control Thresholds(inout metadata_t meta) {
    @brief("Packets a second, and microseconds; 0: the screen is off.")
    action set_thresholds(bit<32> icmp_flood,
                          bit<32> udp_flood,
                          bit<32> syn_flood_attack,
                          bit<32> syn_flood_source,
                          bit<32> syn_flood_destination,
                          bit<32> ip_sweep,
                          bit<32> tcp_sweep,
                          bit<32> udp_sweep,
                          bit<32> port_scan,
                          bit<32> udp_port_scan) {
        meta.icmp_flood = icmp_flood;
        meta.udp_flood = udp_flood;
        meta.syn_flood_attack = syn_flood_attack;
        meta.syn_flood_source = syn_flood_source;
        meta.syn_flood_destination = syn_flood_destination;
        meta.ip_sweep = ip_sweep;
        meta.tcp_sweep = tcp_sweep;
        meta.udp_sweep = udp_sweep;
        meta.port_scan = port_scan;
        meta.udp_port_scan = udp_port_scan;
    }

    @brief("Thresholds and windows of the screens of a zone that count packets.")
    table screen_thresholds {
        key = {
            meta.zone : exact @name("zone");  // 8
        }
        actions = {
            set_thresholds;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = ZONE_SIZE;
    }

    apply {
        screen_thresholds.apply();
    }
}

// Floods are counted before the session lookup: what belongs to a session counts too.
// ICMP echo requests and UDP by destination address; SYN by source, and by destination.
control Floods(inout headers_t hdr, inout metadata_t meta) {
    Thresholds() thresholds;
    Rate() packets_to;
    Rate() syn_from;
    Rate() syn_to;
    ScreenVerdict() verdict;

    apply {
        bit<64> hits = 0;
        bit<1> over;
        bit<32> source_index;
        bit<32> destination_index;
        bit<32> threshold = 0;
        bit<64> screen = 0;
        bit<128> src = hdr.ipv6.src_addr;
        bit<128> dst = hdr.ipv6.dst_addr;
        if (hdr.ipv4.isValid()) {
            src = (bit<128>)hdr.ipv4.src_addr;
            dst = (bit<128>)hdr.ipv4.dst_addr;
        }

        thresholds.apply(meta);
        if ((meta.screens & FLOOD_SCREENS) != 0) {
            hash(destination_index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, dst }, (bit<32>)RATE_CELLS);
            if (hdr.udp.isValid()) {
                screen = UDP_FLOOD;
                threshold = meta.udp_flood;
            } else if (hdr.icmp.isValid()
                       && (hdr.ipv4.isValid() && hdr.icmp.icmp_type == ICMP_ECHO_REQUEST
                           || hdr.ipv6.isValid()
                           && hdr.icmp.icmp_type == ICMPV6_ECHO_REQUEST)) {
                screen = ICMP_FLOOD;
                threshold = meta.icmp_flood;
            }
            if ((meta.screens & screen) != 0 && threshold != 0) {
                packets_to.apply(destination_index, meta.now, threshold, over);
                if (over == 1) {
                    hits = screen;
                }
            }
            if (hdr.tcp.isValid() && (hdr.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
                if ((meta.screens & SYN_FLOOD_SOURCE) != 0 && meta.syn_flood_source != 0) {
                    hash(source_index, HashAlgorithm.crc32, 32w0,
                         { meta.zone, meta.protocol, src }, (bit<32>)RATE_CELLS);
                    syn_from.apply(source_index, meta.now, meta.syn_flood_source, over);
                    if (over == 1) {
                        hits = hits | SYN_FLOOD_SOURCE;
                    }
                }
                if ((meta.screens & SYN_FLOOD_DESTINATION) != 0
                    && meta.syn_flood_destination != 0) {
                    syn_to.apply(destination_index, meta.now, meta.syn_flood_destination,
                                 over);
                    if (over == 1) {
                        hits = hits | SYN_FLOOD_DESTINATION;
                    }
                }
            }
            if (hits != 0) {
                verdict.apply(meta, hits);
            }
        }
    }
}

#endif
