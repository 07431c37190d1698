// Which SPU gets the first packet of a flow.
//
// Normal: the central point says, by load; the packet goes there. Hash-based: this card
// says, by a hash of the flow over 256 buckets, and an SPU's weight is the number of
// buckets that name it. Both directions of a flow without translation fall into one
// bucket. The mode is the default action of a table without a key, and so can be changed
// while traffic flows.
#ifndef _DISTRIBUTION_P4_
#define _DISTRIBUTION_P4_

control Distribution(inout metadata_t meta) {
    bit<1> hashed = 0;
    bit<8> bucket = 0;

    @brief("The central point picks the SPU.")
    action normal() { }

    @brief("The bucket of the packet's flow names the SPU.")
    action hash_based() {
        hashed = 1;
    }

    @brief("Mode of distribution: the default action.")
    table distribution {
        actions = {
            normal;
            hash_based;
        }
        default_action = normal();
    }

    @brief("An SPU that takes the flows of this bucket.")
    action set_spu(bit<8> spu) {
        meta.spu = spu;
    }

    @brief("SPUs by bucket of the flow's hash.")
    table spu_bucket {
        key = {
            bucket : exact @name("bucket");  // 8
        }
        actions = {
            set_spu;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = 256;
    }

    apply {
        distribution.apply();
        if (hashed == 1) {
            // One of the two address pairs is zero.
            hash(bucket, HashAlgorithm.crc32, 8w0,
                 { meta.key_src_v4 ^ meta.key_dst_v4, meta.key_src_v6 ^ meta.key_dst_v6,
                   meta.src_port ^ meta.dst_port, meta.protocol },
                 32w256);
            spu_bucket.apply();
        }
    }
}

#endif
