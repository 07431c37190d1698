"""What cases of screens that count packets share."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Network, ip_network
from itertools import count

from controller.reasons import Drop, Punt, Send
from support import base
from support.interfaces import TRUST, UNTRUST, Interface
from support.names import Value
from support.packets import address

THRESHOLDS = (
    "icmp_flood",
    "udp_flood",
    "syn_flood_attack",
    "syn_flood_alarm",
    "syn_flood_source",
    "syn_flood_destination",
    "ip_sweep",
    "tcp_sweep",
    "udp_sweep",
    "port_scan",
    "udp_port_scan",
    "white_lists",
)
WINDOW = 1_000_000
"""Microseconds; the longest that can be configured, so that slow machines stay within it."""
TARGETS = 10
"""Addresses, or ports, that a sweep or scan is let through to."""

_hosts = count(1)


def fresh() -> str:
    """An address that no case has used: counters outlive a case."""
    number = next(_hosts)
    return f"198.18.{number >> 8}.{number & 255}"


def fresh6() -> str:
    """The same of IPv6."""
    return f"2001:db8:77::{next(_hosts):x}"


def mapped(who: str) -> bytes:
    """An address of either version as 16 bytes."""
    packed = address(who)
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def masked(prefix: str) -> tuple[Value, Value]:
    """A prefix of either version as value and mask of 128 bits."""
    network = ip_network(prefix)
    length = network.prefixlen + (0 if isinstance(network, IPv6Network) else 96)
    mask = (1 << 128) - (1 << (128 - length))
    return mapped(str(network.network_address)), mask


class Rates(base.NpuTest):
    """Thresholds and white lists of a zone."""

    side = ""
    """What the names of the tables begin with: ``egress_`` for the way out."""

    def thresholds(self, interface: Interface = TRUST, **values: int) -> None:
        """Thresholds of an interface's zone; those not given are off."""
        params: dict[str, Value] = dict.fromkeys(THRESHOLDS, 0)
        params.update(values)
        key: dict[str, Value] = {"zone": interface.zone}
        self.client.insert(f"{self.side}screen_thresholds", key, "set_thresholds", params)

    def white_list(
        self, interface: Interface, protocol: int, *, src: str = "", dst: str = ""
    ) -> None:
        """A pair of prefixes whose packets are not counted; empty: any."""
        key: dict[str, Value | tuple[Value, Value]] = {
            "zone": interface.zone,
            "protocol": protocol,
        }
        if src:
            key["src_addr"] = masked(src)
        if dst:
            key["dst_addr"] = masked(dst)
        self.client.insert(f"{self.side}flood_white_list", key, "white_listed", {}, priority=1)


class Arriving(Rates):
    """Of the way in."""

    def burst(self, frames: list[bytes], passing: int, screen: Drop) -> None:
        """Of these frames so many pass, first ones first, and a screen stops the rest."""
        for frame in frames:
            self.send(TRUST.port, frame)
        for frame in frames[:passing]:
            self.expect_punt(frame, Punt.MISS, TRUST)
        stopped = len(frames) - passing
        self.conclude(
            drops={screen: stopped} if stopped else {},
            punts={Punt.MISS: passing},
            screen_hits={(TRUST, screen): stopped} if stopped else {},
        )


class Departing(Rates):
    """Of the way out."""

    side = "egress_"

    def leaves(
        self, frames: Sequence[bytes], passing: int, *screens: Drop, first: int = 1, zone: int = 1
    ) -> None:
        """Of these frames, sent by an SPU, so many leave, first ones first, and a screen stops
        the rest."""
        for frame in frames:
            header = {"first": first, "source_zone": zone}
            self.packet_out(frame, UNTRUST.port, Send.EGRESS, **header)
        for frame in frames[:passing]:
            self.expect_frame(UNTRUST.port, frame)
        stopped = len(frames) - passing
        self.conclude(
            egress_drops={screens[0]: stopped} if stopped else {},
            egress_screen_hits={(UNTRUST, screens[0]): stopped} if stopped else {},
        )
