// Every drop has a name and is counted under it, once, on the side where it happened.
#ifndef _ACCOUNTING_P4_
#define _ACCOUNTING_P4_

control IngressAccounting(inout metadata_t meta,
                          inout standard_metadata_t standard_metadata) {
    @brief("Packets dropped on the ingress side, by Drop.")
    counter(REASONS, CounterType.packets) drops;

    apply {
        drops.count((bit<32>)(bit<8>)meta.drop);
        mark_to_drop(standard_metadata);
    }
}

control EgressAccounting(inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
    @brief("Packets dropped on the egress side, by Drop.")
    counter(REASONS, CounterType.packets) egress_drops;

    apply {
        egress_drops.count((bit<32>)(bit<8>)meta.drop);
        mark_to_drop(standard_metadata);
    }
}

#endif
