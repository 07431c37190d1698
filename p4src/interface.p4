// Which interface a packet passes: by port and VLAN, on the way in and on the way out.
#ifndef _INTERFACE_P4_
#define _INTERFACE_P4_

// An interface gives its packets the session token (its zone and virtual router, sixth
// of the match criteria), its own MAC address, its zone's screen profile, and the epoch
// that its wings must carry. All else is in a second table, which only interfaces that have
// any of it pay for.
control IngressInterface(inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
    @brief("An interface of this NPU, for packets that arrive.")
    action set_ingress_interface(bit<16> token,
                                 bit<8> zone,
                                 @format(MAC_ADDRESS) bit<48> mac,
                                 @format(HEX_STR) bit<64> screens,
                                 @format(HEX_STR) bit<64> alarm_only,
                                 bit<8> extension_limit,
                                 bit<8> vr,
                                 bit<8> epoch,
                                 bit<1> features) {
        meta.token = token;
        meta.zone = zone;
        meta.mac = mac;
        meta.screens = screens;
        meta.alarm_only = alarm_only;
        meta.extension_limit = extension_limit;
        meta.vr = vr;
        meta.interface_epoch = epoch;
        meta.features = features;
    }

    action no_ingress_interface() {
        meta.drop = Drop.NO_INTERFACE;
    }

    @brief("Interfaces by port and VLAN, for packets that arrive.")
    table ingress_interface {
        key = {
            standard_metadata.ingress_port : exact @name("port");  // 9
            meta.vlan                      : exact @name("vlan");  // 12, 0: untagged
        }
        actions = {
            set_ingress_interface;
            @defaultonly no_ingress_interface;
        }
        const default_action = no_ingress_interface();
        size = INTERFACE_SIZE;
    }

    @brief("What else is done to packets that arrive by an interface; 0: nothing.")
    action set_ingress_features(bit<16> filter_v4,
                                bit<16> filter_v6,
                                bit<8> dscp_classifier,
                                bit<8> pcp_classifier,
                                bit<1> trace) {
        meta.filter_v4 = filter_v4;
        meta.filter_v6 = filter_v6;
        meta.dscp_classifier = dscp_classifier;
        meta.pcp_classifier = pcp_classifier;
        meta.trace_here = trace;
    }

    @brief("Interfaces with more than the least, for packets that arrive.")
    table ingress_features {
        key = {
            standard_metadata.ingress_port : exact @name("port");  // 9
            meta.vlan                      : exact @name("vlan");  // 12, 0: untagged
        }
        actions = {
            set_ingress_features;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = INTERFACE_SIZE;
    }

    apply {
        ingress_interface.apply();
        if (meta.features == 1) {
            ingress_features.apply();
        }
    }
}

// On the way out only the zone and its screen profile are needed; MAC addresses and VLAN
// tag are in place already.
control EgressInterface(inout metadata_t meta,
                        inout standard_metadata_t standard_metadata) {
    @brief("An interface of this NPU, for packets that leave.")
    action set_egress_interface(bit<8> zone,
                                @format(HEX_STR) bit<64> screens,
                                @format(HEX_STR) bit<64> alarm_only,
                                bit<8> extension_limit,
                                bit<8> vr,
                                bit<1> features) {
        meta.source_zone = meta.zone;
        meta.zone = zone;
        meta.screens = screens;
        meta.alarm_only = alarm_only;
        meta.extension_limit = extension_limit;
        meta.vr = vr;
        meta.features = features;
    }

    action no_egress_interface() {
        meta.drop = Drop.NO_EGRESS;
    }

    @brief("Interfaces by port and VLAN, for packets that leave.")
    table egress_interface {
        key = {
            standard_metadata.egress_port : exact @name("port");  // 9
            meta.vlan                     : exact @name("vlan");  // 12, 0: untagged
        }
        actions = {
            set_egress_interface;
            @defaultonly no_egress_interface;
        }
        const default_action = no_egress_interface();
        size = INTERFACE_SIZE;
    }

    @brief("What else is done to packets that leave by an interface; 0: nothing.")
    action set_egress_features(bit<16> filter_v4,
                               bit<16> filter_v6,
                               bit<8> dscp_rewrite,
                               bit<16> shaper) {
        meta.filter_v4 = filter_v4;
        meta.filter_v6 = filter_v6;
        meta.dscp_rewrite = dscp_rewrite;
        meta.shaper = shaper;
    }

    // What the ingress interface had is not for the way out.
    action no_egress_features() {
        meta.filter_v4 = 0;
        meta.filter_v6 = 0;
    }

    @brief("Interfaces with more than the least, for packets that leave.")
    table egress_features {
        key = {
            standard_metadata.egress_port : exact @name("port");  // 9
            meta.vlan                     : exact @name("vlan");  // 12, 0: untagged
        }
        actions = {
            set_egress_features;
            @defaultonly no_egress_features;
        }
        const default_action = no_egress_features();
        size = INTERFACE_SIZE;
    }

    apply {
        egress_interface.apply();
        if (meta.drop == Drop.NONE && meta.features == 1) {
            egress_features.apply();
        }
    }
}

#endif
