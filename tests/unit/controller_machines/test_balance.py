"""Which SPU gets a new session: three ways to balance, their weights, and their bounds."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.central_point.balance import Balance, bucket_of, turns
from controller.config.cards import Balancing, CpSite, SpuSite
from controller.config.distribution import BUCKETS, buckets, shares
from controller.flow import FlowKey, places

WEIGHTS = st.dictionaries(st.integers(1, 12), st.integers(1, 9), min_size=1, max_size=8)
WAYS = st.sampled_from(Balancing)


def flow(n: int) -> FlowKey:
    """The n-th of many flows."""
    source = (0x0A000000 + n // 50_000).to_bytes(4, "big")
    return FlowKey(source, b"\xc0\x00\x02\x01", 1024 + n % 50_000, 80, 6, 1)


def flow6(n: int) -> FlowKey:
    """The n-th of many flows of IPv6."""
    return FlowKey(n.to_bytes(16, "big"), bytes(16), 1024, 80, 6, 1)


def sites(weights: dict[int, int], room: int = 1_000_000) -> dict[int, SpuSite]:
    return {spu: SpuSite(spu, room, weight) for spu, weight in weights.items()}


@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS, way=WAYS)
def test_each_gets_its_share_by_weight(weights: dict[int, int], way: Balancing) -> None:
    """Over many flows: within 2 % of all flows, by hash within 5 % (a hash is no dealer)."""
    balance = Balance(sites(weights), CpSite(way))
    flows = 2_000
    got = Counter(balance.pick(flow(n)) for n in range(flows))
    total = sum(weights.values())
    tolerance = 0.05 if way is Balancing.HASH else 0.02
    for spu, weight in weights.items():
        assert abs(got[spu] - flows * weight / total) <= tolerance * flows
    assert balance.total == flows


@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS, way=WAYS, data=st.data())
def test_who_is_out_of_service_gets_nothing(
    weights: dict[int, int], way: Balancing, data: st.DataObject
) -> None:
    balance = Balance(sites(weights), CpSite(way))
    out = data.draw(st.sets(st.sampled_from(sorted(weights))))
    for spu in out:
        balance.set_in_service(spu, False)
    got = {balance.pick(flow(n)) for n in range(300)}
    assert not got & out
    if out == set(weights):
        assert got == {None}
        assert balance.in_service == 0
    for spu in out:
        balance.set_in_service(spu, True)
    assert balance.pick(flow(1)) is not None


@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS, way=WAYS, room=st.integers(1, 20), data=st.data())
def test_no_bound_is_ever_passed_and_room_is_used_up(
    weights: dict[int, int], way: Balancing, room: int, data: st.DataObject
) -> None:
    limit = data.draw(st.integers(0, room * len(weights) + 5))
    balance = Balance(sites(weights, room), CpSite(way, limit))
    wide = data.draw(st.lists(st.booleans(), min_size=20, max_size=20))
    owners: dict[FlowKey, int] = {}
    for n in range(2 * balance.maximum):
        key = flow6(n) if wide[n % 20] else flow(n)
        spu = balance.pick(key)
        if spu is not None:
            owners[key] = spu
        assert balance.total == sum(places(key) for key in owners) <= balance.maximum
        for number in weights:
            mine = [key for key, owner in owners.items() if owner == number]
            assert balance.places_of(number) == sum(map(places, mine)) <= room
            assert balance.load_of(number) == len(mine)
            assert balance.ipv6[number] == sum(len(key.src) == 16 for key in mine)
    bound = room * len(weights)
    assert balance.maximum == (min(limit, bound) if limit else bound)
    while balance.pick(flow(0)) is not None:
        pass
    assert balance.total == balance.maximum, "room for one IPv4 session is used up"
    if owners:
        key = data.draw(st.sampled_from(sorted(owners)))
        assert balance.give_back(owners[key], key) == balance.load_of(owners[key])
        assert balance.pick(flow(0)) is not None, "what is given back is room again"


def test_a_full_spu_s_turn_goes_to_the_one_with_the_least() -> None:
    for way in Balancing:
        some = {1: SpuSite(1, 2, 1), 2: SpuSite(2, 100, 1), 3: SpuSite(3, 100, 1)}
        balance = Balance(some, CpSite(way))
        got = Counter(balance.pick(flow(n)) for n in range(40))
        assert got[1] == 2
        assert got[2] + got[3] == 38


def test_the_npu_s_choice_is_kept_where_it_can_be() -> None:
    balance = Balance({1: SpuSite(1, 2), 2: SpuSite(2, 9)})
    assert [balance.prefer(1, flow(n)) for n in range(3)] == [1, 1, 2]
    balance.set_in_service(2, False)
    balance.give_back(1, flow(0))
    assert balance.prefer(2, flow(9)) == 1
    assert balance.prefer(77, flow(9)) is None


def test_turns_are_well_mixed() -> None:
    assert bytes(turns({1: 1, 2: 1}))[:6] == bytes((1, 2, 1, 2, 1, 2))
    mixed = turns({1: 3, 2: 1})
    assert Counter(mixed) == {1: 192, 2: 64}
    assert all(2 in mixed[at : at + 4] for at in range(0, BUCKETS, 4))


def test_an_ipv6_session_takes_two_places() -> None:
    balance = Balance({1: SpuSite(1, 3)})
    assert [balance.pick(flow6(n)) for n in range(2)] == [1, None]
    assert balance.pick(flow(0)) == 1, "for one of IPv4 there is room"
    assert not balance.take(1, flow(1))
    assert balance.give_back(1, flow6(0)) == 1
    assert balance.take(1, flow6(2))


def test_combo_s_smaller_share() -> None:
    """As from ``chassis.toml``: the combo SPU holds half and is given half."""
    balance = Balance({1: SpuSite(1, 524_288, is_combo=True), 2: SpuSite(2, 1_048_576)})
    got = Counter(balance.pick(flow(n)) for n in range(3_000))
    assert got == {1: 1_000, 2: 2_000}


# -- buckets ------------------------------------------------------------------------------------


@given(weights=WEIGHTS)
def test_all_buckets_are_given_in_proportion(weights: dict[int, int]) -> None:
    table = buckets(weights)
    assert len(table) == BUCKETS
    total = sum(weights.values())
    for spu, count in Counter(table).items():
        assert abs(count - BUCKETS * weights[spu] / total) < 1


@settings(max_examples=30, deadline=None)
@given(weights=WEIGHTS, data=st.data())
def test_few_buckets_move(weights: dict[int, int], data: st.DataObject) -> None:
    before = buckets(weights)
    gone = data.draw(st.sampled_from(sorted(weights)))
    left = {spu: weight for spu, weight in weights.items() if spu != gone}
    after = buckets(left, before)
    if not left:
        assert after == before
        return
    assert gone not in after
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    # Rounding may move one more of each of the others.
    assert moved <= before.count(gone) + len(left)
    again = buckets(weights, after)
    assert Counter(again) == Counter(before)
    returned = sum(a != b for a, b in zip(after, again, strict=True))
    assert returned <= shares(weights)[gone] + len(left)


@given(st.integers(0, 10_000), st.integers(1, 65_535))
def test_both_directions_share_a_bucket(n: int, port: int) -> None:
    there = flow(n)._replace(dport=port)
    back = FlowKey(*there.tuple5.reversed(), 9)
    assert bucket_of(there) == bucket_of(back)


@pytest.mark.parametrize("way", Balancing)
def test_without_any_room_at_all(way: Balancing) -> None:
    assert Balance({}, CpSite(way)).pick(flow(1)) is None
