"""Parser value sets: what they match, and how a controller writes them."""

from __future__ import annotations

import json
from typing import Any

from finsy.proto import p4r

from p4embed.switch.reference import ReferenceEngine

from .client import INSERT, MODIFY, Client, batch_errors
from .p4info import VALUE_SET_ID, number
from .programs import Json, action, document, extract, field, load, op, pipeline, run, send, state


def program() -> Json:
    """A frame whose second byte is in the set leaves by port 2, any other by port 1."""
    types = {"h_t": [["a", 8, False], ["b", 8, False]], "n_t": [["c", 8, False]]}
    start = state("start", extract("h"), key=[field("h", "b")])
    start["transitions"].insert(
        0, {"type": "parse_vset", "value": "vs", "mask": None, "next_state": "more"}
    )
    valid = op("d2b", None, field("n", "$valid$"))
    return document(
        types=types,
        headers={"h": "h_t", "n": "n_t"},
        states=[start, state("more", extract("n"))],
        order=["h", "n"],
        actions=[action("one", 1, send(1)), action("two", 2, send(2))],
        ingress=pipeline(
            "ingress", "is_in",
            conditionals=[{"name": "is_in", "id": 0, "expression": valid,
                           "true_next": "two", "false_next": "one"}],
            calls=[run("one", 1), run("two", 2)],
        ),
        parse_vsets=[{"name": "vs", "id": 0, "compressed_bitwidth": 8, "max_size": 2}],
    )  # fmt: skip


def ports(engine: ReferenceEngine, *values: int) -> list[int]:
    return [engine.process(1, bytes([0, value, 0]), 0)[0].port for value in values]


def test_a_set_matches_any_of_its_members() -> None:
    engine = ReferenceEngine(load(program()))
    assert ports(engine, 0, 5, 0x80) == [1, 1, 1]
    engine.set_value_set(0, [(b"\x05", b"\xff"), (b"\x80", b"\xf0")])
    assert ports(engine, 0, 5, 0x80, 0x8F, 0x90) == [1, 2, 2, 2, 1]
    engine.set_value_set(0, [])
    assert ports(engine, 5) == [1]


def value_set(*members: tuple[int, int]) -> p4r.ValueSetEntry:
    made = p4r.ValueSetEntry(value_set_id=VALUE_SET_ID)
    for value, mask in members:
        match = made.members.add().match.add(field_id=1)
        match.ternary.value, match.ternary.mask = number(value), number(mask)
    return made


def test_over_p4runtime(port: int) -> None:
    client = Client(port)
    client.receive()
    client.set_config(json.dumps(program()).encode())
    assert client.read(p4r.ValueSetEntry()) == [value_set()]
    client.write((MODIFY, value_set((5, 0xFF), (0x80, 0xF0))))
    assert client.read(p4r.ValueSetEntry()) == [value_set((5, 0xFF), (0x80, 0xF0))]
    unknown_field: Any = value_set((1, 1))
    unknown_field.members[0].match[0].field_id = 2
    errors = batch_errors(
        client.write,
        (INSERT, value_set()),
        (MODIFY, value_set((1, 1), (2, 2), (4, 4))),
        (MODIFY, value_set((1, 1), (1, 1))),
        (MODIFY, value_set((3, 1))),
        (MODIFY, unknown_field),
        (MODIFY, p4r.ValueSetEntry(value_set_id=1)),
    )
    assert [code for code, _ in errors] == [3, 8, 6, 3, 3, 5]
    client.write((MODIFY, value_set()))
    assert client.read(p4r.ValueSetEntry()) == [value_set()]
    client.close()
