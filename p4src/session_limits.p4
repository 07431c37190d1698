// New sessions that one end has too many of already.
#ifndef _SESSION_LIMITS_P4_
#define _SESSION_LIMITS_P4_

// Addresses that have as many sessions as they may. The controller counts sessions; the
// NPU keeps what is in vain from it.
control SessionLimits(inout metadata_t meta, inout bit<64> hits) {
    @brief("No new session from this address.")
    action at_source_limit() {
        hits = hits | SESSION_LIMIT_SOURCE;
    }

    @brief("No new session to this address.")
    action at_destination_limit() {
        hits = hits | SESSION_LIMIT_DESTINATION;
    }

    @brief("Source addresses at their limit of sessions, by ingress zone.")
    table session_limit_source {
        key = {
            meta.zone : exact @name("zone");                              // 8
            meta.src  : exact @name("address") @format(IPV6_ADDRESS);     // 128
        }
        actions = {
            at_source_limit;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = SESSION_LIMIT_SIZE;
    }

    @brief("Destination addresses at their limit of sessions, by ingress zone.")
    table session_limit_destination {
        key = {
            meta.zone : exact @name("zone");                              // 8
            meta.dst  : exact @name("address") @format(IPV6_ADDRESS);     // 128
        }
        actions = {
            at_destination_limit;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = SESSION_LIMIT_SIZE;
    }

    apply {
        session_limit_source.apply();
        session_limit_destination.apply();
    }
}

#endif
