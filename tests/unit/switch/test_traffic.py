"""From ingress to egress: drop, unicast, clone, multicast, resubmit, recirculate, truncate."""

from __future__ import annotations

from typing import Any

from p4embed.switch.engine import Replica, Sent
from p4embed.switch.program import InstanceType
from p4embed.switch.reference import ReferenceEngine
from p4embed.switch.traffic import MAX_PASSES

from .programs import (
    H,
    action,
    assign,
    call,
    const,
    document,
    drop,
    extract,
    field,
    load,
    meta,
    one_action,
    op,
    pipeline,
    run,
    send,
    state,
)

KIND, VALUE = field("h", "kind"), field("h", "value")
FRAME = b"\x07\x12\x34\x00"


def branch(name: str, condition: dict[str, Any], then: str | None, else_: str | None) -> Any:
    return {"name": name, "id": 0, "expression": condition, "true_next": then, "false_next": else_}


def is_type(value: int) -> dict[str, Any]:
    return op("==", meta("instance_type"), const(value))


def switch(
    *ingress: dict[str, Any],
    egress: list[dict[str, Any]] | None = None,
    again: list[dict[str, Any]] | None = None,
    clone: list[dict[str, Any]] | None = None,
    keep: list[list[str]] | None = None,
) -> ReferenceEngine:
    """``ingress`` runs on new packets, ``again`` on resubmitted and recirculated ones; ``egress``
    on packets, ``clone`` on clones. ``keep`` is field list 1."""
    actions = [
        action("in", 0, *ingress),
        action("out", 1, *(egress or [])),
        action("again", 2, *(again or [send(1)])),
        action("clone", 3, *(clone or [])),
    ]
    fresh = op("==", meta("instance_type"), const(InstanceType.NORMAL))
    cloned = op("or", is_type(InstanceType.INGRESS_CLONE), is_type(InstanceType.EGRESS_CLONE))
    made = document(
        types=dict(H),
        headers={"h": "h_t"},
        states=[state("start", extract("h"))],
        order=["h"],
        actions=actions,
        ingress=pipeline(
            "ingress", "fresh", conditionals=[branch("fresh", fresh, "in", "again")],
            calls=[run("in", 0), run("again", 2)],
        ),
        egress=pipeline(
            "egress", "cloned", conditionals=[branch("cloned", cloned, "clone", "out")],
            calls=[run("out", 1), run("clone", 3)],
        ),
        field_lists=[
            {"id": 1, "name": "fl",
             "elements": [{"type": "field", "value": f} for f in keep or []]}
        ],
    )  # fmt: skip
    return ReferenceEngine(load(made))


def test_unicast() -> None:
    assert switch(send(5)).process(1, FRAME, 0) == [Sent(5, FRAME)]


def test_without_a_word_a_packet_goes_to_port_0() -> None:
    assert switch().process(1, FRAME, 0) == [Sent(0, FRAME)]


def test_drop_in_ingress_and_in_egress() -> None:
    assert switch(send(5), drop()).process(1, FRAME, 0) == []
    assert switch(drop(), send(5)).process(1, FRAME, 0) == [Sent(5, FRAME)]
    assert switch(send(5), egress=[drop()]).process(1, FRAME, 0) == []


def test_another_drop_port() -> None:
    program = switch(send(511)).program
    assert ReferenceEngine(program).process(1, FRAME, 0) == []
    assert ReferenceEngine(program, drop_port=17).process(1, FRAME, 0) == [Sent(511, FRAME)]


def test_standard_metadata_in_egress() -> None:
    engine = switch(
        send(5), egress=[assign(KIND, meta("egress_port")), assign(VALUE, meta("packet_length"))]
    )
    assert engine.process(1, FRAME + b"pay", 0)[0].frame == b"\x05\x00\x07\x00pay"


def test_ingress_port_and_time() -> None:
    stamp = assign(VALUE, meta("ingress_global_timestamp"))
    engine = switch(assign(KIND, meta("ingress_port")), stamp, send(5))
    assert engine.process(9, FRAME, 1_234_000)[0].frame == b"\x09" + (1234).to_bytes(2) + b"\0"


def test_exit_ends_only_its_pipeline() -> None:
    engine = switch(send(5), call("exit"), egress=[assign(KIND, const(1))])
    assert engine.process(1, FRAME, 0) == [Sent(5, b"\x01" + FRAME[1:])]


def test_multicast() -> None:
    engine = switch(
        assign(meta("mcast_grp"), const(3)),
        egress=[assign(KIND, meta("egress_rid")), assign(VALUE, meta("instance_type"))],
    )
    assert engine.process(1, FRAME, 0) == []
    engine.set_multicast_group(3, [Replica(1, 10), Replica(2, 20)])
    replicated = InstanceType.REPLICATION.to_bytes(2, "big")
    assert engine.process(1, FRAME, 0) == [
        Sent(1, b"\x0a" + replicated + b"\0"),
        Sent(2, b"\x14" + replicated + b"\0"),
    ]
    engine.set_multicast_group(3, None)
    assert engine.process(1, FRAME, 0) == []


def test_mark_to_drop_takes_a_multicast_back() -> None:
    engine = switch(assign(meta("mcast_grp"), const(3)), drop())
    engine.set_multicast_group(3, [Replica(1, 10)])
    assert engine.process(1, FRAME, 0) == []


