"""Filters of ``show`` and ``clear security flow session`` and of other tables of flows: options to
a predicate."""

from __future__ import annotations

from controller.central_point.gates import Gate
from controller.config.values import (
    NAME,
    PORT_NAMES,
    PROTOCOL,
    Value,
    number,
    one_of,
    protocol_number,
)
from controller.flow import FlowKey, Path
from controller.operate import names
from controller.operate.commands import Option, Options
from controller.operate.text import InterfaceNames, contains, port_number, prefix
from controller.spu import SessionView
from controller.spu.express import NotExpress


def _prefix_complaint(text: str) -> str | None:
    try:
        prefix(text)
    except ValueError:
        return f"'{text}' is no address or prefix such as 10.1.0.0/16"
    return None


def _port_complaint(text: str) -> str | None:
    if text in PORT_NAMES:
        return None
    return number(0, 65535, "port").complaint(text)


_PREFIX = Value("prefix", _prefix_complaint)
PORT = Value("port", _port_complaint)

GATE_FILTERS = (
    Option("source-prefix", "Source address or prefix", _PREFIX),
    Option("destination-prefix", "Destination address or prefix", _PREFIX),
    Option("source-port", "Source port", PORT),
    Option("destination-port", "Destination port", PORT),
    Option("protocol", "IP protocol by name or number", PROTOCOL),
)
"""What gates can be searched by: by first packets that they would let in."""

FLOW_FILTERS = (*GATE_FILTERS, Option("family", "IPv4 or IPv6", one_of("inet", "inet6")))
"""What every table of flows can be searched by. All filters look at the In wing, before any
translation; all that are given must match."""

SESSION_IDENTIFIER = Option(
    "session-identifier", "One session", number(1, (1 << 32) - 1, "session identifier")
)

FILTERS = (
    *FLOW_FILTERS,
    SESSION_IDENTIFIER,
    Option(
        "interface", "Interface that packets of either wing arrive by", NAME, names=names.interfaces
    ),
    Option("application", "Application that its policy matched", NAME, names=names.applications),
    Option(
        "policy-id",
        "Policy by its index",
        number(1, (1 << 32) - 1, "policy index"),
        names=names.policy_ids,
    ),
    Option("nat", "Sessions with address translation"),
    Option("services-offload", "Sessions on Express Path"),
    Option(
        "not-offloaded",
        "Sessions that are not on Express Path, for this reason ('any' of them)",
        one_of("any", *(reason.word for reason in NotExpress)),
    ),
)
"""Of sessions."""


def flow_matches(key: FlowKey, options: Options) -> bool:
    """Whether an In wing passes the filters of flows among ``options``."""
    for word, value in options.items():
        match word:
            case "source-prefix":
                passes = contains(prefix(value), key.src)
            case "destination-prefix":
                passes = contains(prefix(value), key.dst)
            case "source-port":
                passes = key.sport == port_number(value)
            case "destination-port":
                passes = key.dport == port_number(value)
            case "protocol":
                passes = key.protocol == protocol_number(value)
            case "family":
                passes = len(key.src) == (4 if value == "inet" else 16)
            case _:
                passes = True
        if not passes:
            return False
    return True


def gate_matches(gate: Gate, options: Options) -> bool:
    """Whether a packet that passes the filters of gates among ``options`` may pass the gate."""
    order, hole = gate.order, gate.hole
    for word, value in options.items():
        match word:
            case "source-prefix" if order.source is not None:
                passes = contains(prefix(value), order.source)
            case "source-prefix":  # anybody of its family
                passes = prefix(value).version == (4 if len(hole.address) == 4 else 6)
            case "destination-prefix":
                passes = contains(prefix(value), hole.address)
            case "source-port":
                passes = bool(hole.port) or port_number(value) == 0
            case "destination-port":
                passes = 0 <= port_number(value) - hole.port < order.count
            case "protocol":
                passes = order.protocol == protocol_number(value)
            case _:
                passes = True
        if not passes:
            return False
    return True


def matches(view: SessionView, options: Options, names: InterfaceNames) -> bool:
    """Whether a session passes the filters among ``options``."""
    for word, value in options.items():
        match word:
            case "session-identifier":
                passes = view.id == int(value)
            case "interface":
                passes = any(
                    value == names.name(wing.ingress, wing.key.token)
                    for wing in (view.forward, view.reverse)
                )
            case "application":
                passes = view.application == value
            case "policy-id":
                passes = view.policy_index == int(value)
            case "nat":
                passes = view.forward.translated != view.forward.key.tuple5
            case "services-offload":
                passes = view.path is Path.EXPRESS
            case "not-offloaded":
                reason = view.not_express
                passes = reason is not None and value in ("any", reason.word)
            case _:
                passes = True
        if not passes:
            return False
    return flow_matches(view.forward.key, options)
