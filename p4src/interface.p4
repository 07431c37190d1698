// Which interface a packet passes: by port and VLAN, on the way in and on the way out.
#ifndef _INTERFACE_P4_
#define _INTERFACE_P4_

// An interface gives its packets the session token (its zone and virtual router, sixth
// of the match criteria), its own MAC address, and its zone's screen profile.
control IngressInterface(inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
    @brief("An interface of this NPU, for packets that arrive.")
    action set_ingress_interface(bit<16> token,
                                 bit<8> zone,
                                 @format(MAC_ADDRESS) bit<48> mac,
                                 @format(HEX_STR) bit<32> screens,
                                 @format(HEX_STR) bit<32> alarm_only) {
        meta.token = token;
        meta.zone = zone;
        meta.mac = mac;
        meta.screens = screens;
        meta.alarm_only = alarm_only;
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

    apply {
        ingress_interface.apply();
    }
}

// On the way out only the screen profile is needed; MAC addresses and VLAN tag are in
// place already.
control EgressInterface(inout metadata_t meta,
                        inout standard_metadata_t standard_metadata) {
    @brief("An interface of this NPU, for packets that leave.")
    action set_egress_interface(bit<8> zone,
                                @format(HEX_STR) bit<32> screens,
                                @format(HEX_STR) bit<32> alarm_only) {
        meta.zone = zone;
        meta.screens = screens;
        meta.alarm_only = alarm_only;
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

    apply {
        egress_interface.apply();
    }
}

#endif
