"""What a flow is for (its service) and how long it may be silent.

Order of the time-out's lookup (junos-facts 3): the application that the policy matched, the table
by port, the protocol's default.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.config.schema import SECOND, Application, Configuration
from controller.flow import Nanoseconds, Tuple5
from controller.packet import ICMP, ICMPV6, TCP, UDP

PROTOCOL_TIMEOUT: dict[int, Nanoseconds] = {
    TCP: 1800 * SECOND,
    UDP: 60 * SECOND,
    # Documents say 60, current systems show 4: a ping's identifier is free soon.
    ICMP: 4 * SECOND,
    ICMPV6: 4 * SECOND,
    89: 60 * SECOND,
}
OTHER_TIMEOUT: Nanoseconds = 1800 * SECOND
PORT_TIMEOUT: dict[tuple[int, int], Nanoseconds] = {(TCP, 80): 300 * SECOND}

TCP_INITIAL_TIMEOUT: Nanoseconds = 20 * SECOND
"""Until the handshake is complete (``tcp-initial-timeout``)."""
TCP_CLOSE_WAIT: Nanoseconds = 2 * SECOND
"""From the second FIN to the end: the last acknowledgements still pass."""

NO_SERVICE = "None"
"""What logs and session lists print for a flow that no application describes."""


class Service(NamedTuple):
    """A flow's application by name, and its inactivity time-out."""

    name: str
    timeout: Nanoseconds


class Services:
    """Finds a flow's service among the configured and predefined applications."""

    def __init__(self, config: Configuration) -> None:
        self._exact: dict[tuple[int, int], list[Application]] = {}
        self._ranges: list[Application] = []
        for application in config.applications.values():
            ports = application.destination_ports
            if len(ports) == 1:
                key = application.protocol, ports.start
                self._exact.setdefault(key, []).append(application)
            elif len(ports) < 65535:
                # Wider ones (any port) describe nothing.
                self._ranges.append(application)
        self._ranges.sort(key=lambda application: len(application.destination_ports))

    def find(self, flow: Tuple5, matched: Application | None) -> Service:
        """The service of a flow whose policy matched an application, or any."""
        application = matched or self._classify(flow)
        name = NO_SERVICE if application is None else application.name
        if application is not None and application.inactivity_timeout is not None:
            return Service(name, application.inactivity_timeout)
        by_port = PORT_TIMEOUT.get((flow.protocol, flow.dport))
        return Service(name, by_port or PROTOCOL_TIMEOUT.get(flow.protocol, OTHER_TIMEOUT))

    def _classify(self, flow: Tuple5) -> Application | None:
        for application in self._exact.get((flow.protocol, flow.dport), ()):
            if flow.sport in application.source_ports:
                return application
        for application in self._ranges:
            if (
                application.protocol == flow.protocol
                and flow.dport in application.destination_ports
                and flow.sport in application.source_ports
            ):
                return application
        return None
