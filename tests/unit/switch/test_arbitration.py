"""Arbitration as the specification's rules have it, without any stream."""

from __future__ import annotations

import pytest
from finsy.proto import U128, p4r

from p4embed.switch.p4runtime.arbitration import MAX_CLIENTS, Arbiter
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, number

OK, EXISTS, NOT_FOUND = (number(c) for c in (Code.OK, Code.ALREADY_EXISTS, Code.NOT_FOUND))


def message(
    election_id: int | None, device_id: int = 1, role: str = ""
) -> p4r.MasterArbitrationUpdate:
    made = p4r.MasterArbitrationUpdate(device_id=device_id)
    if election_id is not None:
        made.election_id.CopyFrom(U128.encode(election_id))
    if role:
        made.role.name = role
    return made


class Room:
    """An arbiter, with notices as (client, status, election id or ``None``)."""

    def __init__(self) -> None:
        self.arbiter = Arbiter(device_id=1)

    def says(
        self, client: str, election_id: int | None, role: str = ""
    ) -> list[tuple[object, int, int | None]]:
        notices = self.arbiter.update(client, message(election_id, role=role))
        return [
            (to, m.status.code, U128.decode(m.election_id) if m.HasField("election_id") else None)
            for to, m in notices
        ]

    def leaves(self, client: str) -> list[tuple[object, int]]:
        return [(to, m.status.code) for to, m in self.arbiter.leave(client)]


def test_the_first_with_an_id_is_primary() -> None:
    room = Room()
    assert room.says("a", 5) == [("a", OK, 5)]
    assert room.arbiter.is_primary("a")
    room.arbiter.check_primary(1, "", 5)


def test_a_lower_id_is_backup_and_only_it_is_told() -> None:
    room = Room()
    room.says("a", 5)
    assert room.says("b", 4) == [("b", EXISTS, 5)]
    assert room.arbiter.primaries() == ["a"]


def test_a_higher_id_takes_over_and_all_are_told() -> None:
    room = Room()
    room.says("a", 5)
    assert room.says("b", 6) == [("a", EXISTS, 6), ("b", OK, 6)]
    with pytest.raises(P4RuntimeError) as caught:
        room.arbiter.check_primary(1, "", 5)
    assert caught.value.code is Code.PERMISSION_DENIED


def test_without_an_id_nobody_is_primary() -> None:
    room = Room()
    assert room.says("a", None) == [("a", NOT_FOUND, None)]
    assert room.says("b", 0) == [("a", EXISTS, 0), ("b", OK, 0)]
    room.arbiter.check_primary(1, "", 0)
    with pytest.raises(P4RuntimeError):
        room.arbiter.check_primary(1, "", None)


def test_when_the_primary_leaves_nobody_is_promoted() -> None:
    room = Room()
    room.says("a", 5)
    room.says("b", 4)
    assert room.leaves("a") == [("b", NOT_FOUND)]
    assert room.arbiter.primaries() == []
    assert room.says("b", 4) == [("b", NOT_FOUND, 5)]
    assert room.says("b", 5) == [("b", OK, 5)]


def test_a_primary_may_step_down() -> None:
    room = Room()
    room.says("a", 5)
    room.says("b", 3)
    assert room.says("a", 4) == [("a", NOT_FOUND, 5), ("b", NOT_FOUND, 5)]
    assert room.leaves("b") == []


def test_roles_have_their_own_primaries() -> None:
    room = Room()
    room.says("a", 5)
    assert room.says("b", 5, role="tester") == [("b", OK, 5)]
    assert set(room.arbiter.primaries()) == {"a", "b"}
    room.arbiter.check_primary(1, "tester", 5)
    with pytest.raises(P4RuntimeError) as caught:
        room.arbiter.check_primary(1, "other", 5)
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("update", "code", "text"),
    [
        (message(1, device_id=2), Code.NOT_FOUND, "device_id 2; this device has 1"),
        (message(5), Code.INVALID_ARGUMENT, "used by another live controller"),
    ],
)
def test_what_ends_a_new_stream(
    update: p4r.MasterArbitrationUpdate, code: object, text: str
) -> None:
    room = Room()
    room.says("a", 5)
    with pytest.raises(P4RuntimeError, match=text) as caught:
        room.arbiter.update("b", update)
    assert caught.value.code is code


@pytest.mark.parametrize("update", [message(6, device_id=2), message(6, role="x")])
def test_a_live_stream_keeps_device_and_role(update: p4r.MasterArbitrationUpdate) -> None:
    room = Room()
    room.says("a", 5)
    with pytest.raises(P4RuntimeError) as caught:
        room.arbiter.update("a", update)
    assert caught.value.code is Code.FAILED_PRECONDITION


def test_streams_are_limited() -> None:
    room = Room()
    for i in range(MAX_CLIENTS):
        room.says(f"c{i}", i)
    with pytest.raises(P4RuntimeError) as caught:
        room.says("one more", None)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    room.leaves("c0")
    assert room.says("one more", None)[0][1] == EXISTS


def test_before_anyone_arbitrates_writes_are_denied() -> None:
    with pytest.raises(P4RuntimeError, match="open a StreamChannel") as caught:
        Arbiter(1).check_primary(1, "", 1)
    assert caught.value.code is Code.PERMISSION_DENIED
