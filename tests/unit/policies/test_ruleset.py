"""The compiled policy search against reading the list from the top."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.schema import (
    GLOBAL_ZONE,
    Action,
    Addresses,
    AddressRange,
    Application,
    Configuration,
    Policy,
    Wildcard,
    Zone,
)
from controller.flow import Tuple5
from controller.spu import ruleset
from controller.spu.policy import PolicyTable

ZONES = ("trust", "untrust", "dmz")
V4 = (0x0A000000, 0x0A000001, 0x0A0000FF, 0x0A000100, 0x0A00FF01, 0xC0000201, 0, 0xFFFFFFFF)
V6 = tuple(int(ip_address(text)) for text in ("2001:db8::1", "2001:db8::ffff", "2001:db9::", "::"))


def _range(pair: tuple[int, int], version: int) -> AddressRange:
    kind = IPv4Address if version == 4 else type(ip_address("::"))
    return AddressRange(kind(min(pair)), kind(max(pair)))


addresses: st.SearchStrategy[Addresses] = st.one_of(
    st.builds(
        lambda value, length: ip_network((value, length), strict=False),
        st.sampled_from(V4),
        st.integers(0, 32),
    ),
    st.builds(
        lambda value, length: ip_network((value, length), strict=False),
        st.sampled_from(V6),
        st.sampled_from((0, 32, 112, 127, 128)),
    ),
    st.tuples(st.sampled_from(V4), st.sampled_from(V4)).map(lambda pair: _range(pair, 4)),
    st.tuples(st.sampled_from(V6), st.sampled_from(V6)).map(lambda pair: _range(pair, 6)),
    st.builds(
        lambda value, mask: Wildcard(value & mask, mask),
        st.sampled_from(V4),
        st.sampled_from((0xFF0000FF, 0xFFFF00FF, 0x80000001)),
    ),
)
ports = st.sampled_from((range(65536), range(80, 81), range(1, 65536), range(80, 444)))
applications = st.builds(
    Application, st.sampled_from(("a", "b")), st.sampled_from((-1, 1, 6, 17)), ports, ports
)
policies = st.lists(
    st.builds(
        Policy,
        name=st.just("p"),
        index=st.just(0),
        from_zone=st.sampled_from((*ZONES[:2], GLOBAL_ZONE)),
        to_zone=st.sampled_from(ZONES[:2]),
        sources=st.lists(addresses, max_size=3).map(tuple),
        destinations=st.lists(addresses, max_size=2).map(tuple),
        applications=st.lists(applications, max_size=2).map(tuple),
        action=st.sampled_from(Action),
        sources_excluded=st.booleans(),
        destinations_excluded=st.booleans(),
        from_zones=st.lists(st.sampled_from(ZONES), max_size=2).map(tuple),
        to_zones=st.lists(st.sampled_from(ZONES), max_size=2).map(tuple),
    ),
    max_size=10,
)
flows = st.one_of(
    *(
        st.builds(
            Tuple5,
            st.sampled_from(values).map(lambda value, size=size: value.to_bytes(size, "big")),
            st.sampled_from(values).map(lambda value, size=size: value.to_bytes(size, "big")),
            st.sampled_from((0, 80, 50000)),
            st.sampled_from((0, 80, 443, 444)),
            st.sampled_from((1, 6, 17, 47)),
        )
        for values, size in ((V4, 4), (V6, 16))
    )
)


def _within(entry: Addresses, address: bytes) -> bool:
    value = ip_address(address)
    if isinstance(entry, AddressRange):
        return entry.first.version == value.version and entry.first <= value <= entry.last  # type: ignore[operator]
    if isinstance(entry, Wildcard):
        return value.version == 4 and int(value) & entry.mask == entry.address
    return value in entry


def _side(entries: tuple[Addresses, ...], excluded: bool, address: bytes) -> bool:
    return (not entries or any(_within(entry, address) for entry in entries)) != excluded


def naive(
    rules: list[Policy], zones: tuple[str, str], flow: Tuple5
) -> list[tuple[int, Application | None]]:
    """All that match, in order of the search."""
    found: list[tuple[int, Application | None]] = []
    for of_pair in (True, False):
        for rule in rules:
            if of_pair:
                if (rule.from_zone, rule.to_zone) != zones:
                    continue
            elif (
                not rule.is_global
                or (rule.from_zones and zones[0] not in rule.from_zones)
                or (rule.to_zones and zones[1] not in rule.to_zones)
            ):
                continue
            if not _side(rule.sources, rule.sources_excluded, flow.src):
                continue
            if not _side(rule.destinations, rule.destinations_excluded, flow.dst):
                continue
            for application in rule.applications or (None,):
                if application is None or (
                    application.protocol in (-1, flow.protocol)
                    and flow.sport in application.source_ports
                    and flow.dport in application.destination_ports
                ):
                    found.append((rule.index, application))
                    break
    return found


def table(rules: list[Policy]) -> tuple[list[Policy], PolicyTable]:
    numbered = [replace(rule, index=number) for number, rule in enumerate(rules)]
    zones = {name: Zone(name, number, ()) for number, name in enumerate(ZONES, start=1)}
    return numbered, PolicyTable(Configuration({}, zones, policies=tuple(numbered)))


@settings(max_examples=250, deadline=None)
@given(policies, st.lists(flows, min_size=1, max_size=6), st.sampled_from((1, 3, 16384)))
def test_compiled_search_equals_reading_the_list(
    rules: list[Policy], probes: list[Tuple5], block: int
) -> None:
    whole = ruleset.BLOCK
    ruleset.BLOCK = block
    try:
        numbered, compiled = table(rules)
    finally:
        ruleset.BLOCK = whole
    for flow in probes:
        for zones in (("trust", "untrust"), ("untrust", "trust"), ("dmz", "dmz")):
            expected = naive(numbered, zones, flow)
            verdict = compiled.search(*zones, flow)
            if expected:
                assert (verdict.index, verdict.application) == expected[0]
                assert verdict.action is numbered[expected[0][0]].action
            else:
                assert verdict.index == -1
            every = [(found.index, found.application) for found in compiled.matches(*zones, flow)]
            assert every == [*expected, (-1, None)]


def test_global_policies_come_after_those_of_the_zones() -> None:
    flow = Tuple5(bytes(4), bytes(4), 1, 2, 6)
    any_ = Policy("all", 0, GLOBAL_ZONE, GLOBAL_ZONE, (), (), (), Action.DENY)
    pair = Policy("pair", 0, "trust", "untrust", (), (), (), Action.PERMIT)
    _, compiled = table([any_, pair])
    assert compiled.search("trust", "untrust", flow).name == "pair"
    assert compiled.search("untrust", "trust", flow).name == "all"
