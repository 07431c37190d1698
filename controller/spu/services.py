"""What a flow is for (its service) and how long it may be silent.

Order of the time-out's lookup (Juniper's "Understanding policy application timeout configuration
and lookup"): the application that the policy matched, if it has one; the table by TCP or UDP port,
which has what any application says of its ports, the last one configured first; the protocol's
default.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.config.applications import PREDEFINED
from controller.config.schema import SECOND, Alg, Application, Configuration
from controller.flow import AnyFlow, Nanoseconds
from controller.packet import ICMP, ICMPV6, TCP, UDP
from controller.spu.alg.registry import CHILDREN

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
"""Of ports whose application nobody needs to name."""
WIDE = 1024
"""An application with more ports than that says nothing about each of them."""

NO_SERVICE = "None"
"""What logs and session lists print for a flow that no application describes."""


class Service(NamedTuple):
    """A flow's application by name, its inactivity time-out and its gateway."""

    name: str
    timeout: Nanoseconds
    alg: Alg | None = None
    """The gateway that reads along, if it is switched on."""


class Services:
    """Finds a flow's service among the configured and predefined applications."""

    def __init__(self, config: Configuration) -> None:
        self._exact: dict[tuple[int, int], list[Application]] = {}
        self._ranges: list[Application] = []
        self._algs = config.algs
        self._alg_ports: dict[tuple[int, int], Alg] = {}
        self._port_timeouts: dict[tuple[int, int], Nanoseconds] = dict(PORT_TIMEOUT)
        for application in config.applications.values():
            ports = application.destination_ports
            if application.alg is not None and application.name in PREDEFINED:
                self._alg_ports[application.protocol, ports.start] = application.alg
            timeout = application.inactivity_timeout
            if timeout is not None and application.protocol in (TCP, UDP) and len(ports) <= WIDE:
                self._port_timeouts |= {(application.protocol, port): timeout for port in ports}
            if len(ports) == 1:
                key = application.protocol, ports.start
                self._exact.setdefault(key, []).append(application)
            elif len(ports) < 65535:
                # Wider ones (any port) describe nothing.
                self._ranges.append(application)
        self._ranges.sort(key=lambda application: len(application.destination_ports))
        self._made: dict[tuple[str, Nanoseconds, Alg | None], Service] = {}

    def find(self, flow: AnyFlow, matched: Application | None) -> Service:
        """The service of a flow whose policy matched an application, or any."""
        port = flow.protocol, flow.dport
        application = matched or self._classify(flow, port)
        name, alg = NO_SERVICE, None
        if application is not None:
            name, alg = application.name, application.alg
        if alg is None:
            # The application does not say: what is usual on the port.
            alg = self._alg_ports.get(port)
        timeout = None if matched is None else matched.inactivity_timeout
        if timeout is None:
            timeout = self._timeout(port)
        return self._service(name, timeout, alg if alg in self._algs else None)

    def of_child(self, flow: AnyFlow, name: str) -> Service:
        """The service of a flow that a control session announced."""
        child = CHILDREN.get(name)
        timeout = self._timeout((flow.protocol, flow.dport))
        return self._service(name, timeout, None if child is None else child[0])

    def _service(self, name: str, timeout: Nanoseconds, alg: Alg | None) -> Service:
        """One object for all flows that are alike."""
        key = name, timeout, alg
        service = self._made.get(key)
        if service is None:
            service = self._made[key] = Service(*key)
        return service

    def _classify(self, flow: AnyFlow, port: tuple[int, int]) -> Application | None:
        for application in self._exact.get(port, ()):
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

    def _timeout(self, port: tuple[int, int]) -> Nanoseconds:
        return self._port_timeouts.get(port) or PROTOCOL_TIMEOUT.get(port[0], OTHER_TIMEOUT)
