"""Filters of ``show`` and ``clear security flow session``: options to a predicate."""

from __future__ import annotations

from controller.config.values import PORT_NAMES, PROTOCOL, Value, number, one_of, protocol_number
from controller.flow import Path
from controller.operate.commands import Option, Options
from controller.operate.text import contains, port_number, prefix
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

FILTERS = (
    Option("source-prefix", "Source address or prefix", _PREFIX),
    Option("destination-prefix", "Destination address or prefix", _PREFIX),
    Option("source-port", "Source port", PORT),
    Option("destination-port", "Destination port", PORT),
    Option("protocol", "IP protocol by name or number", PROTOCOL),
    Option("session-identifier", "One session", number(1, (1 << 32) - 1, "session identifier")),
    Option("services-offload", "Sessions on Express Path"),
    Option(
        "not-offloaded",
        "Sessions that are not on Express Path, for this reason ('any' of them)",
        one_of("any", *(reason.word for reason in NotExpress)),
    ),
)
"""All filters look at the In wing, before any translation; all that are given must match."""


def matches(view: SessionView, options: Options) -> bool:
    """Whether a session passes the filters among ``options``."""
    key = view.forward.key
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
            case "session-identifier":
                passes = view.id == int(value)
            case "services-offload":
                passes = view.path is Path.EXPRESS
            case "not-offloaded":
                reason = view.not_express
                passes = reason is not None and value in ("any", reason.word)
            case _:
                passes = True
        if not passes:
            return False
    return True
