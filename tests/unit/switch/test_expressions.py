"""Values of expressions and effects of primitives, seen in the packet that leaves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.switch.reference import ReferenceEngine

from .programs import (
    assign,
    boolean,
    call,
    const,
    field,
    header,
    load,
    one_action,
    op,
    send,
    stack,
)

W = field("scalars", "w")
S = field("scalars", "s")
VALUE = field("h", "value")
KIND = field("h", "kind")


def result(*body: dict[str, Any], frame: bytes = b"\x07\x12\x34\x5a", **more: Any) -> bytes:
    """What leaves after the action has run on a frame."""
    engine = ReferenceEngine(load(one_action(*body, **more)))
    (sent,) = engine.process(1, frame, 0)
    assert sent.port == 1
    return sent.frame


def value_of(expression: dict[str, Any]) -> int:
    """An expression's value, cut to 16 bits."""
    return int.from_bytes(result(assign(VALUE, expression))[1:3], "big")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (op("+", const(0xFFFF), const(2)), 1),
        (op("-", const(1), const(2)), 0xFFFF),
        (op("*", const(300), const(300)), 90000 & 0xFFFF),
        (op("/", const(7), const(2)), 3),
        (op("%", const(7), const(4)), 3),
        (op("/", const(7), W), 0),
        (op("%", const(7), W), 0),
        (op("-", None, const(1)), 0xFFFF),
        (op("+", None, const(1)), 1),
        (op("<<", const(1), const(15)), 0x8000),
        (op("<<", const(1), const(16)), 0),
        (op("<<", const(1), op("*", const(1 << 40), const(1 << 40))), 0),
        (op(">>", const(0x8000), const(15)), 1),
        (op(">>", op("-", None, const(8)), const(1)), 0xFFFC),
        (op("&", const(0xF0F0), const(0xFF00)), 0xF000),
        (op("|", const(0xF0F0), const(0x0F00)), 0xFFF0),
        (op("^", const(0xF0F0), const(0xFF00)), 0x0FF0),
        (op("~", None, const(0x00FF)), 0xFF00),
        (op("two_comp_mod", const(257), const(8)), 1),
        (op("two_comp_mod", const(0x80), const(8)), 0xFF80),
        (op("usat_cast", const(300), const(8)), 255),
        (op("usat_cast", op("-", const(1), const(2)), const(8)), 0),
        (op("sat_cast", const(300), const(8)), 127),
        (op("sat_cast", op("-", const(0), const(300)), const(8)), 0xFF80),
        (op("b2d", None, boolean(True)), 1),
        (op("?", const(5), const(6), cond=op("==", KIND, const(7))), 5),
        (op("?", const(5), const(6), cond=op("!=", KIND, const(7))), 6),
        (op("b2d", None, op("<", const(1), const(2))), 1),
        (op("b2d", None, op(">", const(1), const(2))), 0),
        (op("b2d", None, op("<=", const(2), const(2))), 1),
        (op("b2d", None, op(">=", const(1), const(2))), 0),
        (op("b2d", None, op("and", boolean(True), boolean(False))), 0),
        (op("b2d", None, op("or", boolean(True), boolean(False))), 1),
        (op("b2d", None, op("not", None, boolean(False))), 1),
        (op("b2d", None, op("==", boolean(False), boolean(False))), 1),
        (op("b2d", None, op("d2b", None, const(4))), 1),
        (op("b2d", None, op("valid", None, header("h"))), 1),
        (op("b2d", None, op("==", header("h"), header("h"))), 1),
        (field("h", "$valid$"), 1),
        (op("access_field", header("h"), 0), 7),
        (boolean(True), 1),
        ({"type": "expression", "value": op("+", const(1), const(1))}, 2),
    ],
)
def test_operators(expression: dict[str, Any], value: int) -> None:
    assert value_of(expression) == value


def test_signed_fields_hold_signed_values() -> None:
    read_back = op("b2d", None, op("<", S, const(0)))
    assert result(assign(S, const(0x80)), assign(VALUE, read_back))[1:3] == b"\x00\x01"
    assert result(assign(S, const(0x7F)), assign(VALUE, read_back))[1:3] == b"\x00\x00"


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


