"""Whatever a controller, a file or a wire brings: an answer, never a fault.

Programs are real ones with parts exchanged, removed or spoilt; messages are valid ones likewise;
frames are any bytes up to jumbo size.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from finsy.proto import p4r
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.switch.engine import Entry, EntryKey, Op, Update
from p4embed.switch.json_reader import LoadError
from p4embed.switch.load import load_bytes
from p4embed.switch.p4runtime.errors import BatchError, P4RuntimeError
from p4embed.switch.p4runtime.read import Reader
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.translate import Translator
from p4embed.switch.p4runtime.write import Writer
from p4embed.switch.reference import ReferenceEngine

from . import client
from . import p4info as ids
from .programs import Json, call, const, field, load, one_table

BOUNDED = settings(max_examples=100, deadline=None)


def program(key: list[tuple[str, str, str]], selector: bool = False) -> Json:
    """One of everything."""
    made = one_table(key, counters=True, meter="m", timeout=True, size=4)
    made["counter_arrays"].append({"name": "c", "id": 1, "size": 2, "is_direct": False})
    made["meter_arrays"].append(
        {"name": "n", "id": 1, "type": "bytes", "rate_count": 2, "size": 2, "is_direct": False}
    )
    made["register_arrays"] = [{"name": "r", "id": 0, "size": 2, "bitwidth": 12}]
    made["parse_vsets"] = [{"name": "vs", "id": 0, "compressed_bitwidth": 8, "max_size": 2}]
    start = made["parsers"][0]["parse_states"][0]
    start["transition_key"] = [field("h", "kind")]
    start["transitions"].insert(
        0, {"type": "parse_vset", "value": "vs", "mask": None, "next_state": "start"}
    )
    made["learn_lists"] = [
        {"id": 1, "name": "d", "elements": [{"type": "field", "value": ["h", "kind"]}]}
    ]
    register, meter = (
        {"type": "register_array", "value": "r"},
        {"type": "meter_array", "value": "n"},
    )
    made["actions"][0]["primitives"] += [
        call("generate_digest", const(0), const(1)),
        call("register_write", register, field("h", "low"), field("h", "value")),
        call("execute_meter", meter, field("h", "low"), field("h", "kind")),
        call("count", {"type": "counter_array", "value": "c"}, field("h", "low")),
    ]
    if selector:
        table = made["pipelines"][0]["tables"][0]
        table["type"], table["action_profile"] = "indirect_ws", "ap"
        made["pipelines"][0]["action_profiles"] = [
            {"name": "ap", "id": 0, "max_size": 8,
             "selector": {"algo": "crc16", "input": [field("h", "value")]}}
        ]  # fmt: skip
    return made


PROGRAMS = [
    program([("exact", "h", "kind"), ("lpm", "h", "value")]),
    program([("ternary", "h", "kind"), ("range", "h", "value"), ("exact", "h", "low")]),
    program([("exact", "h", "kind")], selector=True),
]


# -- programs ---------------------------------------------------------------------------------


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a document."""
    yield at
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, child in items:
        yield from places(child, (*at, key))


def at_place(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**40), st.text(max_size=4), st.just([]), st.just({}),
    st.sampled_from(["0xff", "-0x1", "ternary", "field", "header", "expression", "h", "start"]),
)  # fmt: skip


@given(st.data())
@BOUNDED
def test_a_program_is_refused_with_its_place_or_runs(data: st.DataObject) -> None:
    made = copy.deepcopy(data.draw(st.sampled_from(PROGRAMS)))
    for _ in range(data.draw(st.integers(1, 3))):
        everywhere = list(places(made))
        *parent, key = data.draw(st.sampled_from(everywhere[1:]))
        if data.draw(st.booleans()):
            other = at_place(made, data.draw(st.sampled_from(everywhere)))
            at_place(made, tuple(parent))[key] = copy.deepcopy(other)
        else:
            at_place(made, tuple(parent))[key] = data.draw(ODD)
    try:
        loaded = load_bytes(json.dumps(made).encode())
    except LoadError as error:
        refusal = error.path
    else:
        ReferenceEngine(loaded).process(1, b"\x01\x02\x03\x04", 0)
        return
    assert refusal.startswith("$")


# -- frames -----------------------------------------------------------------------------------


@given(
    st.one_of(st.binary(max_size=64), st.binary(min_size=9000, max_size=9100)), st.integers(0, 511)
)
@BOUNDED
def test_any_frame_ends(frame: bytes, port: int) -> None:
    engine = ENGINES[len(frame) % len(ENGINES)]
    for sent in engine.process(port, frame, 0):
        assert len(sent.frame) <= max(len(frame), 4)


ENGINES = [ReferenceEngine(load(made)) for made in PROGRAMS[:2]]
ENGINES[0].write(
    [Update(Op.INSERT, 0, Entry(EntryKey(bytes(3), b"\xff" + bytes(2)), 3, b"\0\x01"))]
)


# -- messages ---------------------------------------------------------------------------------

