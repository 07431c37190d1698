"""Shadowed policies: all that are named are, by search; and the plain cases are named."""

from dataclasses import replace
from ipaddress import ip_network

from controller_machines.world import DNS, HTTP, policy
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.schema import Application, Configuration, Policy, Zone
from controller.spu import shadow
from controller.spu.policy import PolicyTable
from controller.spu.shadow import shadowed
from policies.test_ruleset import ZONES, flows, policies


def configuration(*rules: Policy) -> Configuration:
    zones = {name: Zone(name, number, ()) for number, name in enumerate(ZONES, start=1)}
    numbered = tuple(replace(rule, index=number) for number, rule in enumerate(rules))
    return Configuration({}, zones, policies=numbered)


def found(*rules: Policy) -> dict[str, list[str]]:
    return {
        policy.name: [other.name for other in by] for policy, by in shadowed(configuration(*rules))
    }


WIDE = policy("wide", 0, "trust", "untrust", sources=(ip_network("10.0.0.0/8"),))
NARROW = policy("narrow", 0, "trust", "untrust", sources=(ip_network("10.1.0.0/16"),))
ALL = policy("all", 0, "trust", "untrust")


def test_a_wider_policy_before_it_shadows_one() -> None:
    assert found(WIDE, NARROW) == {"narrow": ["wide"]}
    assert found(NARROW, WIDE) == {}
    assert found(ALL, WIDE, NARROW) == {"wide": ["all"], "narrow": ["all"]}
    assert found(WIDE, ALL) == {}
    assert found(WIDE, replace(NARROW, from_zone="dmz")) == {}


def test_adjacent_prefixes_add_up() -> None:
    halves = (ip_network("10.0.0.0/9"), ip_network("10.128.0.0/9"))
    assert found(replace(WIDE, sources=halves), replace(WIDE, name="again")) == {"again": ["wide"]}


def test_applications_of_several_policies_add_up() -> None:
    web, names = replace(ALL, name="web", applications=(HTTP,)), replace(ALL, applications=(DNS,))
    both = replace(WIDE, name="both", applications=(HTTP, DNS))
    assert found(web, names, both) == {"both": ["web", "all"]}
    assert found(web, both) == {}
    more = replace(both, applications=(HTTP, Application("x", 6, range(65536), range(80, 90))))
    assert found(web, more) == {}


def test_exclusions() -> None:
    outside = replace(WIDE, name="outside", sources_excluded=True)
    further = replace(NARROW, name="further", sources_excluded=True)
    assert found(further, outside) == {"outside": ["further"]}
    assert found(outside, further) == {}
    assert found(outside, NARROW) == {}


@settings(max_examples=150, deadline=None)
@given(policies, st.lists(flows, min_size=4, max_size=12))
def test_what_is_named_is_never_hit(rules: list[Policy], probes: list) -> None:  # type: ignore[type-arg]
    config = configuration(*rules)
    silent = {policy.index for policy, _ in shadowed(config)}
    table = PolicyTable(config)
    for flow in probes:
        for zones in (("trust", "untrust"), ("untrust", "trust"), ("trust", "trust")):
            assert table.search(*zones, flow).index not in silent


@settings(max_examples=150, deadline=None)
@given(policies)
def test_no_earlier_policy_is_overlooked(rules: list[Policy]) -> None:
    """The search for candidates against comparing each policy with all before it."""
    config = configuration(*rules)
    slowly: list[tuple[int, list[int]]] = []
    lists: dict[tuple[str, str], list[shadow._Rule]] = {}
    for number, rule in enumerate(config.policies):
        before = lists.setdefault((rule.from_zone, rule.to_zone), [])
        mine = shadow._Rule(rule, number)
        by = mine.taken_by(before)
        if by:
            slowly.append((rule.index, [other.index for other in by]))
        else:
            before.append(mine)
    quickly = [(p.index, [other.index for other in by]) for p, by in shadowed(config)]
    assert sorted(quickly) == sorted(slowly)
