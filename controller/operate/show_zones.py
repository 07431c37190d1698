"""``show security zones``: interfaces, screen, and what a zone says to packets for nobody.

Layout as Junos prints it; what is let in for the firewall itself stands there with each interface,
as ``show interfaces`` has it.
"""

from __future__ import annotations

from controller.config.host_services import HostService
from controller.config.schema import Zone
from controller.operate.commands import CommandError, Options
from controller.operate.operator import Operator


async def show(operator: Operator, options: Options) -> str:
    """``show security zones [zone Z]``."""
    zones = operator.runtime.configuration.zones
    wanted = options.get("zone")
    if wanted is not None and wanted not in zones:
        raise CommandError(f"no zone '{wanted}'; zones are: {', '.join(sorted(zones))}")
    chosen = [zone for name, zone in zones.items() if wanted in (None, name)]
    return "\n".join(_zone(operator, zone) for zone in chosen)


def _zone(operator: Operator, zone: Zone) -> str:
    configuration = operator.runtime.configuration
    lines = [
        f"Security zone: {zone.name}",
        f"  Zone ID: {zone.id}",
        f"  Send reset for non-SYN session TCP packets: {'On' if zone.tcp_rst else 'Off'}",
        "  Policy configurable: Yes",
        *([f"  Screen: {zone.screen}"] if zone.screen else []),
        f"  Interfaces bound: {len(zone.interfaces)}",
        "  Interfaces:",
    ]
    for name in zone.interfaces:
        interface = configuration.interfaces[name]
        allowed = zone.host_inbound if interface.host_inbound is None else interface.host_inbound
        instance = f", Routing instance: {interface.vr}" if interface.vr else ""
        lines += [
            f"    {name}, Session token: {interface.token:#x}{instance}",
            f"      Allowed host-inbound traffic : {_words(allowed)}",
        ]
    return "\n".join(lines) + "\n"


def _words(allowed: frozenset[HostService]) -> str:
    return " ".join(service.value for service in HostService if service in allowed) or "none"
