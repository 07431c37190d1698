"""What is put together from bytes, and read by them, is what the message classes say."""

from collections.abc import Sequence
from random import Random

import pytest
from finsy.proto import p4r
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.flow import Direction, FlowKey, Hop, Path, Port, Tuple5, Wing
from controller.messages import InstallWing, PacketIn
from controller.npu.contract import PACKET_IN
from controller.npu.entries import DELETE, INSERT, SessionEntries, query_of, update_of
from controller.npu.packets import PacketCodec
from controller.npu.pipeline import resolve
from controller.npu.readings import WingState, states
from controller.npu.wire import varint, varint_at
from controller.reasons import Punt
from controller_shell.fake_npu import p4info
from controller_shell.sample import CHASSIS

PIPELINE = resolve(p4info(), b"{}")
PORTS = st.integers(0, 0xFFFF)
BYTES = st.integers(0, 0xFF)


def keys() -> st.SearchStrategy[FlowKey]:
    """Keys of both families, with zeros where canonical byte strings are shorter."""

    def of(size: int) -> st.SearchStrategy[FlowKey]:
        address = st.lists(st.sampled_from((0, 1, 200)), min_size=size, max_size=size).map(bytes)
        return st.builds(FlowKey, address, address, PORTS, PORTS, BYTES, PORTS)

    return st.one_of(of(4), of(16))


def spelt(value: bytes) -> bytes:
    """A canonical byte string."""
    return value.lstrip(b"\0") or b"\0"


def number(value: int) -> bytes:
    """Likewise, of a number."""
    return spelt(value.to_bytes(8, "big"))


def key_entry(key: FlowKey) -> p4r.TableEntry:
    """The table and match of a wing, by the message classes."""
    table = PIPELINE.tables["session_v4" if len(key.src) == 4 else "session_v6"]
    entry = p4r.TableEntry(table_id=table.id)
    values = (spelt(key.src), spelt(key.dst), *(number(value) for value in key[2:]))
    for id_, value in zip(sorted(table.fields.values()), values, strict=True):
        entry.match.add(field_id=id_).exact.value = value
    return entry


@given(st.integers(0, 1 << 40))
def test_numbers_of_any_length_are_written_and_read(value: int) -> None:
    assert varint_at(b"\xff" + varint(value) + b"\x01", 1) == (value, 1 + len(varint(value)))


@settings(max_examples=40)
@given(keys(), keys(), st.sampled_from(list(Path)), st.binary(max_size=300), PORTS)
def test_an_entry_put_together_from_bytes_is_the_message(
    key: FlowKey, new: FlowKey, path: Path, record: bytes, spu: int
) -> None:
    entries = SessionEntries(PIPELINE, CHASSIS.npus[1])
    entries.epoch = 7
    new = new if len(new.src) == len(key.src) else key
    hop = Hop(Port(2, 1), 5, bytes.fromhex("000000020001"), bytes.fromhex("00aabbccddee"))
    wing = Wing(key, Port(1, 1), Tuple5(*new[:5]), hop)
    session = 20_000_000 + spu
    message = InstallWing(session, Direction.REVERSE, spu & 0xFF, wing, path, 10**9 * spu, record)
    for _ in range(2):  # The second time from what is remembered.
        made = p4r.Update.FromString(update_of(INSERT, entries.install(message)))
        assert made.type == p4r.Update.INSERT
        entry = made.entity.table_entry
        expected = key_entry(key)
        expected.metadata, expected.idle_timeout_ns = record, 10**9 * spu
        is_express = path is Path.EXPRESS
        name = f"express_v{4 if len(key.src) == 4 else 6}" if is_express else "to_spu"
        action = PIPELINE.actions[name]
        expected.action.action.action_id = action.id
        values = {"session_id": number(session), "wing": b"\1", "spu": number(spu & 0xFF)}
        values["epoch"] = b"\7"
        if is_express:
            values |= {"src_mac": spelt(hop.src_mac), "dst_mac": spelt(hop.dst_mac)}
            values |= {"vlan": b"\5", "port": number(CHASSIS.npus[1].fabric[2])}
            values["remote_port"] = b"\1"
        if name == "express_v4":
            values |= {"src_addr": spelt(new.src), "dst_addr": spelt(new.dst)}
            values |= {"src_port": number(new.sport), "dst_port": number(new.dport)}
        for field, id_ in action.fields.items():
            expected.action.action.params.add(param_id=id_, value=values[field])
        assert {p.param_id: p.value for p in entry.action.action.params} == {
            p.param_id: p.value for p in expected.action.action.params
        }
        entry.action.action.ClearField("params")
        expected.action.action.ClearField("params")
        assert entry == expected
    delete = p4r.Update.FromString(update_of(DELETE, entries.key(key)))
    assert (delete.type, delete.entity.table_entry) == (p4r.Update.DELETE, key_entry(key))
    query = p4r.Entity.FromString(query_of(entries.key(key))).table_entry
    assert query.HasField("counter_data")
    assert query.HasField("time_since_last_hit")


