// Screens that count packets of one kind towards a threshold a second.
//
// Counters are register cells, chosen by a hash of zone and address, so their number does
// not grow with that of attackers; two addresses that share a cell are counted together.
#ifndef _FLOODS_P4_
#define _FLOODS_P4_

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

// Does it count? Most packets are none of these: SYN, UDP, and ICMP.
control Countable(inout headers_t hdr, out bit<1> countable) {
    apply {
        countable = 0;
        if (hdr.tcp.isValid()) {
            if ((hdr.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
                countable = 1;
            }
        } else if (hdr.udp.isValid() || hdr.icmp.isValid()) {
            countable = 1;
        }
    }
}

// Floods are counted before the session lookup: what belongs to a session counts too.
// ICMP echo requests and UDP by destination address; SYN by source, where that is the
// sender's own, and by destination. Only for what is countable.
control Floods(inout headers_t hdr,
               inout metadata_t meta,
               in bit<1> by_source,
               inout bit<64> hits) {
    Rate() packets_to;
    Rate() syn_from;

    apply {
        bit<1> over;
        bit<32> index;
        bit<32> threshold = 0;
        bit<64> screen = 0;

        if (hdr.tcp.isValid()) {
            if (meta.white_listed == 0) {
                if (by_source == 1 && (meta.screens & SYN_FLOOD_SOURCE) != 0
                    && meta.syn_flood_source != 0) {
                    hash(index, HashAlgorithm.crc32, 32w0,
                         { meta.zone, meta.protocol, meta.src }, (bit<32>)RATE_CELLS);
                    syn_from.apply(index, meta.now, meta.syn_flood_source, over);
                    if (over == 1) {
                        hits = hits | SYN_FLOOD_SOURCE;
                    }
                }
                screen = SYN_FLOOD_DESTINATION;
                threshold = meta.syn_flood_destination;
            }
        } else if (hdr.udp.isValid()) {
            if (meta.white_listed == 0) {
                screen = UDP_FLOOD;
                threshold = meta.udp_flood;
            }
        } else if (hdr.ipv4.isValid() && hdr.icmp.icmp_type == ICMP_ECHO_REQUEST
                   || hdr.ipv6.isValid() && hdr.icmp.icmp_type == ICMPV6_ECHO_REQUEST) {
            screen = ICMP_FLOOD;
            threshold = meta.icmp_flood;
        }
        if ((meta.screens & screen) != 0 && threshold != 0) {
            // The protocol is part of it, so one set of cells serves all three.
            hash(index, HashAlgorithm.crc32, 32w0,
                 { meta.zone, meta.protocol, meta.dst }, (bit<32>)RATE_CELLS);
            packets_to.apply(index, meta.now, threshold, over);
            if (over == 1) {
                hits = hits | screen;
            }
        }
    }
}

#endif
