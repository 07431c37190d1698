// SYNs beyond what the controller takes: which of them may be a real client's?
//
// Above the attack threshold SYNs go to the controller, to be answered with a cookie. A flood of
// more than it takes leaves a client little chance to be among those that the meter lets pass.
// But a client that hears nothing sends the same SYN again, after a second and more (RFC 6298),
// and a flood of made-up sources hardly ever does. So a refused SYN leaves a trace here, and one
// that finds its own trace is due for a meter of its own.
#ifndef _SYN_AGAIN_P4_
#define _SYN_AGAIN_P4_

// Cell of the punt meter for them: not the value of any Punt.
const bit<32> SYN_AGAIN_METER = 255;

const bit<32> SYN_AGAIN_FIRST = 700000;       // microseconds
const bit<32> SYN_AGAIN_LAST = 10000000;

control SynAgain(in headers_t hdr, in metadata_t meta, out bit<1> again) {
    // what the SYN said, hashed 32, when it was refused 32
    register<bit<64>>(SYN_CELLS) cells;

    apply {
        bit<64> cell;
        bit<32> index;
        bit<32> tag;
        bit<128> src = hdr.ipv6.src_addr;
        bit<128> dst = hdr.ipv6.dst_addr;
        if (hdr.ipv4.isValid()) {
            src = (bit<128>)hdr.ipv4.src_addr;
            dst = (bit<128>)hdr.ipv4.dst_addr;
        }
        hash(index, HashAlgorithm.crc32, 32w0,
             { src, meta.src_port, dst, meta.dst_port, meta.token }, (bit<32>)SYN_CELLS);
        hash(tag, HashAlgorithm.crc32, 32w0,
             { hdr.tcp.sequence, dst, meta.src_port, src }, 32w0xffffffff);
        cells.read(cell, index);
        bit<32> age = meta.now - cell[31:0];
        again = 0;
        if (cell[63:32] == tag && age < SYN_AGAIN_LAST) {
            if (age >= SYN_AGAIN_FIRST) {
                again = 1;
            }
        } else {
            cells.write(index, tag ++ meta.now);
        }
    }
}

#endif
