"""The forwarding table against a naive one, and the fabric's refusals."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.cards import Chassis, NpuSite
from controller.config.schema import StaticRoute
from controller.routing.fabric import Fabric, FabricError
from controller.routing.fib import Fib, FibError

from .world import DMZ, TRUST, UNTRUST, chassis, configuration


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_connected_static_and_local() -> None:
    fib = Fib(configuration())
    on_link = fib.lookup(packed("10.0.3.77"))
    assert on_link is not None
    assert (on_link.interface, on_link.next_hop) == (DMZ, packed("10.0.3.77"))
    beyond = fib.lookup(packed("198.51.100.1"))
    assert beyond is not None
    assert (beyond.interface, beyond.next_hop) == (UNTRUST, packed("10.0.2.254"))
    own = fib.lookup(packed("2001:db8:1::1"))
    assert own is not None
    assert (own.interface, own.is_local) == (TRUST, True)
    six = fib.lookup(packed("2001:db8:ffff::1"))
    assert six is not None
    assert six.next_hop == packed("2001:db8:2::fe")


@pytest.mark.parametrize(
    "address",
    ["224.0.0.5", "255.255.255.255", "127.0.0.1", "0.0.0.0", "10.0.1.0", "10.0.1.255",
     "ff02::1", "fe80::1"],
)  # fmt: skip
def test_what_is_never_routed(address: str) -> None:
    assert Fib(configuration()).lookup(packed(address)) is None


def test_connected_beats_static_for_the_same_prefix() -> None:
    route = StaticRoute(ip_network("10.0.1.0/24"), packed("10.0.2.9"))
    found = Fib(configuration(routes=(route,))).lookup(packed("10.0.1.9"))
    assert found is not None
    assert found.interface == TRUST


@pytest.mark.parametrize(
    ("next_hop", "words"),
    [("192.0.2.1", "on no connected subnet"), ("10.0.2.1", "address of ge-1/0/0.0")],
)
def test_route_that_leads_nowhere_is_an_error(next_hop: str, words: str) -> None:
    route = StaticRoute(ip_network("10.9.0.0/16"), packed(next_hop))
    with pytest.raises(FibError, match=r"10\.9\.0\.0/16.*" + words):
        Fib(configuration(routes=(route,)))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(2, 254)), max_size=12
    ),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20),
)
def test_longest_prefix_match(raw: list[tuple[int, int, int]], probes: list[int]) -> None:
    routes = tuple(
        StaticRoute(ip_network((value, length), strict=False), packed(f"10.0.2.{host}"))
        for value, length, host in raw
    )
    config = configuration(routes=routes)
    fib = Fib(config)
    inside = [
        int(route.prefix.network_address) + 5 for route in routes if route.prefix.prefixlen < 29
    ]
    for probe in probes + inside:
        address = ip_address(probe)
        if address.is_multicast or probe >> 28 >= 14 or probe >> 24 in (0, 127):
            continue
        candidates = [(i.network.prefixlen, 1, 0, None) for face in (TRUST, DMZ, UNTRUST)
                      for i in face.addresses if address in i.network]  # fmt: skip
        candidates += [(r.prefix.prefixlen, 0, -n, r.next_hop)
                       for n, r in enumerate(routes) if address in r.prefix]  # fmt: skip
        found = fib.lookup(address.packed)
        if not candidates:
            assert found is None
        elif found is not None:
            best = max(candidates, key=lambda c: c[:3])
            assert found.next_hop == (best[3] or address.packed)
        else:
            assert str(address).startswith("10.0.")  # a subnet's first or last address
            assert str(address).endswith((".0", ".255"))


def site(fabric: dict[int, dict[int, int]]) -> Chassis:
    npus = {n: NpuSite(n, "", n, ports) for n, ports in fabric.items()}
    return replace(chassis(), npus=npus)


def test_fabric_ports() -> None:
    fabric = Fabric(site({0: {1: 200, 2: 201}, 1: {0: 200, 2: 254}, 2: {0: 200, 1: 201}}))
    assert (fabric.port(0, 1), fabric.port(1, 2), fabric.port(2, 0)) == (200, 254, 200)


@pytest.mark.parametrize(
    ("fabric", "words"),
    [
        ({0: {}, 1: {0: 200}}, "NPU 0 has no fabric port towards NPU 1"),
        ({0: {1: 200}, 1: {0: 200, 2: 201}, 2: {1: 200}}, "only by NPU 0 -> NPU 1 -> NPU 2"),
        ({0: {1: 3}, 1: {0: 200}}, "port 3 to NPU 1 is no fabric port"),
        ({0: {7: 200}, 1: {0: 200}}, "NPU 7, which does not exist"),
        ({0: {0: 200}, 1: {0: 200}}, "NPU 0, which is itself"),
        ({0: {1: 200, 2: 200}, 1: {}, 2: {}}, "leads to NPU 1 and to NPU 2"),
    ],
)
def test_fabric_that_cannot_work_is_refused(fabric: dict[int, dict[int, int]], words: str) -> None:
    with pytest.raises(FabricError, match=words):
        Fabric(site(fabric))
