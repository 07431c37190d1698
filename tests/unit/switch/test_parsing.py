"""The parser and deparser on real bytes."""

from __future__ import annotations

from typing import Any

import pytest

from p4embed.switch.engine import Sent
from p4embed.switch.reference import ReferenceEngine

from .programs import (
    H,
    action,
    assign,
    call,
    const,
    document,
    extract,
    field,
    header,
    load,
    meta,
    op,
    pipeline,
    run,
    send,
    state,
)

TYPES = {
    **H,
    "opt_t": [["len", 8, False], ["data", "*"], ["end", 8, False]],
    "report_t": [["error", 8, False], ["checksum", 8, False]],
}
HEADERS = {"report": "report_t", "h": "h_t", "g": "h_t", "opt": "opt_t"}
ORDER = ["report", "h", "g", "opt"]


def parse(states: list[dict[str, Any]], frame: bytes, **more: Any) -> tuple[int, bytes]:
    """The parser's error code, and the packet as it is put together again."""
    report = action(
        "report",
        0,
        call("add_header", header("report")),
        assign(field("report", "error"), meta("parser_error")),
        assign(field("report", "checksum"), meta("checksum_error")),
        send(1),
    )
    made = document(
        types=dict(TYPES),
        headers=dict(HEADERS),
        states=states,
        order=list(ORDER),
        actions=[report],
        ingress=pipeline("ingress", "report", calls=[run("report", 0)]),
        **more,
    )
    engine = ReferenceEngine(load(made))
    (sent,) = engine.process(3, frame, 0)
    return sent.frame[0], sent.frame[2:]


KIND_KEY = [field("h", "kind")]


def test_what_is_not_parsed_is_payload() -> None:
    assert parse([state("start")], b"anything") == (0, b"anything")
    assert parse([state("start", extract("h"))], b"\1\2\3\4rest") == (0, b"\1\2\3\4rest")
    assert parse([state("start")], b"") == (0, b"")


def test_a_short_frame_is_an_error_and_goes_on() -> None:
    assert parse([state("start", extract("h"))], b"\1\2\3") == (1, b"\1\2\3")
    twice = [state("start", extract("h"), extract("g"))]
    assert parse(twice, b"\1\2\3\4\5") == (1, b"\1\2\3\4\5")


@pytest.mark.parametrize(
    ("first", "reached"),
    [(0x08, "exact"), (0x81, "masked"), (0x8F, "masked"), (0x70, "otherwise")],
)
def test_transitions_are_tried_in_order(first: int, reached: str) -> None:
    def ends(name: str, value: int) -> dict[str, Any]:
        return state(name, {"op": "set", "parameters": [field("h", "value"), const(value)]})

    states = [
        state(
            "start",
            extract("h"),
            key=KIND_KEY,
            to={"0x08": "exact", "0x80&0x80": "masked", "0x8f": "never"},
            default="otherwise",
        ),
        ends("exact", 1),
        ends("masked", 2),
        ends("never", 3),
        ends("otherwise", 4),
    ]
    wanted = {"exact": 1, "masked": 2, "otherwise": 4}[reached]
    assert parse(states, bytes([first, 0, 0, 0])) == (0, bytes([first, 0, wanted, 0]))


def test_a_key_of_several_fields_pads_each_to_bytes() -> None:
    key = [field("h", "low"), field("h", "kind"), field("h", "high")]
    hit = state("hit", {"op": "set", "parameters": [field("h", "value"), const(0xBEEF)]})
    states = [state("start", extract("h"), key=key, to={"0x0a070b": "hit"}), hit]
    assert parse(states, b"\x07\0\0\xab") == (0, b"\x07\xbe\xef\xab")
    assert parse(states, b"\x07\0\0\xac") == (0, b"\x07\0\0\xac")


def test_lookahead_consumes_nothing() -> None:
    ahead = {"type": "lookahead", "value": [4, 8]}
    states = [
        state("start", key=[ahead], to={"0x23": "take"}),
        state(
            "take",
            {"op": "set", "parameters": [field("scalars", "a"), ahead]},
            extract("h"),
            {"op": "set", "parameters": [field("h", "kind"), field("scalars", "a")]},
        ),
    ]
    assert parse(states, b"\x12\x34\x56\x78") == (0, b"\x23\x34\x56\x78")
    assert parse(states, b"\x12") == (1, b"\x12")


