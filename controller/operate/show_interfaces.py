"""Interfaces, neighbours and routes as the controller knows them."""

from __future__ import annotations

from controller.operate import text
from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.routing.neighbors import NeighborView


async def terse(operator: Operator, _: Options) -> str:
    """``show interfaces terse``. An interface is up as long as its NPU is reachable, unless it is
    disabled; and a physical one is if one of its units is."""
    runtime = operator.runtime
    lines = ["Interface               Admin Link Proto    Local                 Remote"]
    interfaces = runtime.configuration.interfaces
    enabled = {name.partition(".")[0] for name, each in interfaces.items() if each.enabled}
    physical = ""
    for name, interface in interfaces.items():
        lost = runtime.npus[interface.port.npu].connection.is_lost
        parent = name.partition(".")[0]
        if parent != physical:
            physical = parent
            lines.append(f"{physical:<24}{_up(parent in enabled):<6}{_up(not lost)}")
        head = f"{name:<24}{_up(interface.enabled):<6}{_up(interface.enabled and not lost):<5}"
        for address in interface.addresses or (None,):
            proto = "" if address is None else "inet" if address.version == 4 else "inet6"
            lines.append(f"{head}{proto:<9}{address or ''}".rstrip())
            head = " " * len(head)
    return "\n".join(lines) + "\n"


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"


async def arp(operator: Operator, _: Options) -> str:
    """``show arp``."""
    views = [view for view in _neighbors(operator) if len(view.address) == 4 and view.mac]
    lines = [
        "MAC Address       Address         Name                      Interface               Flags"
    ]
    for view in views:
        assert view.mac is not None
        address = text.address(view.address)
        lines.append(f"{view.mac.hex(':')} {address:<15} {address:<25} {view.interface:<23} none")
    lines.append(f"Total entries: {len(views)}")
    return "\n".join(lines) + "\n"


async def ipv6_neighbors(operator: Operator, _: Options) -> str:
    """``show ipv6 neighbors``."""
    views = [view for view in _neighbors(operator) if len(view.address) == 16]
    lines = [
        "IPv6 Address                            Linklayer Address  State       Age  Interface"
    ]
    for view in views:
        mac = view.mac.hex(":") if view.mac is not None else "none"
        lines.append(
            f"{text.address(view.address):<39} {mac:<18} {view.state.value:<11} "
            f"{view.age // 1_000_000_000:<4} {view.interface}"
        )
    lines.append(f"Total entries: {len(views)}")
    return "\n".join(lines) + "\n"


def _neighbors(operator: Operator) -> list[NeighborView]:
    runtime = operator.runtime
    return runtime.neighbors.snapshot(runtime.clock())
