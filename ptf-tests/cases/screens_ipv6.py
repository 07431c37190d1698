"""Screens of IPv6 extension headers, by pairs on the way in and out."""

from __future__ import annotations

from functools import reduce
from operator import truediv
from typing import Any

from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Raw

from controller.reasons import Drop, Punt
from support.interfaces import TRUST, to
from support.packets import CLIENT6, CLIENT_PORT, DATA, SERVER6, SERVER_PORT
from support.pairs import Pair, cases

UDP_PACKET = UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA)
ANY = bytes(6)
"""The rest of an extension header of 8 bytes."""


def chain(*headers: Any) -> bytes:
    """UDP behind extension headers."""
    return bytes(to(TRUST) / reduce(truediv, headers, IPv6(src=CLIENT6, dst=SERVER6)) / UDP_PACKET)


def raw(number: int, following: int = 17) -> bytes:
    """UDP behind one extension header that scapy has no class for."""
    ip = IPv6(src=CLIENT6, dst=SERVER6, nh=number)
    return bytes(to(TRUST) / ip / Raw(bytes([following, 0]) + ANY + bytes(UDP_PACKET)))


HOP_BY_HOP, DESTINATION, ROUTING = IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting()
PLAIN = chain()

PAIRS = {
    "HopByHop": Pair(
        Drop.SCREEN_IPV6_HOP_BY_HOP, falls=chain(HOP_BY_HOP), passes=chain(DESTINATION)
    ),
    "Routing": Pair(
        Drop.SCREEN_IPV6_ROUTING, falls=chain(DESTINATION, ROUTING), passes=chain(DESTINATION)
    ),
    "Fragment": Pair(
        Drop.SCREEN_IPV6_FRAGMENT, falls=chain(IPv6ExtHdrFragment(id=910)), passes=PLAIN
    ),
    "FragmentLater": Pair(
        Drop.SCREEN_IPV6_FRAGMENT,
        falls=chain(IPv6ExtHdrFragment(id=911, offset=100)),
        passes=chain(HOP_BY_HOP),
    ),
    "Esp": Pair(Drop.SCREEN_IPV6_ESP, falls=raw(50), passes=raw(51)),
    "Ah": Pair(Drop.SCREEN_IPV6_AH, falls=raw(51), passes=raw(50)),
    "NoNext": Pair(Drop.SCREEN_IPV6_NO_NEXT, falls=raw(59), passes=raw(58, 0)),
    "NoNextBehind": Pair(Drop.SCREEN_IPV6_NO_NEXT, falls=raw(60, 59), passes=raw(60)),
    "Destination": Pair(
        Drop.SCREEN_IPV6_DESTINATION, falls=chain(HOP_BY_HOP, DESTINATION), passes=chain(ROUTING)
    ),
    "Mobility": Pair(Drop.SCREEN_IPV6_MOBILITY, falls=raw(135), passes=raw(139)),
    "Hip": Pair(Drop.SCREEN_IPV6_HIP, falls=raw(139), passes=raw(140)),
    "Shim6": Pair(Drop.SCREEN_IPV6_SHIM6, falls=raw(140), passes=raw(135)),
    "Limit": Pair(
        Drop.SCREEN_IPV6_EXTENSION_LIMIT,
        falls=chain(HOP_BY_HOP, DESTINATION, ROUTING),
        passes=chain(HOP_BY_HOP, ROUTING),
        extension_limit=2,
    ),
    "LimitZero": Pair(
        Drop.SCREEN_IPV6_EXTENSION_LIMIT,
        falls=chain(DESTINATION),
        passes=PLAIN,
        extension_limit=0,
    ),
    "MalformedLateHopByHop": Pair(
        Drop.SCREEN_IPV6_MALFORMED_HEADER,
        falls=chain(DESTINATION, HOP_BY_HOP),
        passes=chain(HOP_BY_HOP, DESTINATION),
    ),
    "MalformedTwoRoutings": Pair(
        Drop.SCREEN_IPV6_MALFORMED_HEADER,
        falls=chain(ROUTING, ROUTING),
        passes=chain(ROUTING),
    ),
    "MalformedThreeDestinations": Pair(
        Drop.SCREEN_IPV6_MALFORMED_HEADER,
        falls=chain(DESTINATION, ROUTING, DESTINATION, DESTINATION),
        passes=chain(DESTINATION, ROUTING, DESTINATION),
    ),
    "MalformedTwoFragments": Pair(
        Drop.SCREEN_IPV6_MALFORMED_HEADER,
        falls=chain(IPv6ExtHdrFragment(id=912), IPv6ExtHdrFragment(id=912)),
        passes=chain(IPv6ExtHdrFragment(id=912)),
        punt=Punt.FRAGMENT,
    ),
}
globals().update(cases(PAIRS, __name__))