def clone(which: str, session: int = 5) -> dict[str, Any]:
    return call(f"clone_{which}_pkt_to_egress", const(session), const(1))


def test_an_ingress_clone_is_the_packet_as_it_came() -> None:
    engine = switch(
        assign(KIND, const(0xAA)),
        assign(field("scalars", "a"), const(0x55)),
        assign(field("scalars", "b"), const(0x66)),
        clone("ingress"),
        send(2),
        clone=[assign(field("h", "low"), field("scalars", "a")),
               assign(field("h", "high"), field("scalars", "b"))],
        keep=[["scalars", "a"]],
    )  # fmt: skip
    changed = b"\xaa" + FRAME[1:]
    assert engine.process(1, FRAME, 0) == [Sent(2, changed)]
    engine.set_clone_session(5, [Replica(9, 0)])
    assert engine.process(1, FRAME, 0) == [Sent(9, FRAME[:3] + b"\x50"), Sent(2, changed)]


def test_a_dropped_packet_can_be_cloned() -> None:
    engine = switch(clone("ingress"), drop())
    engine.set_clone_session(5, [Replica(9, 0), Replica(8, 1)])
    assert engine.process(1, FRAME, 0) == [Sent(9, FRAME), Sent(8, FRAME)]
    engine.set_clone_session(5, [Replica(9, 0)], cut=3)
    assert engine.process(1, FRAME, 0) == [Sent(9, FRAME[:3])]
    engine.set_clone_session(5, None)
    assert engine.process(1, FRAME, 0) == []


def test_an_egress_clone_is_the_packet_as_egress_left_it() -> None:
    engine = switch(
        send(2),
        egress=[clone("egress"), assign(KIND, const(0xAA))],
        clone=[assign(VALUE, meta("instance_type"))],
    )
    engine.set_clone_session(5, [Replica(9, 0)])
    assert engine.process(1, FRAME, 0) == [
        Sent(2, b"\xaa" + FRAME[1:]),
        Sent(9, b"\xaa\x00\x02\x00"),
    ]


def test_resubmit_starts_over_with_the_packet_as_it_came() -> None:
    engine = switch(
        assign(KIND, const(0xAA)),
        assign(field("scalars", "a"), const(0x55)),
        call("resubmit", const(1)),
        again=[assign(field("h", "low"), field("scalars", "a")), send(4)],
        keep=[["scalars", "a"]],
    )
    assert engine.process(1, FRAME, 0) == [Sent(4, b"\x07\x12\x34\x50")]


def test_recirculate_starts_over_with_the_packet_as_it_left() -> None:
    engine = switch(
        send(2),
        egress=[assign(KIND, const(0xAA)), call("recirculate", const(1))],
        again=[drop()],
    )
    assert engine.process(1, FRAME, 0) == []
    lines: list[str] = []
    engine.trace = lambda event: lines.append(str(event))
    engine.process(1, FRAME, 0)
    assert any("recirculate" in line for line in lines)
    assert any("kind=0xaa" in line for line in lines)


def test_a_packet_that_recirculates_for_ever_is_dropped() -> None:
    engine = switch(send(2), egress=[call("recirculate", const(1))])
    lines: list[str] = []
    engine.trace = lambda event: lines.append(str(event))
    assert engine.process(1, FRAME, 0) == []
    assert f"took {MAX_PASSES} passes" in lines[-1]


def test_truncate() -> None:
    engine = switch(send(2), call("truncate", const(6)))
    assert engine.process(1, FRAME + b"payload", 0) == [Sent(2, FRAME + b"pa")]
    assert engine.process(1, FRAME, 0) == [Sent(2, FRAME)]


def test_the_trace_tells_the_whole_story() -> None:
    engine = switch(assign(KIND, const(0xAA)), send(5))
    lines: list[str] = []
    engine.trace = lambda event: lines.append(str(event))
    engine.process(1, FRAME, 0)
    assert lines == [
        "packet of 4 bytes on port 1",
        "  parser state start",
        "    extract h: kind=0x7, value=0x1234, low=0x0, high=0x0",
        "      h valid",
        "  ingress:",
        "    if fresh: true",
        "      h.kind: 0x7 -> 0xaa",
        "      standard_metadata.egress_spec: 0x0 -> 0x5",
        "  unicast to port 5",
        "  egress:",
        "    if cloned: false",
        "  4 bytes leave by port 5",
    ]


def test_statements_of_a_deparser_run_before_it_emits() -> None:
    made = one_action()
    told = call(
        "log_msg",
        {"type": "string", "value": "kind {}"},
        {"type": "parameters_vector", "value": [field("h", "kind")]},
    )
    small = op("b2d", None, op("<", field("h", "kind"), const(9)))
    made["deparsers"][0]["primitives"] = [told, call("assert", small)]
    engine = ReferenceEngine(load(made))
    seen: list[str] = []
    engine.trace = lambda event: seen.append(str(event).strip())
    assert len(engine.process(1, b"\x08\0\0\0", 0)) == 1
    assert "log: kind 8" in seen
    assert engine.process(1, b"\x09\0\0\0", 0) == []
    assert seen[-1] == "dropped: assert in the deparser"


def test_a_priority_without_a_queue_drops() -> None:
    engine = ReferenceEngine(load(one_action(assign(meta("priority"), field("h", "low")))))
    assert len(engine.process(1, b"\0\0\0\x00", 0)) == 1
    assert engine.process(1, b"\0\0\0\x10", 0) == []
