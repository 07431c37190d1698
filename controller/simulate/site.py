"""The chassis of a run, its configurations, and what is at the far end of its wires.

Three zones on two NPUs, one interface tagged, three ways into the untrusted network. Behind each
wire is a router with many hosts behind that, so a few ARP entries serve any number of flows; one
address on each wire belongs to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from controller.config.build import parse
from controller.config.cards import Chassis
from controller.config.chassis import parse_chassis
from controller.config.schema import SECOND, Configuration, Interface
from controller.flow import Address, Hop, Port
from controller.reasons import Drop
from controller.routing import nd
from controller.simulate.options import Fault
from controller.simulate.prefixes import PREFIXES
from controller.simulate.styles import Shares, Style

NPUS = (1, 2)

_LINES = """
set interfaces ge-1/0/0 unit 0 family inet address 10.0.1.1/24
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-1/0/1 vlan-tagging
set interfaces ge-1/0/1 unit 30 vlan-id 30
set interfaces ge-1/0/1 unit 30 family inet address 10.0.3.1/24
set interfaces ge-1/0/1 unit 30 family inet6 address 2001:db8:3::1/64
set interfaces ge-2/0/0 unit 0 family inet address 10.0.2.1/24
set interfaces ge-2/0/0 unit 0 family inet6 address 2001:db8:2::1/64
set interfaces ge-2/0/1 unit 0 family inet address 10.0.4.1/24
set interfaces ge-1/0/2 unit 0 family inet address 10.0.5.1/24
set interfaces ge-1/0/2 unit 0 family inet6 address 2001:db8:5::1/64
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone trust host-inbound-traffic system-services ping
set security zones security-zone dmz interfaces ge-1/0/1.30
set security zones security-zone untrust interfaces ge-2/0/0.0
set security zones security-zone untrust interfaces ge-2/0/1.0
set security zones security-zone untrust interfaces ge-1/0/2.0
set routing-options static route 10.1.0.0/16 next-hop 10.0.1.254
set routing-options static route 10.3.0.0/16 next-hop 10.0.3.254
set routing-options static route 198.18.0.0/15 next-hop 10.0.2.254
set routing-options rib inet6.0 static route 2001:db8:1000::/36 next-hop 2001:db8:1::fe
set routing-options rib inet6.0 static route 2001:db8:3000::/36 next-hop 2001:db8:3::fe
set routing-options rib inet6.0 static route 2001:db8:2000::/36 next-hop 2001:db8:2::fe
set applications application offloaded protocol udp
set applications application offloaded destination-port 6000-6999
set applications application offloaded-tcp protocol tcp
set applications application offloaded-tcp destination-port 8000-8999
set applications application offloaded-tcp inactivity-timeout 40
set applications application web protocol tcp
set applications application web destination-port 80
set applications application web inactivity-timeout 60
set applications application slow protocol tcp
set applications application slow destination-port 9000-9999
set applications application slow inactivity-timeout 90
set applications application ftp protocol tcp
set applications application ftp destination-port 21
set applications application ftp application-protocol ftp
set applications application ftp inactivity-timeout 50
set security alg ike-esp-nat enable
set applications application refused protocol udp
set applications application refused destination-port 9
"""

_NAT = """
HIDE from zone trust
HIDE to zone untrust
source pool outside address 203.0.113.2/32
source pool small address 203.0.113.16/30
source pool small port range 2000 to 2009
source pool small address-pooling paired
source pool small overflow-pool interface
source pool tight address 203.0.113.32/32
source pool tight port range 3000 to 3004
source pool tight port port-overloading-factor 4
source pool kept address 203.0.113.64/27
source pool kept port no-translation
HIDE rule kept match source-address 10.1.2.0/24
HIDE rule kept then source-nat pool kept
HIDE rule tight match source-address 10.1.3.0/24
HIDE rule tight then source-nat pool tight
HIDE rule small match source-address 10.1.4.0/23
HIDE rule small then source-nat pool small
HIDE rule lasting match source-address 10.1.6.0/23
HIDE rule lasting then source-nat pool outside persistent-nat permit any-remote-host
HIDE rule lasting then source-nat pool outside persistent-nat inactivity-timeout 60
destination pool web address 10.3.1.10/32 port 80
destination rule-set in from zone untrust
destination rule-set in rule web match destination-address 203.0.113.80/32
destination rule-set in rule web match destination-port 8080
destination rule-set in rule web then destination-nat pool web
destination pool farm address 10.3.4.0/26
destination rule-set farm from zone trust
destination rule-set farm rule farm match destination-address 203.0.113.192/26
destination rule-set farm rule farm then destination-nat pool farm
static rule-set both from zone untrust
static rule-set both rule net match destination-address 203.0.113.128/26
static rule-set both rule net then static-nat prefix 10.3.2.0/26
static rule-set both rule port match destination-address 203.0.113.112/32
static rule-set both rule port match destination-port 2222
static rule-set both rule port then static-nat prefix 10.3.1.20/32 mapped-port 22
HIDE rule all match source-address 10.0.0.0/8
HIDE rule all then source-nat interface
"""
"""Without the words that each line begins with; ``HIDE`` is the one rule set of source NAT."""

_POLICIES = (
    ("trust", "untrust", "no-telnet", "junos-telnet", "reject"),
    ("trust", "untrust", "no-discard", "refused", "deny"),
    ("trust", "untrust", "express", "[ offloaded offloaded-tcp ]", "permit services-offload"),
    ("trust", "untrust", "timed", "[ web slow ftp ]", "permit"),
    ("trust", "untrust", "out", "any", "permit"),
    ("trust", "dmz", "timed", "[ web slow ftp offloaded-tcp ]", "permit services-offload"),
    ("trust", "dmz", "to-dmz", "any", "permit"),
    ("dmz", "untrust", "timed", "[ web slow offloaded-tcp ]", "permit services-offload"),
    ("dmz", "untrust", "dmz-out", "any", "permit services-offload"),
    ("untrust", "dmz", "in", "any", "permit"),
)
"""From zone, to zone, name, applications, what it does."""

_VARIANTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    # A policy is gone, and what it permitted is refused.
    (("policy to-dmz", ""), ("", "set security policies policy-rematch")),
    # The way into the untrusted network is another one.
    (("198.18.0.0/15 next-hop 10.0.2.254", "198.18.0.0/15 next-hop 10.0.4.254"),),
    # It is by another NPU.
    (
        ("198.18.0.0/15 next-hop 10.0.2.254", "198.18.0.0/15 next-hop 10.0.5.254"),
        (
            "2001:db8:2000::/36 next-hop 2001:db8:2::fe",
            "2001:db8:2000::/36 next-hop 2001:db8:5::fe",
        ),
    ),
    # What rode Express Path is denied, and live sessions are held against that.
    (
        ("policy express then permit services-offload", "policy express then deny"),
        ("", "set security policies policy-rematch extensive"),
    ),
    # Pools are others, and the published server. A FIN is the end.
    (
        ("203.0.113.16/30", "203.0.113.20/30"),
        ("pool tight port range 3000 to 3004", "pool tight port range 3003 to 3009"),
        ("10.3.1.10/32 port 80", "10.3.1.11/32 port 80"),
        ("", "set security flow tcp-session fin-invalidate-session"),
    ),
    # TCP is looked at closely, and refused with a RST.
    (
        ("", "set security flow tcp-session strict-syn-check"),
        ("", "set security flow tcp-session rst-sequence-check"),
        ("", "set security flow tcp-session rst-invalidate-session"),
        ("", "set security flow tcp-session fin-invalidate-session"),
        ("", "set security zones security-zone trust tcp-rst"),
        ("", "set security zones security-zone untrust tcp-rst"),
    ),
    # Sessions are limited, and age early when there are many.
    (
        ("", "set security screen ids-option guard limit-session source-ip-based 2"),
        ("", "set security screen ids-option guard limit-session destination-ip-based 6"),
        ("", "set security zones security-zone trust screen guard"),
        # Not that of trust: many connect to one server here, and no host here expects to be
        # answered in its stead.
        ("", "set security screen ids-option outside limit-session source-ip-based 2"),
        ("", "set security screen ids-option outside limit-session destination-ip-based 6"),
        ("", "set security zones security-zone untrust screen outside"),
        ("", "set security flow aging low-watermark 10"),
        ("", "set security flow aging high-watermark 20"),
        ("", "set security flow aging early-ageout 3"),
    ),
    # No translation any more, and no way back.
    (
        ("nat source", ""),
        ("198.18.0.0/15", ""),
        ("", "set security flow route-change-timeout 6"),
    ),
)
"""What differs from the first configuration: lines with the first text have the second instead, or
are gone if that is empty; behind an empty text is a line that is new."""

VARIANTS = len(_VARIANTS)

WEB = ip_address("203.0.113.80").packed, 8080
"""Address and port of a server in the dmz as the untrusted zone knows it (destination NAT)."""
WEB_SERVERS = ip_address("10.3.1.10").packed, ip_address("10.3.1.11").packed
"""Who that may be."""
FARM = ip_address("203.0.113.192").packed, ip_address("10.3.4.0").packed
"""First of 64 addresses of the dmz as trust knows them (destination NAT), and as they are."""
STATIC = ip_address("203.0.113.128").packed, ip_address("10.3.2.0").packed
"""First of 64 addresses of the dmz as the untrusted zone knows them, and as they are."""
STATIC_PORT = ip_address("203.0.113.112").packed, 2222
"""A server's port in the dmz as the untrusted zone knows it (static NAT)."""
STATIC_SERVER = ip_address("10.3.1.20").packed
"""Who that is, at port 22."""