INTERESTING = [
    0, 1, 2, 3, 4, 64, 255, 65535, 2**31 - 1, ids.TABLE_ID, ids.SET_PORT_ID, ids.MISS_ID,
    ids.COUNTER_ID, ids.REGISTER_ID, ids.METER_ID, ids.PROFILE_ID, ids.VALUE_SET_ID, ids.DIGEST_ID,
]  # fmt: skip


def value_of(descriptor: FieldDescriptor) -> st.SearchStrategy[Any]:
    kinds: dict[int, st.SearchStrategy[Any]] = {
        FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
        FieldDescriptor.CPPTYPE_STRING: st.binary(max_size=3)
        if descriptor.type == FieldDescriptor.TYPE_BYTES
        else st.text(max_size=3),
        FieldDescriptor.CPPTYPE_INT64: st.sampled_from([-1, *INTERESTING]),
        FieldDescriptor.CPPTYPE_INT32: st.sampled_from([-1, *INTERESTING]),
    }
    if descriptor.enum_type is not None:
        return st.sampled_from([value.number for value in descriptor.enum_type.values])
    return kinds.get(descriptor.cpp_type, st.sampled_from(INTERESTING))


def fill(message: Message, data: st.DataObject, depth: int = 0) -> None:
    """Set some fields to some values, all the way down."""
    fields = list(message.DESCRIPTOR.fields)
    for descriptor in data.draw(st.lists(st.sampled_from(fields), max_size=4, unique=True)):
        if descriptor.message_type is not None:
            if descriptor.message_type.full_name == "google.protobuf.Any" or depth > 5:
                continue
            child = getattr(message, descriptor.name)
            if descriptor.is_repeated:
                for _ in range(data.draw(st.integers(0, 2))):
                    fill(child.add(), data, depth + 1)
            else:
                child.SetInParent()
                fill(child, data, depth + 1)
        elif descriptor.is_repeated:
            getattr(message, descriptor.name).append(data.draw(value_of(descriptor)))
        else:
            setattr(message, descriptor.name, data.draw(value_of(descriptor)))


def valid(selector: bool) -> list[p4r.Entity]:
    """Messages that are right, to be spoilt."""
    made = [
        ids.entry(1, (0x1200, 8), port=1),
        ids.entry({"ternary": (1, 1)}, {"range": (1, 5)}, 3, port=1, priority=2),
        ids.entry(1, port=1),
        p4r.MeterEntry(meter_id=ids.METER_ID),
        p4r.CounterEntry(counter_id=ids.COUNTER_ID),
        p4r.RegisterEntry(register_id=ids.REGISTER_ID),
        p4r.DigestEntry(digest_id=ids.DIGEST_ID),
        p4r.ValueSetEntry(value_set_id=ids.VALUE_SET_ID),
    ]
    if selector:
        member = p4r.ActionProfileMember(action_profile_id=ids.PROFILE_ID, member_id=1)
        member.action.CopyFrom(made[2].action.action)
        group = p4r.ActionProfileGroup(action_profile_id=ids.PROFILE_ID, group_id=1)
        group.members.add(member_id=1, weight=2)
        of_member, of_group, of_set = ids.entry(1), ids.entry(2), ids.entry(3)
        of_member.action.action_profile_member_id = 1
        of_group.action.action_profile_group_id = 1
        action_set = of_set.action.action_profile_action_set
        action_set.action_profile_actions.add(action=member.action, weight=1)
        made += [member, group, of_member, of_group, of_set]
    entities = []
    for message in made:
        entity = p4r.Entity()
        client.fill(entity, message)
        entities.append(entity)
    return entities


ENTITIES = [descriptor.name for descriptor in p4r.Entity.DESCRIPTOR.fields]
FRAME = b"\x01\x02\x03\x04"


@given(st.data(), st.integers(0, len(PROGRAMS) - 1))
@BOUNDED
def test_any_message_is_answered(data: st.DataObject, which: int) -> None:
    """And what was written can be read, and packets run over it."""
    made = load(PROGRAMS[which])
    target = Target(Translator(ids.p4info(made), made), ReferenceEngine(made))
    for _ in range(data.draw(st.integers(1, 3))):
        request = p4r.WriteRequest(atomicity=data.draw(st.sampled_from([0, 0, 1, 2])))
        for _ in range(data.draw(st.integers(1, 4))):
            update = request.updates.add(type=data.draw(st.sampled_from([1, 1, 1, 2, 3, 0])))
            if data.draw(st.booleans()):
                getattr(update.entity, data.draw(st.sampled_from(ENTITIES))).SetInParent()
            else:
                update.entity.CopyFrom(data.draw(st.sampled_from(valid(which == 2))))
            if data.draw(st.booleans()):
                kind = update.entity.WhichOneof("entity")
                fill(getattr(update.entity, kind), data)
        with suppress(P4RuntimeError, BatchError):
            Writer(target).write(request)
        target.engine.process(1, FRAME, 0)
    query = p4r.ReadRequest(entities=[update.entity for update in request.updates])
    for name in ("table_entry", "action_profile_member", "action_profile_group", "digest_entry"):
        getattr(query.entities.add(), name).SetInParent()
    with suppress(P4RuntimeError, BatchError):
        list(Reader(target).read(query))
