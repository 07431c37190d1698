"""Thousands of updates while packets run: none is lost, and none sees half of a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from p4embed.switch.engine import Engine, Entry, EntryKey, Op, Update
from p4embed.switch.native import NativeEngine
from p4embed.switch.program import Program
from p4embed.switch.reference import ReferenceEngine

from .programs import (
    H,
    Json,
    action,
    assign,
    document,
    extract,
    field,
    load,
    param,
    pipeline,
    send,
    state,
    table,
)

ROUNDS = 200
ENTRIES = 64
"""More than the native executor applies in one turn of a batch that is not atomic."""

Make = Callable[[Program], Engine]


def program() -> Json:
    """Two tables write what their entries hold: one into ``value``, one into ``low``."""
    to_value = action("to_value", 1, assign(field("h", "value"), param(0)), params={"v": 16})
    to_low = action("to_low", 2, send(1), assign(field("h", "low"), param(0)), params={"v": 4})
    key = [("exact", "h", "kind")]
    return document(
        types=dict(H),
        headers={"h": "h_t"},
        states=[state("start", extract("h"))],
        order=["h"],
        actions=[to_value, to_low],
        ingress=pipeline(
            "ingress", "one",
            [table("one", key, [to_value], next_="two", size=ENTRIES),
             table("two", key, [to_low], size=ENTRIES)],
        ),
    )  # fmt: skip


def batch(op: Op, value: int) -> list[Update]:
    """All entries of both tables say ``value``; entry by entry, the second table last."""
    return [
        Update(op, index, Entry(EntryKey(bytes([kind])), index + 1, value.to_bytes(size, "big")))
        for index, size in ((0, 2), (1, 1))
        for kind in range(ENTRIES)
    ]


@pytest.mark.parametrize("make", [ReferenceEngine, NativeEngine])
def test_a_batch_takes_effect_between_two_packets(make: Make) -> None:
    engine = make(load(program()))
    engine.write_together(batch(Op.INSERT, 0))  # type: ignore[attr-defined]
    done = threading.Event()
    problems: list[str] = []

    def traffic() -> None:
        kind = 0
        while not done.is_set():
            kind = (kind + 1) % ENTRIES
            sent = engine.process(3, bytes([kind, 0, 0, 0]), 0)
            if len(sent) != 1:
                problems.append(f"{len(sent)} packets left")
            elif sent[0].frame[2] != sent[0].frame[3] >> 4:
                problems.append(f"half of a batch: {sent[0].frame.hex()}")

    thread = threading.Thread(target=traffic)
    thread.start()
    for turn in range(ROUNDS):
        engine.write_together(batch(Op.MODIFY, turn % 16))  # type: ignore[attr-defined]
    done.set()
    thread.join()
    assert problems == []
    engine.close()


@pytest.mark.parametrize("make", [ReferenceEngine, NativeEngine])
def test_entries_come_and_go_beside_traffic(make: Make) -> None:
    """Those that stay are hit by every packet."""
    engine = make(load(program()))
    engine.write(batch(Op.INSERT, 7)[: ENTRIES + 1])  # all of the first table, one of the second
    done = threading.Event()
    missed = []

    def traffic() -> None:
        while not done.is_set():
            sent = engine.process(3, bytes(4), 0)
            if [packet.frame for packet in sent] != [b"\x00\x00\x07\x70"]:
                missed.append(sent)

    thread = threading.Thread(target=traffic)
    thread.start()
    others = batch(Op.INSERT, 3)[ENTRIES + 1 :]
    for _ in range(ROUNDS):
        engine.write(others)
        engine.write([Update(Op.DELETE, update.table, update.entry) for update in others])
    done.set()
    thread.join()
    assert missed == []
    assert engine.entry_count(1) == 1
    engine.close()
