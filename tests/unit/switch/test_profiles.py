"""Action profiles and selectors: members, groups, one-shot sets, and what packets get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from finsy.proto import p4r

from p4embed.switch.engine import TO_GROUP, TO_MEMBER, Entry, EntryKey, Op, Update
from p4embed.switch.load import LoadError
from p4embed.switch.reference import ReferenceEngine

from .client import DELETE, INSERT, MODIFY, Client, Code, SetConfig, batch_errors
from .p4info import PROFILE_ID, SET_PORT_ID, TABLE_ID, entry, number
from .programs import Json, field, load, one_table

FAILED = Code.FAILED_PRECONDITION.value[0]
INVALID = Code.INVALID_ARGUMENT.value[0]
MISSING = Code.NOT_FOUND.value[0]
FULL = Code.RESOURCE_EXHAUSTED.value[0]
REFUSED = Code.UNIMPLEMENTED.value[0]


def program(selector: bool = True, size: int = 16) -> Json:
    made = one_table([("exact", "h", "kind")])
    table = made["pipelines"][0]["tables"][0]
    table["type"] = "indirect_ws" if selector else "indirect"
    table["action_profile"] = "ap"
    profile: Json = {"name": "ap", "id": 0, "max_size": size}
    if selector:
        profile["selector"] = {"algo": "identity", "input": [field("h", "value")]}
    made["pipelines"][0]["action_profiles"] = [profile]
    return made


# -- packets ----------------------------------------------------------------------------------


class Bench:
    def __init__(self, selector: bool = True) -> None:
        self.engine = ReferenceEngine(load(program(selector)))
        for member in (0, 1, 2):
            self.member(member, 10 + member)

    def member(self, member: int, port: int | None) -> None:
        params = b"" if port is None else port.to_bytes(2, "big")
        self.engine.set_member(0, member, None if port is None else 3, params)

    def insert(self, kind: int, action: int, reference: int) -> None:
        entry = Entry(EntryKey(bytes([kind])), action, reference.to_bytes(4, "big"))
        self.engine.write([Update(Op.INSERT, 0, entry)])

    def port(self, kind: int, value: int = 0) -> int:
        (sent,) = self.engine.process(1, bytes([kind]) + value.to_bytes(2, "big") + b"\0", 0)
        return sent.port


def test_an_entry_runs_its_members_action() -> None:
    bench = Bench(selector=False)
    bench.insert(1, TO_MEMBER, 2)
    assert bench.port(1) == 12
    bench.member(2, 30)
    assert bench.port(1) == 30


def test_a_group_selects_by_hash() -> None:
    bench = Bench()
    bench.engine.set_group(0, 7, [0, 2, 2])
    bench.insert(1, TO_GROUP, 7)
    bench.insert(2, TO_MEMBER, 1)
    assert [bench.port(1, value) for value in range(5)] == [10, 12, 12, 10, 12]
    assert bench.port(2, 5) == 11
    bench.engine.set_group(0, 7, [1])
    assert bench.port(1, 5) == 11


def test_an_empty_group_runs_nothing() -> None:
    bench = Bench()
    bench.engine.set_group(0, 0, [])
    bench.insert(1, TO_GROUP, 0)
    assert bench.port(1) == 0, "egress_spec as it was"


def test_tables_of_one_profile_share_the_first_ones_actions() -> None:
    made = program(selector=False)
    pipeline = made["pipelines"][0]
    copy = json.loads(json.dumps(pipeline["tables"][0]))
    copied = json.loads(json.dumps(made["actions"]))
    for action in copied:
        action["id"] += 100
        made["actions"].append(action)
    copy["name"], copy["action_ids"] = "t2", [103, 104]
    copy["default_entry"]["action_id"] = 104
    pipeline["tables"].append(copy)
    first, second = load(made).tables
    assert first.actions == second.actions == (3, 4)
    assert second.default is not None
    assert second.default.action == 4
    copied[0]["name"] = "other"
    copy["actions"][0] = "other"
    copy["next_tables"] = {"other": None, "miss": None}
    with pytest.raises(LoadError, match=r"tables\[1\].actions: action 'other': all tables"):
        load(made)


# -- P4Runtime --------------------------------------------------------------------------------


def connect(port: int, **options: Any) -> Client:
    made = Client(port)
    made.receive()
    made.set_config(json.dumps(program(**options)).encode())
    return made


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    made = connect(port)
    yield made
    made.close()


def member(id_: int, port: int | None = None) -> p4r.ActionProfileMember:
    made = p4r.ActionProfileMember(action_profile_id=PROFILE_ID, member_id=id_)
    if port is not None:
        made.action.action_id = SET_PORT_ID
        made.action.params.add(param_id=1, value=number(port))
    return made


def group(id_: int, max_size: int = 0, **weights: int) -> p4r.ActionProfileGroup:
    """Weights by ``m<member id>``."""
    made = p4r.ActionProfileGroup(action_profile_id=PROFILE_ID, group_id=id_, max_size=max_size)
    for name, weight in weights.items():
        made.members.add(member_id=int(name[1:]), weight=weight)
    return made


def to(kind: int, **reference: int) -> p4r.TableEntry:
    made = entry(kind)
    for name, id_ in reference.items():
        setattr(made.action, f"action_profile_{name}_id", id_)
    return made


def one_shot(kind: int, *ports_and_weights: tuple[int, int]) -> p4r.TableEntry:
    made = entry(kind)
    made.action.action_profile_action_set.SetInParent()
    for port, weight in ports_and_weights:
        action = made.action.action_profile_action_set.action_profile_actions.add(weight=weight)
        action.action.action_id = SET_PORT_ID
        action.action.params.add(param_id=1, value=number(port))
    return made


def codes(client: Client, *updates: tuple[int, Any]) -> list[int]:
    return [code for code, _ in batch_errors(client.write, *updates)]


def test_members_and_groups_are_read_as_written(client: Client) -> None:
    client.write(
        (INSERT, member(5, 1)), (INSERT, member(9, 2)), (INSERT, group(5, m5=2, m9=1)),
        (INSERT, to(1, group=5)), (INSERT, to(2, member=9)),
    )  # fmt: skip
    assert client.read(p4r.ActionProfileMember()) == [member(5, 1), member(9, 2)]
    assert client.read(member(9)) == [member(9, 2)]
    assert client.read(p4r.ActionProfileGroup(action_profile_id=PROFILE_ID)) == [
        group(5, m5=2, m9=1)
    ]
    assert client.read(p4r.TableEntry()) == [to(1, group=5), to(2, member=9)]
    client.write((MODIFY, member(9, 7)), (MODIFY, group(5, m9=3)), (MODIFY, to(2, group=5)))
    assert client.read(p4r.TableEntry()) == [to(1, group=5), to(2, group=5)]
    assert client.read(group(5)) == [group(5, m9=3)]
    client.write((DELETE, member(5)), (MODIFY, to(1, member=9)), (DELETE, to(2)))
    client.write((DELETE, group(5)), (DELETE, to(1)), (DELETE, member(9)))
    assert client.read(p4r.ActionProfileMember(), p4r.ActionProfileGroup()) == []


def test_what_is_in_use_stays(client: Client) -> None:
    client.write((INSERT, member(1, 1)), (INSERT, group(1, m1=1)), (INSERT, to(1, group=1)))
    assert codes(client, (DELETE, member(1)), (DELETE, group(1))) == [FAILED, FAILED]
    client.write((DELETE, to(1)), (DELETE, group(1)), (DELETE, member(1)))


def test_what_is_refused(client: Client) -> None:
    client.write((INSERT, member(1, 1)), (INSERT, group(1, max_size=4, m1=1)))
    watched = group(2, m1=1)
    watched.members[0].watch_port = b"\x01"
    twice = group(2, m1=1)
    twice.members.add(member_id=1, weight=1)
    assert codes(
        client,
        (INSERT, member(0, 1)), (INSERT, member(1, 1)), (MODIFY, member(2, 1)),
        (INSERT, member(3)), (INSERT, group(1)), (INSERT, group(0)), (MODIFY, group(3)),
        (INSERT, group(2, m7=1)), (INSERT, group(2, m1=0)), (INSERT, watched), (INSERT, twice),
        (MODIFY, group(1, m1=1)), (MODIFY, group(1, max_size=4, m1=5)),
        (INSERT, group(2, m1=17)), (INSERT, to(1, member=8)), (INSERT, to(1, group=8)),
        (INSERT, entry(1, port=1)), (INSERT, one_shot(1, (1, 1))),
    ) == [
        INVALID, Code.ALREADY_EXISTS.value[0], MISSING,
        INVALID, Code.ALREADY_EXISTS.value[0], INVALID, MISSING,
        MISSING, INVALID, REFUSED, INVALID,
        INVALID, FULL,
        FULL, MISSING, MISSING,
        INVALID, INVALID,
    ]  # fmt: skip
    default = entry(port=1, is_default_action=True)
    assert codes(client, (MODIFY, default)) == [Code.PERMISSION_DENIED.value[0]]


def test_a_profile_without_selector_has_members_alone(port: int) -> None:
    client = connect(port, selector=False, size=1)
    client.write((INSERT, member(1, 1)), (INSERT, to(1, member=1)))
    updates = ((INSERT, member(2, 1)), (INSERT, group(1, m1=1)), (INSERT, one_shot(2, (1, 1))))
    assert codes(client, *updates) == [FULL, INVALID, INVALID]
    client.close()


def test_one_shot_sets_are_read_as_written_and_leave_nothing(client: Client) -> None:
    client.write((INSERT, one_shot(1, (1, 2), (2, 1))), (INSERT, one_shot(2, (3, 1), (3, 1))))
    assert client.read(p4r.TableEntry(table_id=TABLE_ID)) == [
        one_shot(1, (1, 2), (2, 1)),
        one_shot(2, (3, 1), (3, 1)),
    ]
    assert client.read(p4r.ActionProfileMember(), p4r.ActionProfileGroup()) == []
    assert codes(client, (INSERT, member(1, 1)), (INSERT, group(1))) == [INVALID, INVALID]
    client.write((MODIFY, one_shot(1, (4, 1))))
    client.write((DELETE, to(1)), (DELETE, to(2)))
    client.write((INSERT, one_shot(3, *[(1, 1)] * 16)))
    assert codes(client, (INSERT, one_shot(3, (1, 1))), (INSERT, one_shot(4, (1, 1)))) == [
        FULL, FULL,
    ]  # fmt: skip
    client.write((DELETE, to(3)))
    client.write((INSERT, member(1, 1)))


def test_reconciling_keeps_members_and_groups(client: Client) -> None:
    client.write((INSERT, member(5, 1)), (INSERT, group(6, m5=2)), (INSERT, to(1, group=6)))
    client.set_config(json.dumps(program(size=20)).encode(), SetConfig.RECONCILE_AND_COMMIT)
    assert client.read(p4r.TableEntry(table_id=TABLE_ID)) == [to(1, group=6)]
    assert client.read(group(6)) == [group(6, m5=2)]
    assert codes(client, (DELETE, member(5))) == [FAILED]