@settings(max_examples=50, deadline=None)
@given(
    a=st.integers(-(2**70), 2**70),
    b=st.integers(-(2**70), 2**70),
    c=st.integers(0, 2**16 - 1),
    first=st.sampled_from(sorted(OPERATORS)),
    second=st.sampled_from(sorted(OPERATORS)),
)
def test_arithmetic_is_cut_only_when_stored(
    a: int, b: int, c: int, first: str, second: str
) -> None:
    expected = OPERATORS[second](OPERATORS[first](a, b), c) & 0xFFFF
    assert value_of(op(second, op(first, const(a), const(b)), const(c))) == expected


def test_jumps() -> None:
    body = [
        call("_jump_if_zero", op("b2d", None, op("==", KIND, const(7))), const(4)),
        assign(VALUE, const(1)),
        call("_jump", const(5)),
        assign(VALUE, const(2)),
    ]
    assert result(*body)[1:3] == b"\x00\x01"
    assert result(*body, frame=b"\x08\0\0\0")[1:3] == b"\x00\x02"


def test_a_jump_that_never_ends_is_stopped() -> None:
    engine = ReferenceEngine(load(one_action(call("_jump", const(0)))))
    lines: list[str] = []
    engine.trace = lambda event: lines.append(str(event))
    assert len(engine.process(1, b"\0\0\0\0", 0)) == 1
    assert any("stopped here" in line for line in lines)


def test_header_validity() -> None:
    assert result(call("remove_header", header("h"))) == b""
    revived = result(call("remove_header", header("h")), call("add_header", header("h")))
    assert revived == b"\0\0\0\0"
    assert result(call("add_header", header("h"))) == b"\x07\x12\x34\x5a"


TWO = {"headers": {"g": "h_t"}, "order": ["h", "g"]}


def test_headers_are_copied_with_their_validity() -> None:
    copied = result(call("assign_header", header("g"), header("h")), **TWO)
    assert copied == b"\x07\x12\x34\x5a" * 2
    assert result(call("assign_header", header("h"), header("g")), **TWO) == b""


def register_program(*body: dict[str, Any]) -> dict[str, Any]:
    return one_action(*body, register_arrays=[{"name": "r", "id": 0, "size": 4, "bitwidth": 12}])


REGISTER = {"type": "register_array", "value": "r"}


def test_registers_keep_their_width_and_their_bounds() -> None:
    engine = ReferenceEngine(
        load(
            register_program(
                call("register_write", REGISTER, KIND, const(0x12345)),
                call("register_read", VALUE, REGISTER, KIND),
            )
        )
    )
    (inside,) = engine.process(1, b"\x03\0\0\0", 0)
    assert inside.frame[1:3] == b"\x03\x45"
    assert engine.register(0, 3) == 0x345
    (outside,) = engine.process(1, b"\x04\xab\xcd\0", 0)
    assert outside.frame[1:3] == b"\xab\xcd"
    with pytest.raises(IndexError, match="register 'r' cell 4"):
        engine.register(0, 4)


def test_counters_count_packets_and_bytes_within_bounds() -> None:
    made = one_action(
        call("count", {"type": "counter_array", "value": "c"}, KIND),
        counter_arrays=[{"name": "c", "id": 0, "size": 4, "is_direct": False}],
    )
    engine = ReferenceEngine(load(made))
    for frame in (b"\x03\0\0\0", b"\x03\0\0\0rest", b"\x04\0\0\0"):
        engine.process(1, frame, 0)
    assert [(engine.counter(0, i).packets, engine.counter(0, i).bytes) for i in range(4)] == [
        (0, 0), (0, 0), (0, 0), (2, 12),
    ]  # fmt: skip


def test_hash_is_taken_modulo_and_offset() -> None:
    made = {
        "calculations": [
            {
                "name": "c", "id": 0, "algo": "identity",
                "input": [
                    {"type": "field", "value": ["h", "kind"]},
                    {"type": "hexstr", "value": "0x5", "bitwidth": 8},
                ],
            }
        ]
    }  # fmt: skip
    calculation = {"type": "calculation", "value": "c"}
    primitive = "modify_field_with_hash_based_offset"
    hashed = result(call(primitive, VALUE, const(100), calculation, const(1000)), **made)
    assert int.from_bytes(hashed[1:3], "big") == 100 + 0x0705 % 1000
    unlimited = result(call(primitive, VALUE, const(100), calculation, const(0)), **made)
    assert int.from_bytes(unlimited[1:3], "big") == 100


