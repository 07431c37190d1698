"""Copies of traced packets in the words of an operator: interfaces by name, times of the day."""

from __future__ import annotations

import time
from datetime import datetime

from controller.config.schema import Interface
from controller.config.stateless import NO_FEATURES
from controller.flow import Nanoseconds, Port
from controller.messages import TraceCopy
from controller.operate.operator import Operator
from controller.packet import vlan_of


class Copies:
    """What is needed to print them."""

    def __init__(self, operator: Operator) -> None:
        configuration = operator.runtime.configuration
        self._interfaces = {(i.port, i.vlan): i for i in configuration.interfaces.values()}
        self._by_mac = {(i.mac, i.vlan): i for i in configuration.interfaces.values()}
        stateless = configuration.stateless
        self.filters = {each.number: each.name for each in stateless.tracing.filters}
        self._features = stateless.interfaces
        self._logging = {
            each.number for each in stateless.filters if any(term.log for term in each.terms)
        }
        self._offset = time.time_ns() - operator.runtime.clock()

    def time(self, at: Nanoseconds) -> datetime:
        """A machine's time as that of the day."""
        return datetime.fromtimestamp((at + self._offset) / 1e9)

    def stamp(self, at: Nanoseconds) -> str:
        """``09:55:16.123456``"""
        return self.time(at).strftime("%H:%M:%S.%f")

    def inward(self, copy: TraceCopy) -> str:
        """The interface that a packet arrived by, or its port."""
        return self._name(copy, copy.port)

    def outward(self, copy: TraceCopy) -> str:
        """The interface that a packet leaves by, or its port."""
        interface = self._leaving(copy)
        if interface is not None:
            return interface.name
        return self._name(copy, Port(copy.port.npu, copy.egress_port))

    def logs_outward(self, copy: TraceCopy) -> bool:
        """Whether the filter on its way out has terms that log."""
        interface = self._leaving(copy)
        features = self._features.get(interface.name if interface else "", NO_FEATURES)
        return bool({features.output_v4, features.output_v6} & self._logging)

    def _leaving(self, copy: TraceCopy) -> Interface | None:
        """Of what falls on the way out, the frame alone says where it would have left."""
        if copy.egress_port:
            return self._find(copy, Port(copy.port.npu, copy.egress_port))
        return self._by_mac.get((copy.frame[6:12], vlan_of(copy.frame)))

    def _find(self, copy: TraceCopy, port: Port) -> Interface | None:
        return self._interfaces.get((port, vlan_of(copy.frame)))

    def _name(self, copy: TraceCopy, port: Port) -> str:
        interface = self._find(copy, port)
        if interface is not None:
            return interface.name
        if port.port >= 200:
            return "controller" if port.port == 255 else f"fabric port {port.port}"
        return f"ge-{port.npu}/0/{port.port - 1}"
