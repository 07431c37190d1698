"""What a topology consists of: hosts, the interfaces they hang on, and the NPUs behind them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from controller.config.build import load
from controller.config.chassis import load_chassis
from controller.flow import Port
from controller.routing.fabric import Fabric, FabricError
from topologies.errors import TopologyError
from topologies.state import known_topology


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A host on an interface of its own."""

    name: str
    port: Port
    """The NPU and P4 port it is wired to; ``ge-1/0/0`` is port 1 of NPU 1."""
    addresses: tuple[str, ...]
    """In prefix form, IPv4 and IPv6."""
    gateways: tuple[str, ...]
    """Default gateways, one per family."""
    serves: bool = False
    """Whether ``topologies.hosts.serve`` runs on it in the demo and in ``make topology``."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole topology; its directory also holds ``chassis.toml`` and ``wingpath.set``."""

    name: str
    directory: Path
    hosts: tuple[HostSpec, ...]
    picture: str

    @property
    def chassis(self) -> Path:
        """The cards: NPUs, fabric, SPUs."""
        return self.directory / "chassis.toml"

    @property
    def configuration(self) -> Path:
        """The Junos ``set`` lines."""
        return self.directory / "wingpath.set"


def check(layout: Layout) -> None:
    """Read both files, before anything is started for them. Raises ``ConfigurationError`` with all
    that is wrong, or ``TopologyError``."""
    chassis = load_chassis(layout.chassis)
    try:
        Fabric(chassis)
    except FabricError as error:
        raise TopologyError(f"{layout.chassis}: {error}") from error
    load(layout.configuration, chassis)


def load_layout(name: str) -> Layout:
    """The topology of that name, a package of ``topologies`` with a ``LAYOUT``."""
    known_topology(name)
    layout = import_module(f"topologies.{name}").LAYOUT
    assert isinstance(layout, Layout)
    return layout
