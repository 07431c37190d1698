"""The Mininet network of a layout: hosts, and NPUs as switches of a class of our own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from mininet.net import Mininet
from mininet.node import Host, Switch

from controller.config.cards import Chassis, NpuSite
from topologies.layout import HostSpec, Layout
from topologies.process import Service

SERVE_SECONDS = 30.0
"""How long a switch may take until it serves P4Runtime (a cold start compiles its program)."""

FABRIC_MTU = 2000
"""Fabric frames carry a whole frame behind a header of their own."""

_OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro")


class Npu(Switch):
    """An NPU: a P4Runtime switch program on the ends of its links.

    Parameters beside Mininet's: the switch binary, the NPU's site, and a directory for logs.
    """

    def __init__(self, name: str, binary: str, site: NpuSite, logs: Path, **params: object) -> None:
        super().__init__(name, **params)
        self._binary = binary
        self._site = site
        self._log = logs / f"{name}.log"
        self.service: Service | None = None

    def start(self, _controllers: object) -> None:
        """Start the program and wait until its P4Runtime port answers."""
        interfaces = [
            option
            for number, interface in sorted(self.intfs.items())
            if interface.name != "lo"
            for option in ("-i", f"{number}@{interface.name}")
        ]
        self.service = Service(
            self.name,
            [
                *(self._binary, "--device-id", str(self._site.device_id)),
                *interfaces,
                *("--no-p4", "--", "--grpc-server-addr", self._site.address),
                *("--cpu-port", "255"),
            ],
            self._log,
        )
        self.service.wait_until(self._serves, f"serving on {self._site.address}", SERVE_SECONDS)

    def stop(self, deleteIntfs: bool = True) -> None:
        """Stop the program."""
        if self.service is not None:
            self.service.stop()
        super().stop(deleteIntfs)

    def _serves(self) -> bool:
        host, _, port = self._site.address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=0.2):
                return True
        except OSError:
            return False


def build_network(layout: Layout, chassis: Chassis, binary: str, logs: Path) -> Mininet:
    """Hosts, NPUs and links, not yet started."""
    # Mininet would raise limits of the whole machine; a topology leaves the machine as it is.
    Mininet.inited = True
    net = Mininet(topo=None, build=False, controller=None)
    npus = {
        number: net.addSwitch(f"npu{number}", cls=Npu, binary=binary, site=site, logs=logs)
        for number, site in chassis.npus.items()
    }
    for spec in layout.hosts:
        host = net.addHost(spec.name, cls=Host, ip=None)
        link = net.addLink(
            host,
            npus[spec.port.npu],
            port2=spec.port.port,
            intfName1=f"{spec.name}-eth0",
            intfName2=f"npu{spec.port.npu}-ge{spec.port.port - 1}",
        )
        _calm(link.intf1, mtu=None)
        _calm(link.intf2, mtu=None)
    for near, far, near_port, far_port in fabric_links(chassis):
        link = net.addLink(
            npus[near],
            npus[far],
            port1=near_port,
            port2=far_port,
            intfName1=f"npu{near}-fab{far}",
            intfName2=f"npu{far}-fab{near}",
        )
        _calm(link.intf1, mtu=FABRIC_MTU)
        _calm(link.intf2, mtu=FABRIC_MTU)
    net.build()
    for spec in layout.hosts:
        _address(net.get(spec.name), spec)
    return net


def fabric_links(chassis: Chassis) -> Iterator[tuple[int, int, int, int]]:
    """Each fabric link once: near NPU, far NPU, near port, far port."""
    for near, site in chassis.npus.items():
        for far, port in site.fabric.items():
            if near < far:
                yield near, far, port, chassis.npus[far].fabric[near]


def _calm(interface: object, mtu: int | None) -> None:
    """Turn off what falsifies frames on a veth: offloads, IPv6 chatter of switch ports."""
    node, name = interface.node, interface.name  # type: ignore[attr-defined]
    for offload in _OFFLOADS:
        node.cmd(f"ethtool --offload {name} {offload} off")
    if mtu is not None:
        node.cmd(f"ip link set dev {name} mtu {mtu}")
    if isinstance(node, Switch):
        node.cmd(f"sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1")


def _address(host: Host, spec: HostSpec) -> None:
    device = f"{spec.name}-eth0"
    for address in spec.addresses:
        # Without duplicate address detection an IPv6 address is of use at once.
        extra = " nodad" if ":" in address else ""
        host.cmd(f"ip address add {address} dev {device}{extra}")
    for gateway in spec.gateways:
        family = "-6" if ":" in gateway else "-4"
        host.cmd(f"ip {family} route add default via {gateway}")
