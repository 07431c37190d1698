// Class of service: from code points to forwarding class and loss priority on the way in,
// back to a code point on the way out, and shaping.
//
// How far shaping goes: a port of BMv2 has one queue, first in first out, and drops a packet
// that asks for another. Started with "-- --priority-queues 8" it has eight, served in strict
// order of priority; a program compiled with -DPRIORITY_QUEUES then puts each forwarding
// class into a queue of its own. Queues cannot be paced by P4Runtime: a shaper here drops
// what exceeds its rates, and delays nothing.
#ifndef _CLASS_OF_SERVICE_P4_
#define _CLASS_OF_SERVICE_P4_

control Classify(inout headers_t hdr, inout metadata_t meta) {
    @brief("The class of packets with this code point.")
    action set_class(bit<3> forwarding_class, bit<2> loss_priority) {
        meta.forwarding_class = forwarding_class;
        meta.loss_priority = loss_priority;
    }

    @brief("Classifiers of 802.1p code points.")
    table pcp_classifier {
        key = {
            meta.pcp_classifier : exact @name("classifier");  // 8
            hdr.vlan.pcp        : exact @name("pcp");         // 3
            hdr.vlan.dei        : exact @name("dei");         // 1
        }
        actions = {
            set_class;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = CLASSIFIER_SIZE;
    }

    @brief("Classifiers of DSCP code points.")
    table dscp_classifier {
        key = {
            meta.dscp_classifier : exact @name("classifier");  // 8
            meta.filter_dscp     : exact @name("dscp");        // 6
        }
        actions = {
            set_class;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = CLASSIFIER_SIZE;
    }

    apply {
        if (meta.pcp_classifier != 0 && hdr.vlan.isValid()) {
            pcp_classifier.apply();
        }
        if (meta.dscp_classifier != 0) {
            if (hdr.ipv4.isValid()) {
                meta.filter_dscp = hdr.ipv4.dscp;
            } else {
                meta.filter_dscp = hdr.ipv6.dscp;
            }
            dscp_classifier.apply();
        }
    }
}

control Rewrite(inout headers_t hdr, inout metadata_t meta) {
    CorrectChecksum() correct;

    // The code point is six bits of the upper half of its 16-bit field; the rest of the
    // field stays, so its change is that of a field with zeros there.
    @brief("The code point of packets of this class.")
    action set_dscp(bit<6> dscp) {
        meta.new_dscp = dscp;
    }

    @brief("DSCP code points, by rewrite rule and class.")
    table dscp_rewrite {
        key = {
            meta.dscp_rewrite     : exact @name("rewrite");           // 8
            meta.forwarding_class : exact @name("forwarding_class");  // 3
            meta.loss_priority    : exact @name("loss_priority");     // 2
        }
        actions = {
            set_dscp;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = CLASSIFIER_SIZE;
    }

    apply {
        if (dscp_rewrite.apply().hit) {
            if (hdr.ipv4.isValid()) {
                bit<16> before = 8w0 ++ hdr.ipv4.dscp ++ 2w0;
                bit<16> after = 8w0 ++ meta.new_dscp ++ 2w0;
                correct.apply(hdr.ipv4.checksum, (bit<32>)~before + (bit<32>)after);
                hdr.ipv4.dscp = meta.new_dscp;
            } else if (hdr.ipv6.isValid()) {
                hdr.ipv6.dscp = meta.new_dscp;
            }
        }
    }
}

control Queue(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    apply {
#ifdef PRIORITY_QUEUES
        standard_metadata.priority = meta.forwarding_class;
#endif
    }
}

control Shape(inout metadata_t meta) {
    @brief("Shapers: number of the shaper * 8 + forwarding class.")
    meter(SHAPERS, MeterType.bytes) shapers;

    apply {
        bit<2> color;
        shapers.execute_meter((bit<32>)meta.shaper << 3 | (bit<32>)meta.forwarding_class,
                              color);
        if (color == METER_RED) {
            meta.drop = Drop.SHAPER;
        }
    }
}

#endif
