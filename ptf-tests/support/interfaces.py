"""The interfaces of the NPU under test.

port 1    untagged  zone 1 (trust)    token 6
port 2    untagged  zone 2 (untrust)  token 7
port 3    VLAN 30   zone 3 (dmz)      token 8
port 4    no interface
port 200  fabric link to another NPU
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from support.packets import NEXT_HOP_MAC, link

FABRIC_PORT = 200


@dataclass(frozen=True, slots=True)
class Interface:
    """A configured interface of the NPU under test."""

    port: int
    vlan: int
    zone: int
    token: int
    mac: str


TRUST = Interface(port=1, vlan=0, zone=1, token=6, mac="02:00:00:00:00:01")
UNTRUST = Interface(port=2, vlan=0, zone=2, token=7, mac="02:00:00:00:00:02")
DMZ = Interface(port=3, vlan=30, zone=3, token=8, mac="02:00:00:00:00:03")
INTERFACES = (TRUST, UNTRUST, DMZ)
UNCONFIGURED_PORT = 4


def to(interface: Interface) -> Any:
    """Link header of a frame that arrives by an interface, for the NPU to forward."""
    return link(interface.mac, vlan=interface.vlan)


def out_of(interface: Interface) -> Any:
    """Link header of a frame that leaves by an interface for the next hop."""
    return link(NEXT_HOP_MAC, interface.mac, interface.vlan)
