"""Kinds of values that follow a word of the configuration, and what they accept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Protocol

from controller.config.problems import unknown
from controller.config.schema import Alg

MAX_INTERFACES = 199
"""Ports 1..199 of an NPU are interfaces (``FIRST_FABRIC_PORT`` of ``p4src/ids.p4`` is 200)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A kind of value: its name for messages, and why a text is none of it (or ``None``)."""

    name: str
    complaint: Callable[[str], str | None]
    choices: tuple[str, ...] = ()
    """All texts it accepts, if they are few: for completion."""


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-/:]*")
_INTERFACE = re.compile(r"ge-(0|[1-9][0-9]{0,2})/0/(0|[1-9][0-9]{0,2})")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58,
             "ospf": 89, "sctp": 132}  # fmt: skip
"""Protocols that may be written by name."""

ICMP_TYPES = {"echo-reply": 0, "unreachable": 3, "redirect": 5, "echo-request": 8,
              "time-exceeded": 11, "timestamp": 13, "timestamp-reply": 14}  # fmt: skip
"""ICMP types that may be written by name."""

PORT_NAMES = {"ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53,
              "tftp": 69, "http": 80, "pop3": 110, "ntp": 123, "imap": 143, "snmp": 161,
              "bgp": 179, "ldap": 389, "https": 443, "syslog": 514}  # fmt: skip
"""Ports that may be written by name."""


def number(low: int, high: int, name: str = "number") -> Value:
    """A decimal number within bounds."""

    def complaint(text: str) -> str | None:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            return f"'{text}' is no {name} from {low} to {high}"
        return None

    return Value(name, complaint)


def one_of(*words: str) -> Value:
    """One of a few words."""

    def complaint(text: str) -> str | None:
        return None if text in words else unknown("word", text, words)

    return Value("|".join(words), complaint, words)


def _name(text: str) -> str | None:
    if len(text) > 63 or not _NAME.fullmatch(text):
        return (
            f"'{text}' is no name: at most 63 letters, digits, '-', '_', '.', '/' or ':', "
            "a letter, digit or '_' first"
        )
    return None


def _interface(text: str) -> str | None:
    match = _INTERFACE.fullmatch(text)
    if match is None:
        return f"'{text}' is no interface name such as ge-1/0/0 (ge-<NPU>/0/<number>)"
    if not 1 <= int(match[1]) <= 255:
        return f"no NPU {int(match[1])} in '{text}': NPU numbers run from 1 to 255"
    if int(match[2]) >= MAX_INTERFACES:
        return f"'{text}': interface numbers of an NPU run from 0 to {MAX_INTERFACES - 1}"
    return None


def _logical_interface(text: str) -> str | None:
    name, dot, unit = text.rpartition(".")
    if not dot or not unit.isdigit() or _interface(name):
        return f"'{text}' is no logical interface such as ge-1/0/0.0"
    return None


def _parsable(what: str, example: str, parse: Callable[[str], object]) -> Value:
    def complaint(text: str) -> str | None:
        try:
            parse(text)
        except ValueError as error:
            return f"'{text}' is no {what} such as {example} ({error})"
        return None

    return Value(what, complaint)


def _spelt(text: str) -> str:
    """A text for a parser that takes more than we do. Raises ``ValueError``."""
    address, slash, length = text.partition("/")
    if "%" in address:
        raise ValueError("no '%' in it: an address alone")
    if slash and not (length.isascii() and length.isdigit()):
        raise ValueError(f"'{length}' is no prefix length")
    return text


def _address(text: str) -> IPv4Address | IPv6Address:
    return ip_address(_spelt(text))


def _interface_address(text: str) -> IPv4Interface | IPv6Interface:
    found = ip_interface(_spelt(text))
    if found.is_multicast or found.is_loopback or (found.version == 4 and found.packed[0] >= 224):
        raise ValueError("a multicast, loopback or reserved address is no interface's")
    return found


def _network(text: str) -> IPv4Network | IPv6Network:
    _spelt(text)
    try:
        return ip_network(text)
    except ValueError:
        plain = ip_network(text, strict=False)  # or it is no prefix at all
    raise ValueError(f"it has host bits set; the prefix is {plain}")


class _Versioned(Protocol):
    """What IPv4 and IPv6 have forms of."""

    @property
    def version(self) -> int: ...


def _versioned(version: int, parse: Callable[[str], _Versioned]) -> Callable[[str], _Versioned]:
    def checked(text: str) -> _Versioned:
        if "/" not in text:
            raise ValueError("the prefix length is missing")
        value = parse(text)
        if value.version != version:
            raise ValueError(f"not IPv{version}")
        return value

    return checked


def _ports(text: str) -> str | None:
    if text in PORT_NAMES:
        return None
    match = _PORTS.fullmatch(text)
    if match is None:
        return f"'{text}' is no port such as 80, range such as 8000-8999, or known port name"
    low, high = int(match[1]), int(match[2] or match[1])
    if not low <= high <= 65535:
        return f"'{text}': ports run from 0 to 65535, the lower first"
    return None


def _protocol(text: str) -> str | None:
    if text in PROTOCOLS or (text.isascii() and text.isdigit() and int(text) <= 255):
        return None
    return unknown("protocol", text, PROTOCOLS) + ", or a number from 0 to 255"


def _timeout(text: str) -> str | None:
    return None if text == "never" else number(4, 86400, "number of seconds").complaint(text)


def _icmp_type(text: str) -> str | None:
    if text in ICMP_TYPES or (text.isascii() and text.isdigit() and int(text) <= 255):
        return None
    return unknown("ICMP type", text, ICMP_TYPES) + ", or a number from 0 to 255"


def wildcard(text: str) -> tuple[int, int]:
    """Address and mask of ``10.0.0.1/255.0.255.255``. Raises ``ValueError``."""
    address, slash, mask = text.partition("/")
    if not slash:
        raise ValueError("the mask is missing")
    bits = int(IPv4Address(mask))
    if not bits >> 31:
        raise ValueError("a mask starts with a 1 bit")
    return int(IPv4Address(address)) & bits, bits


_ALGS = tuple(alg.value for alg in Alg)
_OTHER_ALGS = ("mgcp-ca", "mgcp-ua", "ms-rpc", "q931", "ras", "realaudio", "rsh", "sccp",
               "sqlnet-v2", "sun-rpc", "talk", "twamp", "winframe")  # fmt: skip


def _alg(text: str) -> str | None:
    if text in _OTHER_ALGS:
        return f"'{text}' is known to Junos but not implemented here; remove the line"
    return None if text in _ALGS else unknown("application protocol", text, _ALGS)


def _instance(text: str) -> str | None:
    if text in ("master", "default"):
        return f"'{text}' is the routing instance that is always there; it has no name here"
    return _name(text)


def _port(text: str) -> str | None:
    if text in PORT_NAMES or (text.isascii() and text.isdigit() and int(text) <= 65535):
        return None
    return f"'{text}' is no port from 0 to 65535, nor a known port name"


NAME = Value("name", _name)
ALG = Value("application protocol", _alg, _ALGS)
INTERFACE = Value("interface", _interface)
LOGICAL_INTERFACE = Value("logical interface", _logical_interface)
INET_INTERFACE = _parsable("IPv4 address", "10.1.1.1/24", _versioned(4, _interface_address))
INET6_INTERFACE = _parsable("IPv6 address", "2001:db8:1::1/64", _versioned(6, _interface_address))
INET_PREFIX = _parsable("IPv4 prefix", "10.1.0.0/16", _versioned(4, _network))
INET6_PREFIX = _parsable("IPv6 prefix", "2001:db8::/32", _versioned(6, _network))
PREFIX = _parsable("prefix", "10.1.0.0/16", _network)
ADDRESS = _parsable("address", "10.1.1.2", _address)
PORTS = Value("port or range", _ports)
PORT = Value("port", _port)
PROTOCOL = Value("protocol", _protocol)
INSTANCE = Value("routing instance", _instance)
NAT_INSTANCE = Value("routing instance", _name)
"""One by name, or the ``default`` one."""
ZONE_NAME = Value("zone", _name)
TIMEOUT = Value("number of seconds or never", _timeout)
ICMP_TYPE = Value("ICMP type", _icmp_type)
WILDCARD = _parsable("wildcard address", "10.0.0.1/255.0.255.255", lambda text: wildcard(text))
TEXT = Value("text", lambda _: None)


def port_range(text: str) -> range:
    """The ports that a text accepted by ``PORTS`` means."""
    if text in PORT_NAMES:
        return range(PORT_NAMES[text], PORT_NAMES[text] + 1)
    low, _, high = text.partition("-")
    return range(int(low), int(high or low) + 1)


def icmp_type_number(text: str) -> int:
    """The type that a text accepted by ``ICMP_TYPE`` means."""
    return ICMP_TYPES[text] if text in ICMP_TYPES else int(text)


def protocol_number(text: str) -> int:
    """The protocol that a text accepted by ``PROTOCOL`` means."""
    return PROTOCOLS[text] if text in PROTOCOLS else int(text)


_PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}


def protocol_name(number: int) -> str:
    """A protocol by name if it has one."""
    return _PROTOCOL_NAMES.get(number, str(number))
