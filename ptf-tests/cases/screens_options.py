"""Screens of IPv4 options, by pairs on the way in and out, and of malformed ICMPv6."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from controller.reasons import Drop
from support.interfaces import TRUST, to
from support.packets import CLIENT, CLIENT6, CLIENT_PORT, DATA, SERVER, SERVER6, SERVER_PORT
from support.pairs import Pair, cases

NOP, END = b"\1", b"\0"


def options(*found: bytes) -> bytes:
    """UDP over IPv4 with these options, padded to whole words."""
    text = b"".join(found)
    ip = IP(src=CLIENT, dst=SERVER, options=[Raw(text + bytes(-len(text) % 4))])
    # scapy leaves raw options out of the header length.
    ip.ihl = 5 + (len(text) + 3) // 4
    return bytes(to(TRUST) / ip / UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA))


def option(kind: int, data: bytes = b"") -> bytes:
    """An option of two bytes and its data."""
    return bytes([kind, 2 + len(data)]) + data


RECORD_ROUTE = option(7, b"\4" + bytes(4))
TIMESTAMP = option(68, b"\5\0" + bytes(4))
SECURITY = option(130, bytes(9))
LOOSE = option(131, b"\4" + bytes(4))
STREAM = option(136, b"\0\1")
STRICT = option(137, b"\4" + bytes(4))
ROUTER_ALERT = option(148, b"\0\0")


def icmpv6(kind: int, code: int = 0, hop_limit: int = 64, data: bytes = bytes(20)) -> bytes:
    """An ICMPv6 message of some type and code; its checksum is not looked at."""
    ip = IPv6(src=CLIENT6, dst=SERVER6, nh=58, hlim=hop_limit)
    return bytes(to(TRUST) / ip / Raw(bytes([kind, code, 0, 0]) + data))


PAIRS = {
    "RecordRoute": Pair(
        Drop.SCREEN_RECORD_ROUTE, falls=options(RECORD_ROUTE), passes=options(TIMESTAMP)
    ),
    "Timestamp": Pair(
        Drop.SCREEN_TIMESTAMP, falls=options(TIMESTAMP), passes=options(RECORD_ROUTE)
    ),
    "Security": Pair(Drop.SCREEN_SECURITY, falls=options(SECURITY), passes=options(ROUTER_ALERT)),
    "Stream": Pair(Drop.SCREEN_STREAM, falls=options(STREAM), passes=options(ROUTER_ALERT)),
    "LooseSourceRoute": Pair(
        Drop.SCREEN_LOOSE_SOURCE_ROUTE, falls=options(LOOSE), passes=options(STRICT), detects=True
    ),
    "StrictSourceRoute": Pair(
        Drop.SCREEN_STRICT_SOURCE_ROUTE, falls=options(STRICT), passes=options(LOOSE), detects=True
    ),
    "SourceRouteLoose": Pair(
        Drop.SCREEN_SOURCE_ROUTE, falls=options(LOOSE), passes=options(RECORD_ROUTE)
    ),
    "SourceRouteStrict": Pair(
        Drop.SCREEN_SOURCE_ROUTE, falls=options(STRICT), passes=options(ROUTER_ALERT)
    ),
    "BehindNoOperations": Pair(
        Drop.SCREEN_RECORD_ROUTE,
        falls=options(NOP, NOP, RECORD_ROUTE),
        passes=options(NOP, NOP, END, RECORD_ROUTE),
    ),
    "BehindAnother": Pair(
        Drop.SCREEN_STREAM,
        falls=options(ROUTER_ALERT, TIMESTAMP, STREAM),
        passes=options(option(148, STREAM)),
    ),
    "AtTheEnd": Pair(
        Drop.SCREEN_STREAM,
        falls=options(option(148, bytes(34)), STREAM),
        passes=options(option(148, bytes(38))),
    ),
    "BadLengthZero": Pair(
        Drop.SCREEN_BAD_OPTION, falls=options(b"\x94\0\0\0"), passes=options(ROUTER_ALERT)
    ),
    "BadLengthOne": Pair(
        Drop.SCREEN_BAD_OPTION, falls=options(b"\x94\1\0\0"), passes=options(b"\x94\2")
    ),
    "BadLengthBeyondHeader": Pair(
        Drop.SCREEN_BAD_OPTION,
        falls=options(b"\x94\5\0\0"),
        passes=options(b"\x94\4\0\0"),
    ),
    "BadNoLength": Pair(
        Drop.SCREEN_BAD_OPTION, falls=options(NOP, NOP, NOP, b"\x94"), passes=options(NOP, NOP, NOP)
    ),
    "BadPointer": Pair(
        Drop.SCREEN_BAD_OPTION,
        falls=options(option(7, b"\3" + bytes(4))),
        passes=options(RECORD_ROUTE),
    ),
    "BadTimestampPointer": Pair(
        Drop.SCREEN_BAD_OPTION,
        falls=options(option(68, b"\4\0" + bytes(4))),
        passes=options(TIMESTAMP),
    ),
    "BadTooMany": Pair(
        Drop.SCREEN_BAD_OPTION,
        falls=options(*[option(148)] * 9),
        passes=options(*[option(148)] * 8),
    ),
    "Icmpv6ReservedType": Pair(Drop.SCREEN_ICMPV6_MALFORMED, falls=icmpv6(255), passes=icmpv6(200)),
    "Icmpv6EchoCode": Pair(
        Drop.SCREEN_ICMPV6_MALFORMED, falls=icmpv6(128, 1), passes=icmpv6(128, 0)
    ),
    "Icmpv6NeighborFromAfar": Pair(
        Drop.SCREEN_ICMPV6_MALFORMED, falls=icmpv6(135, hop_limit=254), passes=icmpv6(138)
    ),
    "Icmpv6RedirectCode": Pair(
        Drop.SCREEN_ICMPV6_MALFORMED,
        falls=icmpv6(137, 1, hop_limit=255),
        passes=icmpv6(137, 0, hop_limit=255),
    ),
    "Icmpv6Reserved127": Pair(Drop.SCREEN_ICMPV6_MALFORMED, falls=icmpv6(127), passes=icmpv6(129)),
}
globals().update(cases(PAIRS, __name__))