def chassis(spus: int, max_sessions: int, style: Style, faults: frozenset[Fault]) -> Chassis:
    """Two NPUs joined by a fabric, and so many SPUs, each with room for so many sessions."""
    nat = style.nat_faults(faults)
    lines = [
        f'[central_point]\nbalancing = "{style.balancing.value}"\n'
        f"pending_timeout = {style.pending_timeout // SECOND}\n",
        f"[nat]\ndelay = {nat.delay // 1_000_000}\nrefuse_every = {nat.refuse_every}\n",
    ]
    if style.is_bounded and Fault.EXHAUSTION in faults:
        lines.insert(1, f"max_sessions = {max(1, spus * max_sessions * 9 // 10)}\n")
    for npu, far in ((1, 2), (2, 1)):
        lines.append(
            f'[[npu]]\nnumber = {npu}\naddress = "127.0.0.1:{9558 + npu}"\n'
            f"device_id = {npu}\nfabric = {{ {far} = 200 }}\n"
        )
    for spu in range(1, spus + 1):
        lines.append(f"[[spu]]\nnumber = {spu}\nmax_sessions = {max_sessions}\n")
        if style.shares is Shares.WEIGHTED:
            lines.append(f"weight = {1 + spu % 3}\n")
        elif style.shares is Shares.COMBO and spu == 1:
            lines.append('mode = "combo"\n')
    return parse_chassis("".join(lines), "simulated chassis")


