"""All screens of an ``ids-option``: their words, thresholds and labels.

Names and ranges as in Juniper's YANG models (junos-es, IDS options). One list, from the grammar to
the rows of ``show security screen``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.config.schema import SECOND
from controller.config.tree import Node, Statement, container, flag, leaf, refused
from controller.config.values import Value, number, one_of
from controller.config.white_lists import SYN_WHITE_LIST, UDP_WHITE_LIST
from controller.flow import Nanoseconds
from controller.reasons import Drop


@dataclass(frozen=True, slots=True)
class Threshold:
    """A screen's number."""

    default: int
    low: int
    high: int
    word: str = "threshold"
    is_only_switch: bool = False
    """Without the number the screen is off, whatever stands beside it."""

    @property
    def value(self) -> Value:
        """What may be configured."""
        return number(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen and the words that switch it on."""

    drop: Drop
    words: tuple[str, ...]
    """Below ``ids-option NAME``."""
    label: str
    """In ``show security screen ids-option``."""
    threshold: Threshold | None = None


_RATE = Threshold(1000, 1, 1_000_000)
_WINDOW = Threshold(5000, 1000, 1_000_000)
"""Microseconds in which the tenth address or port makes a sweep or scan."""
_SYN = ("tcp", "syn-flood")
_TIMEOUT = "timeout"
_SESSIONS = ("limit-session",)

SCREENS = (
    Screen(Drop.SCREEN_ICMP_FLOOD, ("icmp", "flood"), "ICMP flood threshold", _RATE),
    Screen(Drop.SCREEN_UDP_FLOOD, ("udp", "flood"), "UDP flood threshold", _RATE),
    Screen(Drop.SCREEN_WINNUKE, ("tcp", "winnuke"), "TCP winnuke"),
    Screen(Drop.SCREEN_PORT_SCAN, ("tcp", "port-scan"), "TCP port scan threshold", _WINDOW),
    Screen(Drop.SCREEN_UDP_PORT_SCAN, ("udp", "port-scan"), "UDP port scan threshold", _WINDOW),
    Screen(Drop.SCREEN_IP_SWEEP, ("icmp", "ip-sweep"), "ICMP address sweep threshold", _WINDOW),
    Screen(Drop.SCREEN_TCP_SWEEP, ("tcp", "tcp-sweep"), "TCP sweep threshold", _WINDOW),
    Screen(Drop.SCREEN_UDP_SWEEP, ("udp", "udp-sweep"), "UDP sweep threshold", _WINDOW),
    Screen(Drop.SCREEN_TEAR_DROP, ("ip", "tear-drop"), "IP tear drop"),
    Screen(
        Drop.SCREEN_SYN_FLOOD_ATTACK,
        _SYN,
        "TCP SYN flood attack threshold",
        Threshold(200, 1, 1_000_000, "attack-threshold"),
    ),
    Screen(
        Drop.SCREEN_SYN_FLOOD_ALARM,
        _SYN,
        "TCP SYN flood alarm threshold",
        Threshold(512, 1, 1_000_000, "alarm-threshold"),
    ),
    Screen(
        Drop.SCREEN_SYN_FLOOD_SOURCE,
        _SYN,
        "TCP SYN flood source threshold",
        Threshold(4000, 4, 1_000_000, "source-threshold"),
    ),
    Screen(
        Drop.SCREEN_SYN_FLOOD_DESTINATION,
        _SYN,
        "TCP SYN flood destination threshold",
        Threshold(4000, 4, 1_000_000, "destination-threshold"),
    ),
    Screen(Drop.SCREEN_SPOOFING, ("ip", "spoofing"), "IP spoofing"),
    Screen(Drop.SCREEN_PING_DEATH, ("icmp", "ping-death"), "ICMP ping of death"),
    Screen(Drop.SCREEN_SOURCE_ROUTE, ("ip", "source-route-option"), "IP source route option"),
    Screen(Drop.SCREEN_LAND, ("tcp", "land"), "TCP land attack"),
    Screen(Drop.SCREEN_SYN_FRAG, ("tcp", "syn-frag"), "TCP SYN fragment"),
    Screen(Drop.SCREEN_TCP_NO_FLAG, ("tcp", "tcp-no-flag"), "TCP no flag"),
    Screen(Drop.SCREEN_UNKNOWN_PROTOCOL, ("ip", "unknown-protocol"), "IP unknown protocol"),
    Screen(Drop.SCREEN_BAD_OPTION, ("ip", "bad-option"), "IP bad options"),
    Screen(Drop.SCREEN_RECORD_ROUTE, ("ip", "record-route-option"), "IP record route option"),
    Screen(Drop.SCREEN_TIMESTAMP, ("ip", "timestamp-option"), "IP timestamp option"),
    Screen(Drop.SCREEN_SECURITY, ("ip", "security-option"), "IP security option"),
    Screen(
        Drop.SCREEN_LOOSE_SOURCE_ROUTE,
        ("ip", "loose-source-route-option"),
        "IP loose source route option",
    ),
    Screen(
        Drop.SCREEN_STRICT_SOURCE_ROUTE,
        ("ip", "strict-source-route-option"),
        "IP strict source route option",
    ),
    Screen(Drop.SCREEN_STREAM, ("ip", "stream-option"), "IP stream option"),
    Screen(Drop.SCREEN_ICMP_FRAGMENT, ("icmp", "fragment"), "ICMP fragmentation"),
    Screen(Drop.SCREEN_ICMP_LARGE, ("icmp", "large"), "ICMP large packet"),
    Screen(Drop.SCREEN_ICMPV6_MALFORMED, ("icmp", "icmpv6-malformed"), "ICMPv6 malformed packet"),
    Screen(Drop.SCREEN_SYN_FIN, ("tcp", "syn-fin"), "TCP SYN FIN"),
    Screen(Drop.SCREEN_FIN_NO_ACK, ("tcp", "fin-no-ack"), "TCP FIN no ACK"),
    Screen(Drop.SCREEN_BLOCK_FRAG, ("ip", "block-frag"), "IP block fragment"),
    *(
        Screen(drop, ("ip", "ipv6-extension-header", word), f"IPv6 extension {label}")
        for drop, word, label in (
            (Drop.SCREEN_IPV6_HOP_BY_HOP, "hop-by-hop-header", "hop by hop header"),
            (Drop.SCREEN_IPV6_ROUTING, "routing-header", "routing header"),
            (Drop.SCREEN_IPV6_FRAGMENT, "fragment-header", "fragment header"),
            (Drop.SCREEN_IPV6_ESP, "ESP-header", "ESP header"),
            (Drop.SCREEN_IPV6_AH, "AH-header", "AH header"),
            (Drop.SCREEN_IPV6_NO_NEXT, "no-next-header", "no next header"),
            (Drop.SCREEN_IPV6_DESTINATION, "destination-header", "destination header"),
            (Drop.SCREEN_IPV6_MOBILITY, "mobility-header", "mobility header"),
            (Drop.SCREEN_IPV6_HIP, "HIP-header", "HIP header"),
            (Drop.SCREEN_IPV6_SHIM6, "shim6-header", "shim6 header"),
        )
    ),
    Screen(
        Drop.SCREEN_IPV6_EXTENSION_LIMIT,
        ("ip", "ipv6-extension-header-limit"),
        "IPv6 extension header limit",
        Threshold(0, 0, 32, ""),
    ),
    Screen(
        Drop.SCREEN_IPV6_MALFORMED_HEADER, ("ip", "ipv6-malformed-header"), "IPv6 malformed header"
    ),
    Screen(
        Drop.SYN_ACK_ACK_PROXY,
        ("tcp", "syn-ack-ack-proxy"),
        "TCP SYN-ACK-ACK proxy threshold",
        Threshold(512, 1, 250_000),
    ),
    Screen(
        Drop.SCREEN_SESSION_LIMIT_SOURCE,
        _SESSIONS,
        "Session source limit threshold",
        Threshold(128, 1, 8_000_000, "source-ip-based", is_only_switch=True),
    ),
    Screen(
        Drop.SCREEN_SESSION_LIMIT_DESTINATION,
        _SESSIONS,
        "Session destination limit threshold",
        Threshold(128, 1, 8_000_000, "destination-ip-based", is_only_switch=True),
    ),
)
"""In the order of ``show security screen ids-option``."""

THRESHOLDS = frozenset(screen.drop for screen in SCREENS if screen.threshold is not None)
"""Screens that have one."""

_REFUSED = {
    _SYN: ("queue-size",),
    ("ip",): ("tunnel",),
    ("ip", "ipv6-extension-header"): ("user-defined-header-type",),
    _SESSIONS: ("by-source", "by-destination"),
}
"""Words of Junos below ``ids-option`` that have no effect here yet."""

_MORE: Mapping[tuple[str, ...], tuple[Node, ...]] = {
    _SYN: (SYN_WHITE_LIST,),
    ("udp", "flood"): (UDP_WHITE_LIST,),
    (): (leaf("match-direction", one_of("input", "output", "input-output")),),
}
"""What is no screen."""


def grammar() -> tuple[Node, ...]:
    """What may follow ``ids-option NAME``."""
    return _below(())


def _below(path: tuple[str, ...]) -> tuple[Node, ...]:
    nodes = []
    at = len(path)
    for word in dict.fromkeys(s.words[at] for s in SCREENS if _is_below(s, path)):
        here = (*path, word)
        screens = [screen for screen in SCREENS if screen.words == here]
        limits = [screen.threshold for screen in screens if screen.threshold is not None]
        if not screens:
            nodes.append(container(word, *_below(here)))
        elif limits and not limits[0].word:
            nodes.append(leaf(word, limits[0].value))
        else:
            words = [leaf(limit.word, limit.value) for limit in limits]
            if here == _SYN:
                words.append(leaf(_TIMEOUT, number(1, 50)))
            alone = not limits or any(not limit.is_only_switch for limit in limits)
            more = _MORE.get(here, ())
            nodes.append((flag if alone else container)(word, *words, *more, *_refused(here)))
    return (*nodes, *_MORE.get(path, ()), *_refused(path))


def _refused(path: tuple[str, ...]) -> tuple[Node, ...]:
    return tuple(map(refused, _REFUSED.get(path, ())))


def syn_flood_timeout(option: Statement) -> Nanoseconds:
    """How long an ``ids-option`` lets half-open connections wait."""
    return int(option.text(*_SYN, _TIMEOUT) or 20) * SECOND


def _is_below(screen: Screen, path: tuple[str, ...]) -> bool:
    return len(screen.words) > len(path) and screen.words[: len(path)] == path


def configured(option: Statement) -> dict[Drop, int]:
    """The screens that an ``ids-option`` switches on, with their thresholds (0: it has none)."""
    found = {}
    for screen in SCREENS:
        statement = option.get(*screen.words)
        if statement is None:
            continue
        limit = screen.threshold
        value = 0
        if limit is not None:
            text = statement.text(limit.word) if limit.word else statement.values[0].text
            if text is None and limit.is_only_switch:
                continue
            value = limit.default if text is None else int(text)
        found[screen.drop] = value
    return found
