"""Our core.p4 and v1model.p4: the declarations every v1model program relies on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram, Instance
from p4embed.compiler.types import StructType

PROGRAM = """
{define}
#include <core.p4>
#include <v1model.p4>
header eth_t {{ bit<48> dst; bit<48> src; bit<16> type; }}
header opt_t {{ varbit<320> data; }}
struct headers_t {{ eth_t eth; opt_t opt; }}
struct meta_t {{ @field_list(1) bit<8> a; bit<16> sum; }}
parser MyParser(packet_in b, out headers_t h, inout meta_t m, inout standard_metadata_t s) {{
    state start {{
        b.extract(h.eth);
        b.extract(h.opt, (bit<32>) 8 * 4);
        verify(h.eth.type == 0x800, error.NoMatch);
        transition select(b.lookahead<bit<8>>()) {{ 1: accept; default: reject; }}
    }}
}}
control Verify(inout headers_t h, inout meta_t m) {{
    apply {{ verify_checksum(true, {{ h.eth.dst, h.eth.type }}, m.sum, HashAlgorithm.csum16); }}
}}
control MyIngress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {{
    counter{index}(16, CounterType.packets_and_bytes) packets;
    register{register}(8) state;
    meter{index}(4, MeterType.bytes) rate;
    direct_counter(CounterType.packets) direct;
    action drop() {{ mark_to_drop(s); }}
    action send(bit<9> port) {{ s.egress_spec = port; direct.count(); }}
    table t {{
        key = {{ h.eth.dst : exact; h.eth.src : ternary; h.eth.type : range; m.a : optional; }}
        actions = {{ drop; send; NoAction; }}
        default_action = drop();
        counters = direct;
        support_timeout = true;
        size = 1024;
    }}
    apply {{
        if (t.apply().miss) {{ digest<bit<48>>(1, h.eth.src); }}
        bit<16> v;
        state.read(v, 1);
        hash(v, HashAlgorithm.crc16, 16w0, {{ h.eth.dst }}, 16w1024);
        random(v, 0, 10);
        packets.count(3);
        rate.execute_meter(1, m.a);
        clone_preserving_field_list(CloneType.I2E, 5, 1);
        log_msg("value {{}}", {{ v }});
    }}
}}
control MyEgress(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {{
    apply {{ if (s.instance_type == 5 && s.parser_error != error.NoError) {{ truncate(100); }} }}
}}
control Compute(inout headers_t h, inout meta_t m) {{
    apply {{ update_checksum(h.eth.isValid(), {{ h.eth.dst }}, m.sum, HashAlgorithm.csum16); }}
}}
control MyDeparser(packet_out b, in headers_t h) {{ apply {{ b.emit(h); }} }}
V1Switch(MyParser(), Verify(), MyIngress(), MyEgress(), Compute(), MyDeparser()) main;
"""


@pytest.mark.parametrize(
    ("define", "index", "register"),
    [
        ("", "", "<bit<16>>"),
        ("#define V1MODEL_VERSION 20200408", "<bit<4>>", "<bit<16>, bit<32>>"),
    ],
)
def test_a_program_that_uses_most_of_v1model(
    define: str, index: str, register: str, checked: Callable[[str], CheckedProgram]
) -> None:
    program = checked(PROGRAM.format(define=define, index=index, register=register))
    assert program.main is not None
    assert str(program.main.type) == "V1Switch<headers_t, meta_t>"
    assert list(program.main.constructor_arguments) == ["p", "vr", "ig", "eg", "ck", "dep"]
    ingress = program.main.constructor_arguments["ig"]
    assert isinstance(ingress, Instance)
    assert [i.name for i in ingress.children.values()] == ["packets", "state", "rate", "direct"]


def test_orders_that_numbers_depend_on(checked: Callable[[str], CheckedProgram]) -> None:
    program = checked("#include <v1model.p4>")
    assert list(program.errors) == [
        "NoError",
        "PacketTooShort",
        "NoMatch",
        "StackOutOfBounds",
        "HeaderTooShort",
        "ParserTimeout",
        "ParserInvalidArgument",
    ]
    assert list(program.match_kinds) == ["exact", "ternary", "lpm", "range", "optional", "selector"]
    metadata = next(
        t
        for d, t in program.declared.items()
        if isinstance(d, ast.StructDeclaration) and d.name == "standard_metadata_t"
    )
    assert isinstance(metadata, StructType)
    assert [f"{f.name}:{f.type}" for f in metadata.fields] == [
        "ingress_port:bit<9>",
        "egress_spec:bit<9>",
        "egress_port:bit<9>",
        "instance_type:bit<32>",
        "packet_length:bit<32>",
        "enq_timestamp:bit<32>",
        "enq_qdepth:bit<19>",
        "deq_timedelta:bit<32>",
        "deq_qdepth:bit<19>",
        "ingress_global_timestamp:bit<48>",
        "egress_global_timestamp:bit<48>",
        "mcast_grp:bit<16>",
        "egress_rid:bit<16>",
        "checksum_error:bit<1>",
        "parser_error:error",
        "priority:bit<3>",
    ]


def test_unknown_version_is_refused(rendered: Callable[[str], str]) -> None:
    text = rendered("#define V1MODEL_VERSION 20300101\n#include <v1model.p4>\n")
    assert "V1MODEL_VERSION must lie between 20180101 and 20200408" in text
