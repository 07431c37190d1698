// Fragments of one datagram, as far as a card sees them.
//
// The first fragment alone has ports. It leaves them in a register, by addresses,
// protocol, identification and where the fragments pass (the token, or on the way out the
// zone), and later ones take them from there, so that they find their session; one that
// comes before the first, or more than FRAGMENT_WAIT after it, finds none, and waits with
// an SPU.
//
// The same cell keeps the stretch of the datagram that is known to be filled, for the
// tear-drop screen: one stretch. A fragment next to it makes it longer, one that reaches
// into it overlaps (an exact copy does too), and one elsewhere is not remembered. So
// fragments in order, or in reverse order, are checked in full; of others some overlaps
// are missed, and none is found that is not there.
#ifndef _FRAGMENTS_P4_
#define _FRAGMENTS_P4_

// Addresses of either version in one form.
control Addresses(inout headers_t hdr, inout metadata_t meta) {
    apply {
        if (hdr.ipv4.isValid()) {
            meta.src = 0xffff00000000 | (bit<128>)hdr.ipv4.src_addr;
            meta.dst = 0xffff00000000 | (bit<128>)hdr.ipv4.dst_addr;
        } else {
            meta.src = hdr.ipv6.src_addr;
            meta.dst = hdr.ipv6.dst_addr;
        }
    }
}

const bit<32> FRAGMENT_WAIT = 30000000;       // microseconds

control Fragments(inout metadata_t meta, in bit<16> place) {
    // tag 32, time of the first seen 32, ports 32, ports are known 1, start 15, end 16;
    // start and end in units of 8 bytes.
    register<bit<128>>(FRAGMENT_CELLS) fragment_cells;

    apply {
        bit<32> tag;
        bit<32> index;
        hash(tag, HashAlgorithm.crc32, 32w0,
             { meta.src, meta.dst, meta.identification, meta.protocol, place }, 64w0x100000000);
        hash(index, HashAlgorithm.crc16, 32w0,
             { meta.src, meta.dst, meta.identification, meta.protocol, place },
             (bit<32>)FRAGMENT_CELLS);

        bit<15> start = (bit<15>)meta.fragment_offset;
        bit<15> end = start + (bit<15>)((meta.l4_length + 7) >> 3);
        bit<128> cell;
        fragment_cells.read(cell, index);
        if (cell[127:96] != tag || meta.now - cell[95:64] > FRAGMENT_WAIT) {
            cell = tag ++ meta.now ++ 32w0 ++ 1w0 ++ start ++ 1w0 ++ end;
        } else if (start == cell[14:0]) {
            cell[14:0] = end;
        } else if (end == cell[30:16]) {
            cell[30:16] = start;
        } else if (start < cell[14:0] && end > cell[30:16]) {
            meta.fragment_overlap = 1;
        }
        if (meta.fragment_offset == 0) {
            cell[31:31] = 1;
            cell[63:32] = meta.src_port ++ meta.dst_port;
        } else if (cell[31:31] == 1) {
            meta.src_port = cell[63:48];
            meta.dst_port = cell[47:32];
        }
        fragment_cells.write(index, cell);
    }
}

#endif
