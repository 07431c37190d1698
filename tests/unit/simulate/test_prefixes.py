"""NPTv6 between the dmz and the untrusted network, and faults put into it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.flow import Address
from controller.simulate.flow import Flow
from controller.simulate.options import Plan, parse_faults
from controller.simulate.play import Outcome, play
from controller.simulate.prefix_flows import PrefixConnection, PrefixDatagrams, PrefixPing
from controller.simulate.prefixes import PREFIXES, published
from controller.simulate.violation import Rule
from controller.simulate.workload import kind_of
from controller.spu import nat

SEED = 3
KINDS = (PrefixConnection, PrefixDatagrams, PrefixPing)


def run(kinds: tuple[type[Flow], ...], faults: str = "none") -> Outcome:
    numbers = [n for n in range(1, 6000) if kind_of(SEED, n) in kinds][:30]
    return play(Plan(SEED, numbers[-1], 3, parse_faults(faults), 500, frozenset(numbers)))


@pytest.mark.parametrize("prefixes", PREFIXES)
def test_other_addresses_have_the_same_sum(prefixes: Any) -> None:
    known = set()
    for number in range(100):
        inside = prefixes.host(number)
        outside = published(inside)
        assert outside.startswith(prefixes.outside)
        assert int.from_bytes(outside, "big") % 0xFFFF == int.from_bytes(inside, "big") % 0xFFFF
        known.add(outside)
    assert len(known) == 100


def test_the_example_of_the_standard() -> None:
    """RFC 6296, section 3.4: 2001:db8:1::/48 for fd01:203:405::/48."""
    prefixes = PREFIXES[0]._replace(
        inside=bytes.fromhex("fd0102030405"), outside=bytes.fromhex("20010db80001")
    )
    inside = bytes.fromhex("fd01020304050001000000000000 1234")
    assert prefixes.published(inside) == bytes.fromhex("20010db80001d550000000000000 1234")


def test_hosts_reach_each_other() -> None:
    outcome = run(KINDS)
    assert outcome.broken is None
    assert outcome.kinds.keys() == {kind.kind for kind in KINDS}
    assert outcome.sessions > 25


def test_with_faults() -> None:
    assert run(KINDS, "all").broken is None


@pytest.mark.parametrize("kind", KINDS)
def test_sums_that_are_not_made_up_for(kind: type[Flow], monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefixes are exchanged, and nothing else."""

    def exchange(address: Address, old: Any, new: Any) -> Address:
        return (int.from_bytes(address, "big") - old.first + new.first).to_bytes(16, "big")

    monkeypatch.setattr(nat, "exchange", exchange)
    broken = run((kind,)).broken
    assert broken is not None
    assert broken.rule is Rule.TRANSLATION


def test_a_checksum_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    from controller.simulate import frames

    udp = frames.udp

    def garbled(wire: Any, flow: Any, tag: bytes, data: bytes = b"", ttl: int = 64) -> bytes:
        return udp(wire, flow, tag, data, ttl).replace(b"answer", b"ansvvr")

    monkeypatch.setattr(frames, "udp", garbled)
    broken = run((PrefixDatagrams,)).broken
    assert broken is not None
    assert broken.rule is Rule.CONTENTS
