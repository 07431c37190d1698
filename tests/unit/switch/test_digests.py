"""Digests: the machine under a clock of the test's, and over a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from finsy.proto import p4d, p4i, p4r, p4t

from p4embed.switch.engine import Digested, Op
from p4embed.switch.p4runtime.data import DigestTranslator
from p4embed.switch.p4runtime.digests import Digests
from p4embed.switch.p4runtime.errors import MismatchError, P4RuntimeError
from p4embed.switch.p4runtime.translate import Translator
from p4embed.switch.program import Field
from p4embed.switch.reference import ReferenceEngine

from .client import DELETE, INSERT, MODIFY, Client, Code, batch_errors
from .p4info import DIGEST_ID, p4info
from .programs import Json, call, const, load, one_table

MS = 10**6


def program() -> Json:
    made = one_table([("exact", "h", "kind")], default=(5, []))
    made["learn_lists"] = [
        {"id": 1, "name": "d", "elements": [
            {"type": "field", "value": ["h", name]} for name in ("kind", "value", "low")
        ]}
    ]  # fmt: skip
    learn = {"name": "miss", "id": 5, "runtime_data": [],
             "primitives": [call("generate_digest", const(0), const(1))]}  # fmt: skip
    made["actions"][1] = learn
    table = made["pipelines"][0]["tables"][0]
    table["action_ids"] = [3, 5]
    return made


def data(number: int) -> bytes:
    return number.to_bytes(4, "big")


class Bench:
    """One digest under a controller's thumb; times in milliseconds."""

    def __init__(self, timeout: int, size: int, ack: int) -> None:
        made = load(program())
        self.digests = Digests(Translator(p4info(made), made))
        self.configure(Op.INSERT, timeout, size, ack)

    def configure(self, op: Op, timeout: int = 0, size: int = 0, ack: int = 0) -> None:
        entry = p4r.DigestEntry(digest_id=DIGEST_ID)
        entry.config.max_timeout_ns = timeout * MS
        entry.config.max_list_size = size
        entry.config.ack_timeout_ns = ack * MS
        self.digests.write(op, entry)

    def learned(self, now: int, *numbers: int) -> list[list[int]]:
        return self._lists(self.digests.learned([Digested(0, data(n)) for n in numbers], now * MS))

    def passed(self, now: int) -> list[list[int]]:
        return self._lists(self.digests.passed(now * MS))

    def _lists(self, messages: list[p4r.StreamMessageResponse]) -> list[list[int]]:
        if messages:
            self.last_list = messages[-1].digest.list_id
        return [
            [int.from_bytes(one.struct.members[1].bitstring, "big") for one in m.digest.data]
            for m in messages
        ]

    def ack(self) -> None:
        self.digests.acknowledge(p4r.DigestListAck(digest_id=DIGEST_ID, list_id=self.last_list))


def test_without_delay_each_is_a_list_of_its_own() -> None:
    bench = Bench(timeout=0, size=0, ack=0)
    assert bench.learned(0, 1 << 8, 2 << 8, 1 << 8) == [[1], [2], [1]]
    assert bench.digests.due_ns() is None


def test_lists_are_full_or_in_time() -> None:
    bench = Bench(timeout=10, size=3, ack=0)
    one, two, three, four = (n << 8 for n in (1, 2, 3, 4))
    assert bench.learned(5, one, two, one) == []
    assert bench.learned(6, three, four) == [[1, 2, 3]]
    assert bench.digests.due_ns() == 16 * MS
    assert bench.passed(15) == []
    assert bench.passed(16) == [[4]]


def test_what_is_not_acknowledged_is_not_sent_again_for_a_while() -> None:
    bench = Bench(timeout=0, size=1, ack=100)
    one = 1 << 8
    assert bench.learned(0, one, one) == [[1]]
    assert bench.learned(50, one) == []
    bench.ack()
    assert bench.learned(51, one) == [[1]]
    assert bench.digests.due_ns() == 151 * MS
    assert bench.passed(150) == bench.learned(150, one) == []
    assert bench.passed(151) == []
    assert bench.learned(151, one) == [[1]]


def test_the_oldest_are_forgotten_when_nobody_acknowledges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("p4embed.switch.p4runtime.digests.MAX_UNACKNOWLEDGED", 2)
    bench = Bench(timeout=0, size=1, ack=10**6)
    assert len(bench.learned(0, 1, 2, 3)) == 3
    assert len(bench.learned(0, 3, 2)) == 0
    assert len(bench.learned(0, 1)) == 1


def test_what_is_disabled_is_quiet() -> None:
    bench = Bench(timeout=0, size=1, ack=0)
    bench.configure(Op.DELETE)
    assert bench.learned(0, 1) == []
    for op in (Op.DELETE, Op.MODIFY):
        with pytest.raises(P4RuntimeError, match="not enabled"):
            bench.configure(op)
    bench.configure(Op.INSERT)
    with pytest.raises(P4RuntimeError, match="is enabled"):
        bench.configure(Op.INSERT)