def test_advance_skips_bytes() -> None:
    def advance(bits: int) -> list[dict[str, Any]]:
        skip = {"op": "advance", "parameters": [const(bits)]}
        return [state("start", skip, extract("h"))]

    assert parse(advance(16), b"xx\1\2\3\4") == (0, b"\1\2\3\4")
    assert parse(advance(800), b"xx\1\2\3\4")[0] == 1
    assert parse(advance(9), b"xx\1\2\3\4")[0] == 6


def test_verify_stops_with_its_error() -> None:
    check = op("==", field("h", "kind"), const(1))
    states = [
        state("start", extract("h"), {"op": "verify", "parameters": [check, const(7)]},
              extract("g"))
    ]  # fmt: skip
    assert parse(states, b"\1\0\0\0\5\0\0\0")[0] == 0
    assert parse(states, b"\2\0\0\0\5\0\0\0") == (7, b"\2\0\0\0\5\0\0\0")


def test_variable_length_fields() -> None:
    length = op("*", {"type": "lookahead", "value": [0, 8]}, const(8))
    states = [
        state(
            "start",
            {"op": "set", "parameters": [field("scalars", "w"), length["value"]["left"]]},
            {
                "op": "extract_VL",
                "parameters": [
                    {"type": "regular", "value": "opt"},
                    {"type": "expression", "value": op("*", field("scalars", "w"), const(8))},
                ],
            },
        )
    ]
    assert parse(states, b"\x02abEpay") == (0, b"\x02abEpay")
    assert parse(states, b"\x00Epay") == (0, b"\x00Epay")
    assert parse(states, b"\x07abcdefgE")[0] == 4
    assert parse(states, b"\x05abc")[0] == 1


def test_a_full_stack_is_an_error() -> None:
    states = [
        state("start", extract("k", "stack"), key=[{"type": "stack_field", "value": ["k", "kind"]}],
              to={"0x01": "start"})
    ]  # fmt: skip
    stacks = [{"name": "k", "id": 0, "header_type": "h_t", "size": 2, "header_ids": [3, 4]}]
    assert parse(states, b"\1\0\0\0\2\0\0\0tail", header_stacks=stacks)[0] == 0
    assert parse(states, b"\1\0\0\0\1\0\0\0\1\0\0\0", header_stacks=stacks)[0] == 3


def test_a_parser_that_never_ends_is_stopped() -> None:
    code, frame = parse([state("start", default="start")], b"x")
    assert (code, frame) == (0, b"x")


CHECKSUM = {
    "calculations": [
        {
            "name": "c", "id": 0, "algo": "csum16",
            "input": [
                {"type": "field", "value": ["h", "kind"]},
                {"type": "hexstr", "value": "0x0", "bitwidth": 8},
                {"type": "payload", "value": None},
            ],
        }
    ],
    "checksums": [
        {"name": "k", "id": 0, "target": ["h", "value"], "type": "generic", "calculation": "c",
         "verify": True, "update": True, "if_cond": None}
    ],
}  # fmt: skip


def checksummed(frame: bytes, condition: dict[str, Any] | None = None) -> Sent:
    more: dict[str, Any] = {**CHECKSUM}
    more["checksums"] = [{**CHECKSUM["checksums"][0], "if_cond": condition}]
    report = action(
        "report", 0, assign(field("h", "low"), meta("checksum_error")), send(1)
    )  # fmt: skip
    made = document(
        types=dict(H),
        headers={"h": "h_t"},
        states=[state("start", extract("h"))],
        order=["h"],
        actions=[report],
        ingress=pipeline("ingress", "report", calls=[run("report", 0)]),
        **more,
    )
    (sent,) = ReferenceEngine(load(made)).process(1, frame, 0)
    return sent


def test_checksums_are_verified_and_updated() -> None:
    # RFC 1071: complement of 0x0100 + 0x6162.
    right = bytes.fromhex("01 9d9d 00") + b"ab"
    assert checksummed(right).frame == right
    wrong = bytes.fromhex("01 9d9e 00") + b"ab"
    assert checksummed(wrong).frame == bytes.fromhex("01 9d9d 10") + b"ab"


def test_a_condition_switches_a_checksum_off() -> None:
    never = op("==", field("h", "kind"), const(2))
    wrong = bytes.fromhex("01 9d9e 00") + b"ab"
    assert checksummed(wrong, never).frame == wrong
