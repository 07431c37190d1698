"""Sessions and their wings, as entries have them."""

from __future__ import annotations

from dataclasses import dataclass

from support.interfaces import TRUST, Interface
from support.names import Value
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    NEXT_HOP_MAC,
    PUBLIC,
    PUBLIC_PORT,
    SERVER,
    SERVER6,
    SERVER_PORT,
    address,
    mac,
)


@dataclass(frozen=True, slots=True)
class Session:
    """One side of a session: its number, direction and owner SPU."""

    id: int
    wing: int
    spu: int
    epoch: int = 0

    def params(self) -> dict[str, Value]:
        """As parameters of an action."""
        return {**self.header()}

    def header(self) -> dict[str, int]:
        """As it stands in front of a packet that goes to the controller."""
        return {
            "session_id": self.id,
            "wing": self.wing,
            "spu": self.spu,
            "epoch": self.epoch,
        }


def wing(src: str, dst: str, sport: int, dport: int, protocol: int, token: int) -> dict[str, Value]:
    """Key of a wing, IPv4 or IPv6: the six criteria."""
    return {
        "src_addr": address(src),
        "dst_addr": address(dst),
        "src_port": sport,
        "dst_port": dport,
        "protocol": protocol,
        "token": token,
    }


def session_table(key: dict[str, Value]) -> str:
    """Where a wing of this key stands."""
    source = key["src_addr"]
    return "session_v4" if isinstance(source, bytes) and len(source) == 4 else "session_v6"


def hop(interface: Interface, port: int | None, remote_port: int) -> dict[str, Value]:
    """The way out by an interface to the next hop, as parameters of an Express Path action."""
    return {
        "src_mac": mac(interface.mac),
        "dst_mac": mac(NEXT_HOP_MAC),
        "vlan": interface.vlan,
        "port": interface.port if port is None else port,
        "remote_port": remote_port,
    }


TCP4 = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
"""What ``tcp4`` makes for trust."""
UDP4 = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 17, TRUST.token)
TCP6 = wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)


def source_translated(protocol: int) -> dict[str, Value]:
    """What source NAT makes of the client's packets."""
    return wing(PUBLIC, SERVER, PUBLIC_PORT, SERVER_PORT, protocol, 0)
