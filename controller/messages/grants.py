"""What SPUs ask of the central point for their flows: translated ports, and gates."""

from __future__ import annotations

from typing import NamedTuple

from controller.config.nat import INTERFACE_POOL, SourceNatRule
from controller.flow import Address, AnyFlow, FlowKey
from controller.gate import Endpoint, GateOrder
from controller.reasons import Drop
from controller.value import value


@value
class AllocateNat:
    """SPU -> CP (step 3): the packet is suspended until the answer comes."""

    flow: FlowKey
    spu: int
    address: Address
    """The address to translate to."""
    protocol: int
    port: int
    """The port (or ICMP identifier) wanted, if it is free."""
    rule: SourceNatRule | None = None
    """What asks for it; ``None``: just for a port of this address."""
    routed: AnyFlow | None = None
    """The flow with its destination translated: whom it speaks to."""
    serial: int = 0
    """Comes back in the answer: a flow that began anew is not served by an earlier answer."""


class Grant(NamedTuple):
    """What a flow's source becomes, and what the flow has of the central point. One object for both
    sides, which keep it as long as the session stands."""

    address: Address
    protocol: int
    port: int
    pool: str = INTERFACE_POOL
    """Where it is from: the pool asked for, the one it overflows into, or ``INTERFACE_POOL``."""
    peer: tuple[Address, int] | None = None
    """Whom the port is for, if others may share it."""
    is_persistent: bool = False
    """Whether it is a persistent binding's, one of whose sessions the flow is."""


@value
class NatGranted:
    """CP -> SPU."""

    flow: FlowKey
    grant: Grant
    serial: int = 0


@value
class NatRefused:
    """CP -> SPU: no port is left."""

    flow: FlowKey
    reason: Drop
    serial: int = 0


class ReleaseNat(NamedTuple):
    """SPU -> CP: a binding is free again. The CP keeps with its entry what it granted to a flow,
    and frees that with the entry at the latest, so what is released late is not freed twice."""

    address: Address
    protocol: int
    port: int
    flow: FlowKey | None = None
    """The forward wing that it was granted to; ``None``: to none."""
    spu: int = 0
    """Who had it: meanwhile the flow, and even the port, may be another SPU's."""


@value
class OpenGates:
    """SPU -> CP: a control session announced flows. All gates are opened, or none; the packet
    that announced them is suspended until the answer comes."""

    session_id: int
    spu: int
    flow: FlowKey
    """The control session's forward wing."""
    serial: int
    """Comes back in the answer."""
    orders: tuple[GateOrder, ...]


@value
class GatesOpened:
    """CP -> SPU: the gates stand; where each can be reached."""

    session_id: int
    serial: int
    holes: tuple[Endpoint, ...]


@value
class GatesRefused:
    """CP -> SPU: no port is left, or no room for a gate."""

    session_id: int
    serial: int
    reason: Drop


@value
class CloseGates:
    """SPU -> CP: a call within a control session is over."""

    session_id: int
    call: str


GrantMessage = (
    AllocateNat
    | NatGranted
    | NatRefused
    | ReleaseNat
    | OpenGates
    | GatesOpened
    | GatesRefused
    | CloseGates
)
