"""A switch without interfaces, served on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from p4embed.switch.dataplane import Options
from p4embed.switch.p4runtime import Server, Service
from p4embed.switch.ports import ReferenceDataplane

from .client import CPU, DEVICE


@pytest.fixture
def port() -> Iterator[int]:
    """A switch without a pipeline."""
    dataplane = ReferenceDataplane(Options(cpu_port=CPU))
    service = Service(DEVICE, dataplane)
    server = Server(service, "127.0.0.1:0")
    dataplane.start({}, service)
    server.start()
    yield server.port
    server.stop()
    dataplane.stop()
