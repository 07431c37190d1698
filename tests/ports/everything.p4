// One of everything that a controller can write and a packet can meet.
#include <core.p4>
#include <v1model.p4>

@controller_header("packet_in")
header packet_in_t { bit<9> ingress_port; bit<7> pad; }
@controller_header("packet_out")
header packet_out_t { bit<9> egress_port; bit<7> pad; }
header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header label_t { bit<15> value; bit<1> last; }
header option_t { bit<8> kind; bit<8> length; varbit<128> data; }
header flow_t { bit<32> src; bit<32> dst; bit<16> low; bit<16> high; bit<16> sum; }

struct headers_t {
    packet_in_t packet_in; packet_out_t packet_out;
    ethernet_t ethernet; label_t[4] labels; option_t option; flow_t flow;
}
struct learned_t { bit<48> src; bit<9> port; }
struct metadata_t { @field_list(1) bit<8> turns; bit<2> color; bit<16> bucket; }

parser P(packet_in packet, out headers_t hdr, inout metadata_t meta,
         inout standard_metadata_t standard) {
    value_set<bit<16>>(8) labelled;
    state start {
        transition select(standard.ingress_port) { 255: from_controller; default: ethernet; }
    }
    state from_controller { packet.extract(hdr.packet_out); transition ethernet; }
    state ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.type) {
            labelled: labels; 0x8847: labels; 0x0800: flow; 0x88b5: option; default: accept;
        }
    }
    state labels {
        packet.extract(hdr.labels.next);
        transition select(hdr.labels.last.last) { 1: flow; default: labels; }
    }
    state option {
        packet.extract(hdr.option, (bit<32>)packet.lookahead<bit<16>>()[7:0] * 8);
        transition flow;
    }
    state flow { packet.extract(hdr.flow); verify(hdr.flow.low <= hdr.flow.high, error.NoMatch); transition accept; }
}

control V(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.flow.isValid(), { hdr.flow.src, hdr.flow.dst, hdr.flow.low, hdr.flow.high },
                        hdr.flow.sum, HashAlgorithm.csum16);
    }
}

control I(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(64, CounterType.packets_and_bytes) seen;
    meter(64, MeterType.bytes) rate;
    direct_meter<bit<2>>(MeterType.packets) entry_rate;
    direct_counter(CounterType.packets_and_bytes) entry_hits;
    register<bit<32>>(64) memory;
    action_selector(HashAlgorithm.crc16, 64, 16) group;

    action drop() { mark_to_drop(standard); }
    action send(bit<9> port) { standard.egress_spec = port; }
    action metered(bit<9> port) { standard.egress_spec = port; entry_rate.read(meta.color); }
    action copies(bit<16> number) { standard.mcast_grp = number; }
    action mirror(bit<8> session) { clone_preserving_field_list(CloneType.I2E, (bit<32>)session, 1); }
    action again() { meta.turns = meta.turns + 1; resubmit_preserving_field_list(1); }
    action learn() { digest<learned_t>(1, { hdr.ethernet.src, standard.ingress_port }); }
    action push(bit<15> value) {
        hdr.labels.push_front(1);
        hdr.labels[0].setValid();
        hdr.labels[0].value = value;
        hdr.ethernet.type = 0x8847;
    }
    action pop(bit<8> which) { hdr.labels[which].setInvalid(); hdr.labels.pop_front(1); }

    table exact_table {
        key = { hdr.ethernet.dst : exact; standard.ingress_port : exact; }
        actions = { send; metered; drop; copies; mirror; again; learn; push; pop; }
        meters = entry_rate;
        counters = entry_hits;
        support_timeout = true;
        size = 40000;
    }
    table lpm_table {
        key = { hdr.flow.dst : lpm; }
        actions = { send; drop; push; }
        size = 1024;
    }
    table ternary_table {
        key = { hdr.flow.src : ternary; hdr.flow.low : range; hdr.ethernet.type : optional; }
        actions = { send; drop; pop; learn; }
        size = 256;
    }
    table selected {
        key = { hdr.ethernet.type : exact; hdr.flow.src : selector; hdr.flow.dst : selector; }
        actions = { send; drop; copies; }
        implementation = group;
        size = 64;
    }
    apply {
        bit<32> old;
        if (hdr.packet_out.isValid()) {
            standard.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
            exit;
        }
        hash(meta.bucket, HashAlgorithm.crc32, 16w0, { hdr.ethernet.src, hdr.ethernet.dst }, 32w64);
        seen.count((bit<32>)meta.bucket);
        rate.execute_meter((bit<32>)meta.bucket, meta.color);
        memory.read(old, (bit<32>)meta.bucket);
        memory.write((bit<32>)meta.bucket, old + (bit<32>)meta.color);
        standard.egress_spec = (bit<9>)(hdr.ethernet.dst & 3);
        exact_table.apply();
        if (hdr.flow.isValid()) {
            lpm_table.apply();
            ternary_table.apply();
        }
        selected.apply();
        if (meta.turns > 3) { truncate(60); }
    }
}

control E(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action widen(bit<8> by) { hdr.labels.push_front(2); meta.turns = meta.turns + by; }
    table egress_table {
        key = { standard.egress_port : exact; standard.egress_rid : ternary; }
        actions = { widen; NoAction; }
        size = 64;
    }
    apply {
        egress_table.apply();
        if (standard.egress_port == 255) {
            hdr.packet_in.setValid();
            hdr.packet_in.ingress_port = standard.ingress_port;
        } else if (hdr.labels[3].isValid() && meta.turns < 3) {
            recirculate_preserving_field_list(1);
        }
    }
}

control C(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum_with_payload(hdr.flow.isValid(), { hdr.flow.src, hdr.flow.dst, hdr.flow.low, hdr.flow.high },
                                     hdr.flow.sum, HashAlgorithm.csum16);
    }
}

control D(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr); } }

V1Switch(P(), V(), I(), E(), C(), D()) main;
