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

// Floods are counted before the session lookup: what belongs to a session counts too.
// ICMP echo requests and UDP by destination address; SYN by source, where that is the
// sender's own, and by destination.
control Floods(inout headers_t hdr,
               inout metadata_t meta,
               in bit<1> by_source,
               inout bit<64> hits) {
    Rate() packets_to;
    Rate() syn_from;
    Rate() syn_to;

    apply {
        bit<1> over;
        bit<32> source_index;
        bit<32> destination_index;
        bit<32> threshold = 0;
        bit<64> screen = 0;

        hash(destination_index, HashAlgorithm.crc32, 32w0,
             { meta.zone, meta.protocol, meta.dst }, (bit<32>)RATE_CELLS);
        if (hdr.udp.isValid()) {
            if (meta.white_listed == 0) {
                screen = UDP_FLOOD;
                threshold = meta.udp_flood;
            }
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
                hits = hits | screen;
            }
        }
        if (hdr.tcp.isValid() && (hdr.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN
            && meta.white_listed == 0) {
            if (by_source == 1 && (meta.screens & SYN_FLOOD_SOURCE) != 0
                && meta.syn_flood_source != 0) {
                hash(source_index, HashAlgorithm.crc32, 32w0,
                     { meta.zone, meta.protocol, meta.src }, (bit<32>)RATE_CELLS);
                syn_from.apply(source_index, meta.now, meta.syn_flood_source, over);
                if (over == 1) {
                    hits = hits | SYN_FLOOD_SOURCE;
                }
            }
            if ((meta.screens & SYN_FLOOD_DESTINATION) != 0
                && meta.syn_flood_destination != 0) {
                syn_to.apply(destination_index, meta.now, meta.syn_flood_destination, over);
                if (over == 1) {
                    hits = hits | SYN_FLOOD_DESTINATION;
                }
            }
        }
    }
}

#endif