def test_random_stays_within_its_bounds() -> None:
    engine = ReferenceEngine(
        load(one_action(call("modify_field_rng_uniform", VALUE, const(5), const(7))))
    )
    seen = {engine.process(1, b"\0\0\0\0", 0)[0].frame[2] for _ in range(200)}
    assert seen == {5, 6, 7}
    assert result(call("modify_field_rng_uniform", VALUE, const(7), const(5)))[1:3] == b"\x12\x34"


STACK_OF_3 = {
    "headers": {f"k[{i}]": "h_t" for i in range(3)},
    "header_stacks": [
        {"name": "k", "id": 0, "header_type": "h_t", "size": 3, "header_ids": [2, 3, 4]}
    ],
    "order": ["h", "k[0]", "k[1]", "k[2]"],
    "states": [
        {
            "name": "start", "id": 0, "transition_key": [], "transitions": [
                {"type": "default", "value": None, "mask": None, "next_state": None}
            ],
            "parser_ops": [
                {"op": "extract", "parameters": [{"type": "regular", "value": "h"}]},
                {"op": "extract", "parameters": [{"type": "stack", "value": "k"}]},
                {"op": "extract", "parameters": [{"type": "stack", "value": "k"}]},
            ],
        }
    ],
}  # fmt: skip
FRAME = bytes.fromhex("01000000 02000000 03000000".replace(" ", ""))


def stack_result(*body: dict[str, Any]) -> list[int]:
    """First bytes of the headers that leave."""
    import copy

    frame = result(*body, frame=FRAME, **copy.deepcopy(STACK_OF_3))
    return [frame[i] for i in range(0, len(frame), 4)]


def test_stacks_shift() -> None:
    assert stack_result() == [1, 2, 3]
    assert stack_result(call("push", stack("k"), const(1))) == [1, 2, 3]
    assert stack_result(call("push", stack("k"), const(2))) == [1, 2]
    assert stack_result(call("push", stack("k"), const(9))) == [1]
    assert stack_result(call("pop", stack("k"), const(1))) == [1, 3]
    assert stack_result(call("pop", stack("k"), const(9))) == [1]


def test_stack_indices() -> None:
    last = op("last_stack_index", None, stack("k"))
    size = op("size_stack", None, stack("k"))
    assert stack_result(assign(KIND, last)) == [1, 2, 3]
    assert stack_result(assign(KIND, size)) == [2, 2, 3]

    def element(index: dict[str, Any]) -> dict[str, Any]:
        return op("access_field", op("dereference_header_stack", stack("k"), index), 0)

    assert stack_result(assign(KIND, element(KIND))) == [3, 2, 3]
    assert stack_result(assign(element(KIND), const(9))) == [1, 2, 9]
    assert stack_result(assign(KIND, element(const(3)))) == [0, 2, 3]
    assert stack_result(assign(element(const(3)), const(9))) == [1, 2, 3]
    assert stack_result(assign(KIND, {"type": "stack_field", "value": ["k", "kind"]})) == [3, 2, 3]


def test_log_msg_fills_in_values() -> None:
    made = one_action(
        call(
            "log_msg",
            {"type": "string", "value": "kind {} and {}"},
            {"type": "parameters_vector", "value": [KIND, const(9)]},
        ),
        call(
            "log_msg",
            {"type": "string", "value": "plain"},
            {"type": "parameters_vector", "value": {}},
        ),
    )
    engine = ReferenceEngine(load(made))
    lines: list[str] = []
    engine.trace = lambda event: lines.append(str(event).strip())
    engine.process(1, b"\x07\0\0\0", 0)
    assert "log: kind 7 and 9" in lines
    assert "log: plain" in lines


def test_assert_drops_and_says_so() -> None:
    made = one_action(call("assert", op("==", KIND, const(7))), send(1))
    engine = ReferenceEngine(load(made))
    assert len(engine.process(1, b"\x07\0\0\0", 0)) == 1
    assert engine.process(1, b"\x08\0\0\0", 0) == []
