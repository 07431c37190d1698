"""From a pinhole, as one side knows it, to the gate that the central point opens."""

from __future__ import annotations

from controller.flow import Direction, FlowKey, Hop, Port, Tuple5, Wing
from controller.gate import Endpoint
from controller.spu.alg.base import Pinhole, sights

CLIENT, SERVER = b"\x0a\0\1\2", b"\x0a\0\2\2"
CLIENT_SEEN, SERVER_SEEN = b"\xc0\0\2\1", b"\xc0\0\2\2"
TCP, NEAR, FAR = 6, 1, 3
HOP = Hop(Port(1, 1), 0, bytes(6), bytes(6))


def wings(source: bool, destination: bool) -> tuple[Wing, Wing]:
    """A control connection with source NAT, destination NAT, both or none."""
    to = SERVER_SEEN if destination else SERVER
    origin = CLIENT_SEEN if source else CLIENT
    sport = 50_000 if source else 40_000
    key = FlowKey(CLIENT, to, 40_000, 21, TCP, NEAR)
    out = Tuple5(origin, SERVER, sport, 21, TCP)
    forward = Wing(key, Port(0, 1), out, HOP)
    back = FlowKey(*out.reversed(), FAR)
    return forward, Wing(back, Port(1, 1), key.tuple5.reversed(), HOP)


def test_client_behind_source_nat_listens() -> None:
    both = wings(source=True, destination=False)
    order = Pinhole(Direction.FORWARD, TCP, Endpoint(CLIENT, 5000), "x").order(both)
    assert (order.hole, order.listener) == (CLIENT_SEEN, Endpoint(CLIENT, 5000))
    assert (order.token, order.source, order.source_as) == (FAR, SERVER, None)
    assert order.shared_port is None


def test_client_behind_source_nat_comes_from_its_translated_address() -> None:
    both = wings(source=True, destination=False)
    order = Pinhole(Direction.REVERSE, TCP, Endpoint(SERVER, 6000), "x").order(both)
    assert (order.hole, order.listener) == (SERVER, Endpoint(SERVER, 6000))
    assert (order.token, order.source, order.source_as) == (NEAR, CLIENT, CLIENT_SEEN)


def test_server_behind_destination_nat_listens_and_comes_from_where_it_is_known() -> None:
    both = wings(source=False, destination=True)
    order = Pinhole(Direction.REVERSE, TCP, Endpoint(SERVER, 6000), "x").order(both)
    assert (order.hole, order.listener) == (SERVER_SEEN, Endpoint(SERVER, 6000))
    assert (order.token, order.source, order.source_as) == (NEAR, CLIENT, None)
    order = Pinhole(Direction.FORWARD, TCP, Endpoint(CLIENT, 5000), "x").order(both)
    assert (order.hole, order.source_as) == (CLIENT, SERVER_SEEN)


def test_both_translated() -> None:
    both = wings(source=True, destination=True)
    order = Pinhole(Direction.REVERSE, TCP, Endpoint(SERVER, 6000), "x").order(both)
    assert (order.hole, order.source_as) == (SERVER_SEEN, CLIENT_SEEN)
    forward, reverse = sights(both)
    assert forward == (
        Endpoint(CLIENT, 40_000), Endpoint(CLIENT_SEEN, 50_000),
        Endpoint(SERVER_SEEN, 21), Endpoint(SERVER, 21), False,
    )  # fmt: skip
    assert reverse == (forward.peer_own, forward.peer, forward.own_seen, forward.own, False)


def test_port_of_the_control_session_is_shared_only_if_it_is_translated() -> None:
    for is_translated in (True, False):
        both = wings(source=is_translated, destination=False)
        listener = Endpoint(CLIENT, 40_000)
        order = Pinhole(Direction.FORWARD, TCP, listener, "x", shares_port=True).order(both)
        assert order.shared_port == (50_000 if is_translated else None)


def test_who_may_come() -> None:
    both = wings(source=False, destination=False)
    pinhole = Pinhole(Direction.FORWARD, TCP, Endpoint(CLIENT, 5000), "x", from_peer=False)
    assert pinhole.order(both).source is None
