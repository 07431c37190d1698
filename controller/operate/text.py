"""Addresses, protocols, wings and times as operational commands print them."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from controller.config.schema import Configuration, Network
from controller.config.values import PORT_NAMES, protocol_name
from controller.flow import Address, FlowKey, Nanoseconds, Port, Tuple5


def address(value: Address) -> str:
    """An address as text."""
    return str(ip_address(value))


def protocol(number: int) -> str:
    """A protocol by name if it has one."""
    return protocol_name(number)


def flow(key: FlowKey | Tuple5) -> str:
    """``10.1.1.2/4321 --> 203.0.113.9/80;tcp``"""
    return (
        f"{address(key.src)}/{key.sport} --> {address(key.dst)}/{key.dport};"
        f"{protocol(key.protocol)}"
    )


def seconds(span: Nanoseconds) -> int:
    """Whole seconds; a rest of a second still counts as one."""
    return -(-span // 1_000_000_000)


def milliseconds(span: Nanoseconds) -> str:
    """``+1.234 ms``, relative to something."""
    return f"{span / 1e6:+10.3f} ms"


class InterfaceNames:
    """Interfaces by port and token, for wings that know no name."""

    def __init__(self, configuration: Configuration) -> None:
        self._by_token = {
            (interface.port, interface.token): interface.name
            for interface in configuration.interfaces.values()
        }
        self._zones = {zone.id: zone.name for zone in configuration.zones.values()}
        self._zones |= {i.token: i.zone for i in configuration.interfaces.values() if i.zone}

    def name(self, port: Port, token: int) -> str:
        """The interface by which packets with this token arrive at this port."""
        return self._by_token.get((port, token), f"ge-{port.npu}/0/{port.port - 1}")

    def zone(self, token: int) -> str:
        """The zone that a token stands for."""
        return self._zones.get(token, "N/A")


def contains(network: Network, value: Address) -> bool:
    """Whether an address is within a network; of the other family it never is."""
    return ip_address(value) in network


def host_address(text: str) -> Address:
    """A single address that an operator typed. Raises ``ValueError``."""
    return ip_address(text).packed


def port_number(text: str) -> int:
    """A port that an operator typed, by number or name."""
    return PORT_NAMES[text] if text in PORT_NAMES else int(text)


def prefix(text: str) -> Network:
    """An address or prefix that an operator typed. Raises ``ValueError``."""
    return ip_network(text, strict=False)
