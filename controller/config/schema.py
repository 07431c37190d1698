"""The running configuration as values: what parsers produce and every machine reads.

All of it is frozen. Names are resolved when a configuration is built (``config/build.py``): a
policy holds prefixes and applications, not their names in an address book, and a reference to
something that is not configured never gets this far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from controller.config.stateless import STATELESS, Stateless
from controller.flow import Address, Nanoseconds, Port
from controller.reasons import Drop, Punt

Network = IPv4Network | IPv6Network
SECOND: Nanoseconds = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Interface:
    """A logical interface such as ``ge-1/0/0.0``: NPU 1, port 1, unit 0."""

    name: str
    port: Port
    vlan: int
    """802.1Q tag; 0: untagged."""
    mac: bytes
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    zone: str
    """Empty when no zone claims it: its packets are refused."""
    token: int
    """Session token: stands for the zone and virtual router."""


class HostService(Enum):
    """Traffic to the firewall itself that a zone lets in (``host-inbound-traffic``)."""

    ALL = "all"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class Zone:
    """A security zone."""

    name: str
    id: int
    """1..255; what the NPU's interface tables and screen counters know it by."""
    interfaces: tuple[str, ...]
    screen: str = ""
    """Its ids-option, or empty."""
    host_inbound: frozenset[HostService] = frozenset()
    tcp_rst: bool = False


@dataclass(frozen=True, slots=True)
class ScreenProfile:
    """An ``ids-option``: which screens are on."""

    name: str
    screens: frozenset[Drop]
    alarm_without_drop: bool = False
    thresholds: Mapping[Drop, int] = field(default_factory=dict)
    """Of the screens that have one: packets a second, microseconds, or extension headers."""


@dataclass(frozen=True, slots=True)
class Application:
    """What a policy matches beside addresses: one protocol and port ranges."""

    name: str
    protocol: int
    """IP protocol number; -1: any."""
    source_ports: range
    destination_ports: range
    inactivity_timeout: Nanoseconds | None = None
    """``None``: the protocol's default."""
    alg: Alg | None = None
    """The gateway that reads along (``application-protocol``)."""


class Alg(Enum):
    """An application layer gateway; the value is its name in a configuration."""

    DNS = "dns"
    FTP = "ftp"
    IKE_ESP = "ike-esp-nat"
    PPTP = "pptp"
    RTSP = "rtsp"
    SIP = "sip"
    TFTP = "tftp"
    IGNORE = "ignore"
    """None, although the ports say otherwise (``application-protocol ignore``)."""


DEFAULT_ALGS = frozenset(Alg) - {Alg.IKE_ESP, Alg.IGNORE}
"""Those that work unless they are disabled; IKE-ESP is switched on (junos-es YANG, ``alg``)."""


class Action(Enum):
    """What a policy does with a flow."""

    PERMIT = "permit"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule between two zones, addresses resolved to prefixes (empty tuple: any)."""

    name: str
    index: int
    from_zone: str
    to_zone: str
    sources: tuple[Network, ...]
    destinations: tuple[Network, ...]
    applications: tuple[Application, ...]
    """Empty: any."""
    action: Action
    services_offload: bool = False
    """Sessions it permits ride Express Path where nothing disqualifies them."""
    log_init: bool = False
    log_close: bool = False


class SourceNat(Enum):
    """What a source NAT rule does."""

    OFF = "off"
    INTERFACE = "interface"
    """To the address of the egress interface, port translated."""


@dataclass(frozen=True, slots=True)
class SourceNatRule:
    """One source NAT rule; the first whose criteria match decides."""

    rule_set: str
    name: str
    from_zone: str
    to_zone: str
    sources: tuple[Network, ...]
    destinations: tuple[Network, ...]
    action: SourceNat


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """``routing-options static route PREFIX next-hop ADDRESS``."""

    prefix: Network
    next_hop: Address


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything configured, every name resolved."""

    interfaces: Mapping[str, Interface]
    zones: Mapping[str, Zone]
    screens: Mapping[str, ScreenProfile] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    """In order; the first match of a zone pair decides."""
    default_action: Action = Action.DENY
    source_nat: tuple[SourceNatRule, ...] = ()
    routes: tuple[StaticRoute, ...] = ()
    applications: Mapping[str, Application] = field(default_factory=dict)
    """Predefined (``junos-...``) and own, by name; names the service of a session."""
    host_name: str = "wingpath"
    stateless: Stateless = STATELESS
    """What NPUs do to single packets."""
    algs: frozenset[Alg] = DEFAULT_ALGS
    """The application layer gateways that are switched on."""
    allow_dns_reply: bool = False
    """A DNS answer may begin a session (``security flow allow-dns-reply``)."""


@dataclass(frozen=True, slots=True)
class NpuSite:
    """Where an NPU is and what it is joined to."""

    number: int
    address: str
    """HOST:PORT of its P4Runtime server."""
    device_id: int
    fabric: Mapping[int, int]
    """Far NPU's number -> this NPU's fabric port towards it."""


@dataclass(frozen=True, slots=True)
class SpuSite:
    """A services processing unit."""

    number: int
    """1..255; session ids are number * 10,000,000 + a count."""
    max_sessions: int


@dataclass(frozen=True, slots=True)
class Chassis:
    """The cards of the chassis: what no Junos configuration says."""

    npus: Mapping[int, NpuSite]
    spus: Mapping[int, SpuSite]
    punt_rates: Mapping[Punt, int] = field(default_factory=dict)
    """Packets a second that each NPU hands to the controller, where not the default."""
