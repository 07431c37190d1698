"""Values of firewall filters, policers and class of service: rates, code points, TCP flags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from controller.config.problems import unknown
from controller.config.values import Value

DSCPS = {"be": 0, "cs0": 0, "ef": 46, "nc1": 48, "nc2": 56,
         **{f"cs{n}": 8 * n for n in range(1, 8)},
         **{f"af{c}{p}": 8 * c + 2 * p for c in range(1, 5) for p in range(1, 4)}}  # fmt: skip
"""Code points by name (RFC 2474, 2597, 3246)."""

TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "push": 8, "ack": 16, "urgent": 32}

ICMP_TYPES = {"echo-reply": 0, "unreachable": 3, "source-quench": 4, "redirect": 5,
              "echo-request": 8, "router-advertisement": 9, "router-solicit": 10,
              "time-exceeded": 11, "parameter-problem": 12, "timestamp": 13,
              "timestamp-reply": 14}  # fmt: skip
ICMPV6_TYPES = {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3,
                "parameter-problem": 4, "echo-request": 128, "echo-reply": 129,
                "router-solicit": 133, "router-advertisement": 134, "neighbor-solicit": 135,
                "neighbor-advertisement": 136, "redirect": 137}  # fmt: skip

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_AMOUNT = re.compile(r"(\d{1,12})([kmg]?)")
_BITS = re.compile(r"[01]+")


def amount(text: str) -> int:
    """The number that ``10m`` means."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _UNITS[match[2]]


def _amount_value(name: str, low: int, high: int) -> Value:
    def complaint(text: str) -> str | None:
        try:
            value = amount(text)
        except ValueError:
            return f"'{text}' is no {name} such as 500k, 10m or 1g"
        if not low <= value <= high:
            return f"'{text}' is no {name} from {low} to {high}"
        return None

    return Value(name, complaint)


BANDWIDTH = _amount_value("number of bits a second", 8_000, 100_000_000_000)
BURST = _amount_value("number of bytes", 1_500, 100_000_000_000)


def named(name: str, words: dict[str, int], high: int, bits: int = 0) -> Value:
    """A number from 0 to ``high``, one of a few words, or ``bits`` binary digits."""

    def complaint(text: str) -> str | None:
        try:
            meaning(text, words, high, bits)
        except ValueError:
            return unknown(name, text, words) + f", or a number from 0 to {high}"
        return None

    return Value(name, complaint)


def meaning(text: str, words: dict[str, int], high: int, bits: int = 0) -> int:
    """The number that a text accepted by ``named`` means. Raises ``ValueError``."""
    if text in words:
        return words[text]
    if bits and len(text) == bits and _BITS.fullmatch(text):
        return int(text, 2)
    if not text.isascii() or not text.isdigit() or int(text) > high:
        raise ValueError(text)
    return int(text)


def dscp(text: str) -> int:
    """The DSCP that a text accepted by ``DSCP`` means."""
    return meaning(text, DSCPS, 63, 6)


DSCP = named("code point", DSCPS, 63, 6)
PCP = Value(
    "three bits such as 101",
    lambda t: None if len(t) == 3 and _BITS.fullmatch(t) else f"'{t}' is no three bits such as 101",
)
ICMP_TYPE = named("ICMP type", ICMP_TYPES, 255)
ICMPV6_TYPE = named("ICMPv6 type", ICMPV6_TYPES, 255)


def tcp_flags(text: str) -> Iterator[tuple[int, int]]:
    """The values and masks that an expression such as ``(syn & !ack) | rst`` means; any of them
    is to match. Raises ``ValueError`` with the reason."""
    for alternative in text.split("|"):
        value = mask = 0
        term = alternative.strip()
        if term.startswith("(") and term.endswith(")"):
            term = term[1:-1]
        for word in term.split("&"):
            name = word.strip()
            flag = TCP_FLAGS.get(name.lstrip("!").strip())
            if flag is None:
                raise ValueError(unknown("TCP flag", name, TCP_FLAGS))
            if mask & flag:
                raise ValueError(f"'{name}' is said twice in '{text}'")
            mask |= flag
            value |= 0 if name.startswith("!") else flag
        yield value, mask


def _complaint_of(parse: Callable[[str], Iterator[object]]) -> Callable[[str], str | None]:
    def complaint(text: str) -> str | None:
        try:
            list(parse(text))
        except ValueError as error:
            return f'{error}; write for example "(syn & !ack) | rst"'
        return None

    return complaint


TCP_FLAGS_VALUE = Value("TCP flags", _complaint_of(tcp_flags))