def reading(entries: Sequence[p4r.TableEntry]) -> bytes:
    """A serialized answer."""
    return p4r.ReadResponse(
        entities=[p4r.Entity(table_entry=entry) for entry in entries]
    ).SerializeToString()


@settings(max_examples=40)
@given(
    st.lists(keys(), min_size=1, max_size=6, unique=True),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.integers(1, 6),
)
def test_answers_are_understood_in_any_order_and_spelling(
    asked: list[FlowKey], there: list[bool], dice: Random, is_padded: bool, size: int
) -> None:
    made = SessionEntries(PIPELINE, CHASSIS.npus[1])
    expected: list[WingState | None] = []
    answer = []
    for place, key in enumerate(asked):
        if not there[place]:
            expected.append(None)
            continue
        state = WingState(10**9 * place, place << 33, place)
        expected.append(state)
        entry = key_entry(key)
        entry.action.action.action_id = 77  # Targets give whole entries.
        entry.counter_data.packet_count, entry.counter_data.byte_count = state[1:]
        entry.time_since_last_hit.elapsed_ns = state.idle
        entry.metadata = bytes(200)
        if is_padded:
            for field in entry.match:
                field.exact.value = field.exact.value.rjust(16, b"\0")
        answer.append(entry)
    ordered = [reading(answer[at : at + size]) for at in range(0, len(answer), size)]
    dice.shuffle(answer)
    for answers in (ordered, [reading(answer)]):
        assert states(made, [made.key(key) for key in asked], answers) == expected


@pytest.mark.parametrize("token", [2, 0x0806, 0x0612, 0x1204])
def test_sessions_of_a_kind_are_told_apart(token: int) -> None:
    """However much a field looks like the beginning of the session id."""
    codec = PacketCodec(PIPELINE, 1)
    id_ = PIPELINE.packet_in.fields["session_id"]
    for token_ in (token, id_ << 8 | 0x12, 0x0800 | id_):
        for session in (0, 7, 0x08_00_12 | id_ << 8, 10_000_007, 0x12_08_00_12 | id_ << 8, 7):
            for spu in (1, 200):
                message = p4r.StreamMessageResponse()
                message.packet.payload = b"frame"
                header = {"reason": Punt.SESSION, "token": token_, "session_id": session}
                header |= {"spu": spu, "wing": 1, "ingress_port": 300}
                for name in PACKET_IN:
                    metadata = message.packet.metadata.add(
                        metadata_id=PIPELINE.packet_in.fields[name]
                    )
                    metadata.value = number(header.get(name, 0))
                packet = codec.packet_in(message.SerializeToString(), 5)
                assert packet == PacketIn(
                    Port(1, 300), Punt.SESSION, token_, session, Direction.REVERSE, spu,
                    b"frame", 5,
                )  # fmt: skip