def configuration(
    variant: int, site: Chassis, style: Style, previous: Configuration | None = None
) -> Configuration:
    """One of the configurations that a run changes between."""
    lines = _LINES.strip().splitlines() + style.lines
    for line in _NAT.strip().splitlines():
        lines.append("set security nat " + line.replace("HIDE", "source rule-set hide"))
    lines += ["set security nat " + line for prefixes in PREFIXES for line in prefixes.lines]
    for from_zone, to_zone, name, applications, then in _POLICIES:
        policy = f"set security policies from-zone {from_zone} to-zone {to_zone} policy {name}"
        lines += [
            f"{policy} match source-address any",
            f"{policy} match destination-address any",
            f"{policy} match application {applications}",
            f"{policy} then {then}",
        ]
    for old, new in _VARIANTS[variant]:
        if not old:
            lines.append(new)
        elif not new:
            lines = [line for line in lines if old not in line]
        else:
            lines = [line.replace(old, new) for line in lines]
    return parse("\n".join(lines), f"simulated configuration {variant}", site, previous)


@dataclass(frozen=True, slots=True)
class Wire:
    """What is plugged into an interface: a router, and networks behind it."""

    interface: Interface
    router_mac: bytes
    routers: frozenset[Address]
    """Addresses that the router answers for in ARP and ND."""
    network4: bytes
    """First two bytes of the addresses behind it."""
    network6: bytes
    """First five bytes."""
    silent: Address
    """On the wire, but nobody has it."""

    @property
    def port(self) -> Port:
        """Where its frames go in."""
        return self.interface.port


