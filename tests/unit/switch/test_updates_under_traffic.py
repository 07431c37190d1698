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

ROUNDS = 20
ENTRIES = 4096
"""Far more than the native executor applies in one turn of a batch that is not atomic."""

Make = Callable[[Program], Engine]


def program() -> Json:
    """Two tables write what their entries hold: one into ``kind``, one into ``low``."""
    to_kind = action("to_kind", 1, assign(field("h", "kind"), param(0)), params={"v": 8})
    to_low = action("to_low", 2, send(1), assign(field("h", "low"), param(0)), params={"v": 4})
    key = [("exact", "h", "value")]
    return document(
        types=dict(H),
        headers={"h": "h_t"},
        states=[state("start", extract("h"))],
        order=["h"],
        actions=[to_kind, to_low],
        ingress=pipeline(
            "ingress", "one",
            [table("one", key, [to_kind], next_="two", size=ENTRIES),
             table("two", key, [to_low], size=ENTRIES)],
        ),
    )  # fmt: skip


def batch(op: Op, value: int) -> list[Update]:
    """All entries of both tables say ``value``; entry by entry, the second table last."""
    return [
        Update(op, index, Entry(EntryKey(key.to_bytes(2, "big")), index + 1, bytes([value])))
        for index in (0, 1)
        for key in range(ENTRIES)
    ]


@pytest.mark.parametrize("make", [ReferenceEngine, NativeEngine])
def test_a_batch_takes_effect_between_two_packets(make: Make) -> None:
    engine = make(load(program()))
    engine.write_together(batch(Op.INSERT, 0))  # type: ignore[attr-defined]
    done = threading.Event()
    problems: list[str] = []

    def traffic() -> None:
        key = 0
        while not done.is_set():
            key = (key + 1) % ENTRIES
            sent = engine.process(3, b"\0" + key.to_bytes(2, "big") + b"\0", 0)
            if len(sent) != 1:
                problems.append(f"{len(sent)} packets left")
            elif sent[0].frame[0] != sent[0].frame[3] >> 4:
                problems.append(f"half of a batch: {sent[0].frame.hex()}")

    thread = threading.Thread(target=traffic)
    thread.start()
    batches = [batch(Op.MODIFY, value) for value in (1, 2)]
    for turn in range(ROUNDS):
        engine.write_together(batches[turn % 2])  # type: ignore[attr-defined]
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
            if [packet.frame for packet in sent] != [b"\x07\x00\x00\x70"]:
                missed.append(sent)

    thread = threading.Thread(target=traffic)
    thread.start()
    others = batch(Op.INSERT, 3)[ENTRIES + 1 :]
    for _ in range(ROUNDS // 4):
        engine.write(others)
        engine.write([Update(Op.DELETE, update.table, update.entry) for update in others])
    done.set()
    thread.join()
    assert missed == []
    assert engine.entry_count(1) == 1
    engine.close()