def test_an_engine_takes_the_fields_as_ingress_leaves_them() -> None:
    engine = ReferenceEngine(load(program()))
    engine.process(1, bytes.fromhex("09123450"), 0)
    engine.process(1, bytes.fromhex("0aabcd60"), 0)
    assert engine.take_digests() == [
        Digested(0, bytes.fromhex("09123405")),
        Digested(0, bytes.fromhex("0aabcd06")),
    ]
    assert engine.take_digests() == []


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    made = Client(port)
    made.receive()
    made.set_config(json.dumps(program()).encode())
    yield made
    made.close()


def test_over_a_stream(client: Client) -> None:
    config = p4r.DigestEntry(digest_id=DIGEST_ID)
    config.config.ack_timeout_ns = 10**12
    config.config.max_list_size = 1
    client.write((INSERT, config))
    assert client.read(p4r.DigestEntry()) == [config]
    packet = p4r.StreamMessageRequest()
    for id_, value in ((1, 9), (2, 0x1234), (3, 5), (4, 0)):
        packet.packet.metadata.add(metadata_id=id_, value=value.to_bytes(2, "big"))
    client.requests.put(packet)
    learned = client.receive().digest
    assert (learned.digest_id, learned.list_id) == (DIGEST_ID, 1)
    assert learned.timestamp > 0
    fields = [p4d.P4Data(bitstring=value) for value in (b"\x09", b"\x12\x34", b"\x05")]
    assert list(learned.data) == [p4d.P4Data(struct=p4d.P4StructLike(members=fields))]

    ack = p4r.StreamMessageRequest()
    ack.digest_ack.digest_id, ack.digest_ack.list_id = DIGEST_ID, 1
    client.requests.put(ack)
    client.requests.put(packet)
    assert client.receive().digest.list_id == 2, "acknowledged, so it is news again"
    wrong = p4r.StreamMessageRequest()
    wrong.digest_ack.digest_id = 1
    client.requests.put(wrong)
    error = client.receive().error
    assert error.canonical_code == Code.INVALID_ARGUMENT.value[0]
    assert error.digest_list_ack.digest_list_ack.digest_id == 1
    client.write((MODIFY, config))
    client.write((DELETE, config))
    assert client.read(p4r.DigestEntry()) == []


def test_what_is_refused(client: Client) -> None:
    negative = p4r.DigestEntry(digest_id=DIGEST_ID)
    negative.config.max_timeout_ns = -1
    unknown = p4r.DigestEntry(digest_id=1)
    errors = batch_errors(client.write, (INSERT, negative), (INSERT, unknown))
    assert [code for code, _ in errors] == [3, 5]


def translator(fields: list[Field], edit: Callable[[p4i.Digest, p4t.P4TypeInfo], None]) -> Any:
    info, types = p4i.Digest(), p4t.P4TypeInfo()
    info.preamble.id, info.preamble.name = DIGEST_ID, "d"
    edit(info, types)
    return DigestTranslator(info, types, fields)


def test_digests_of_every_supported_type() -> None:
    def describe(info: p4i.Digest, types: p4t.P4TypeInfo) -> None:
        inner = types.structs["inner"].members
        inner.add(name="flag").type_spec.bool.SetInParent()
        inner.add(name="code").type_spec.serializable_enum.name = "e"
        types.new_types["port_t"].original_type.bitstring.bit.bitwidth = 9
        members = info.type_spec.tuple.members
        members.add().struct.name = "inner"
        members.add().new_type.name = "port_t"
        members.add().bitstring.int.bitwidth = 12

    fields = [Field("flag", 1), Field("code", 8), Field("port", 9), Field("n", 12, signed=True)]
    made = translator(fields, describe).unpack(bytes.fromhex("01 2a 0105 0ffe"))
    inner, port, n = made.tuple.members
    assert inner.struct.members[0].bool is True
    assert inner.struct.members[1].enum_value == b"\x2a"
    assert (port.bitstring, n.bitstring) == (b"\x01\x05", b"\xfe")


@pytest.mark.parametrize("kind", ["header", "stack", "missing", "translated", "count"])
def test_digests_that_cannot_be(kind: str) -> None:
    def describe(info: p4i.Digest, types: p4t.P4TypeInfo) -> None:
        if kind == "header":
            info.type_spec.header.name = "h"
        elif kind == "missing":
            info.type_spec.struct.name = "s"
        elif kind == "translated":
            info.type_spec.new_type.name = "t"
            types.new_types["t"].translated_type.sdn_string.SetInParent()
        elif kind == "count":
            info.type_spec.tuple.SetInParent()
        else:
            info.type_spec.header_stack.SetInParent()

    with pytest.raises(MismatchError, match="d"):
        translator([Field("f", 8)], describe)