_WIRES = {
    "trust": ("ge-1/0/0.0", "0a0100", ("10.0.1.254", "2001:db8:1::fe"), "10.0.1.77"),
    "dmz": ("ge-1/0/1.30", "0a0300", ("10.0.3.254", "2001:db8:3::fe"), "10.0.3.77"),
    "untrust": ("ge-2/0/0.0", "0a0200", ("10.0.2.254", "2001:db8:2::fe"), "10.0.2.77"),
    "uplink": ("ge-2/0/1.0", "0a0400", ("10.0.4.254",), "10.0.4.77"),
    "far uplink": ("ge-1/0/2.0", "0a0500", ("10.0.5.254", "2001:db8:5::fe"), "10.0.5.77"),
}
_NETWORKS = {
    "trust": (bytes((10, 1)), bytes.fromhex("20010db81000")[:5]),
    "dmz": (bytes((10, 3)), bytes.fromhex("20010db83000")[:5]),
    "untrust": (bytes((198, 18)), bytes.fromhex("20010db82000")[:5]),
    "uplink": (bytes((198, 18)), bytes.fromhex("20010db82000")[:5]),
    "far uplink": (bytes((198, 18)), bytes.fromhex("20010db82000")[:5]),
}


def wires(config: Configuration) -> dict[str, Wire]:
    """What is plugged in, by zone; ``uplink`` is the second way into ``untrust``,
    ``far uplink`` the third, by the other NPU."""
    found = {}
    for name, (interface, mac, routers, silent) in _WIRES.items():
        network4, network6 = _NETWORKS[name]
        found[name] = Wire(
            config.interfaces[interface],
            bytes.fromhex("0200" + mac + "fe"),
            frozenset(ip_address(address).packed for address in routers),
            network4,
            network6,
            ip_address(silent).packed,
        )
    return found


def resolve(wire: Wire, frame: bytes) -> bytes | None:
    """What a wire's router says to an ARP request or a solicitation; empty: nothing, as it is about
    somebody else. ``None``: the frame is neither."""
    at = 18 if wire.interface.vlan else 14
    kind = frame[at - 2 : at]
    if kind == b"\x08\x06":
        heard = nd.read_arp(frame)
    elif kind == b"\x86\xdd" and frame[at + 6] == 58 and 133 <= frame[at + 40] <= 137:
        heard = nd.read_nd(frame)
    else:
        return None
    if isinstance(heard, Drop) or not heard.asks or heard.target not in wire.routers:
        return b""
    hop = Hop(wire.port, wire.interface.vlan, wire.router_mac, heard.mac)
    if len(heard.target) == 4:
        return nd.arp(2, hop, heard.target, heard.mac, heard.sender)
    return nd.advertisement(hop, heard.target, heard.sender)
