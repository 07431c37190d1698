"""Gates: what a control session announces, as SPU and central point speak of it.

An *announcement* such as "connect to 10.1.1.2, port 20345" names a *listener*. Whoever connects
sees it at the *hole*: the same address and port, or others under address translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from controller.config.schema import SECOND
from controller.config.values import protocol_name
from controller.flow import Address, Nanoseconds, Tuple5, text


class Endpoint(NamedTuple):
    """An address and a port; port 0 for protocols that have none."""

    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class GateOrder:
    """A gate that an ALG wants opened."""

    protocol: int
    token: int
    """Session token where the first packet of a child arrives."""
    source: Address | None
    """Who may come, as it arrives there; ``None``: anybody."""
    hole: Address
    """What the first packet is addressed to."""
    listener: Endpoint
    """Where it is to go."""
    timeout: Nanoseconds
    count: int = 1
    """Consecutive ports, such as 2 for RTP and RTCP."""
    uses: int = 1
    """Sessions that it lets through; 0: any number."""
    shared_port: int | None = None
    """The hole's port, if it is one that the parent's own binding covers; without it a port is
    granted where ``hole`` is not the listener's address."""
    source_as: Address | None = None
    """What the source becomes on its way to the listener; ``None``: it stays."""
    call: str = ""
    """What the gate belongs to within its parent: gates of a call close together."""
    application: str = ""
    """Name of the child's application."""
    listener_token: int = 0
    """Session token with which the listener's own packets arrive."""

    @property
    def allowance(self) -> str:
        """How many sessions it lets through, in words."""
        if not self.uses:
            return "any number of sessions"
        return f"{self.uses} session{'s' if self.uses > 1 else ''}"


def described(number: int, order: GateOrder, hole: Endpoint) -> str:
    """A gate in a line: who may come where, what they reach, how often, and for how long."""
    source = "anybody" if order.source is None else text(order.source)
    seconds = order.timeout // SECOND
    then = "" if hole == order.listener else f", then to {_ports(order.listener, order.count)}"
    return (
        f"gate {number}: {protocol_name(order.protocol)} from {source} to "
        f"{_ports(hole, order.count)}{then}; for {order.allowance}, within {seconds} s"
    )


def _ports(first: Endpoint, count: int) -> str:
    if not first.port:
        return text(first.address)
    last = f"-{first.port + count - 1}" if count > 1 else ""
    return f"{text(first.address)}/{first.port}{last}"


class Passage(NamedTuple):
    """A first packet may pass a gate: what becomes of it."""

    gate: int
    parent: int
    """Session id of the control session."""
    translated: Tuple5
    """Addresses and ports as the child's packets leave."""
    application: str
