"""Who has which translated address: persistent bindings, pairs of hosts and addresses, ports of
interfaces; what clears them; and faults that an operator injects.

Layouts: persistent table as Junos prints it, from published outputs; the others have its fields.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.central_point.persistent_nat import PersistentBinding
from controller.config.cards import NatFaults
from controller.flow import Nanoseconds
from controller.messages import CP, ClearPersistentNat, InjectNatFaults
from controller.operate import text
from controller.operate.commands import Options, known
from controller.operate.operator import Operator


async def persistent(operator: Operator, options: Options) -> str:
    """``show security nat source persistent-nat-table all | summary | internal-ip A | pool P``."""
    table = operator.runtime.central_point.nat.persistent
    _check(operator, options)
    chosen = list(_chosen(table.all(), options))
    if "summary" in options:
        idle = sum(not binding.sessions for binding in chosen)
        return (
            f"Persistent NAT table entries: {len(chosen)}\n"
            f"  With sessions: {len(chosen) - idle}\n"
            f"  Query mode: {idle}\n"
        )
    lines = [
        f"{'Internal':<28} {'':<5} {'Reflective':<28} {'':<5} {'Source':<16} "
        f"{'Type':<18} {'Left_time/':<10} {'Curr_Sess_Num/':<14} {'Source'}",
        f"{'In_IP In_Port':<28} {'Proto':<5} {'Ref_IP Ref_Port':<28} {'Proto':<5} {'NAT Pool':<16} "
        f"{'':<18} {'Conf_time':<10} {'Max_Sess_Num':<14} {'NAT Rule'}",
    ]
    now = operator.runtime.clock()
    for binding in chosen:
        inside, outside = binding.inside, binding.outside
        left = table.left(binding, now)
        protocol = text.protocol(inside.protocol)
        lines.append(
            f"{text.address(inside.address) + ' ' + str(inside.port):<28} {protocol:<5} "
            f"{text.address(outside.address) + ' ' + str(outside.port):<28} {protocol:<5} "
            f"{binding.pool:<16} {binding.reach.value:<18} "
            f"{_left(left) + '/' + str(text.seconds(binding.timeout)):<10} "
            f"{f'{binding.sessions}/{binding.max_sessions}':<14} {binding.rule.name}"
        )
    return "\n".join(lines) + "\n"


def _left(left: Nanoseconds | None) -> str:
    return "-" if left is None else str(text.seconds(left))


def _check(operator: Operator, options: Options) -> None:
    """Raise ``CommandError`` for a pool that there is not. A binding keeps its pool's name, and an
    interface's address stands for a pool."""
    live = {each.pool for each in operator.runtime.central_point.nat.persistent.all()}
    pools = {*operator.runtime.configuration.nat.source_pools, *live}
    known(options, "pool", "source pool", pools)


def _chosen(bindings: list[PersistentBinding], options: Options) -> Iterator[PersistentBinding]:
    for binding in bindings:
        if "pool" in options and binding.pool != options["pool"]:
            continue
        wanted = options.get("internal-ip")
        if wanted is None or binding.inside.address == text.host_address(wanted):
            yield binding


async def clear_persistent(operator: Operator, options: Options) -> str:
    """``clear security nat source persistent-nat-table all | internal-ip A | pool P``: bindings
    without sessions, as in Junos."""
    table = operator.runtime.central_point.nat.persistent
    _check(operator, options)
    before = len(table)
    wanted = options.get("internal-ip")
    message = ClearPersistentNat(
        options.get("pool", ""), None if wanted is None else text.host_address(wanted)
    )
    operator.runtime.deliver((CP, message))
    return f"{before - len(table)} persistent NAT entries cleared\n"


async def paired(operator: Operator, options: Options) -> str:
    """``show security nat source paired-address [pool-name P]``."""
    known(options, "pool-name", "source pool", operator.runtime.configuration.nat.source_pools)
    lines = [f"{'Pool name':<20} {'Internal address':<40} {'External address':<40}"]
    for name, inside, outside in operator.runtime.central_point.nat.pairs():
        if options.get("pool-name", name) == name:
            lines.append(f"{name:<20} {text.address(inside):<40} {text.address(outside):<40}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


async def interface_ports(operator: Operator, _: Options) -> str:
    """``show security nat interface-nat-ports``."""
    lines = [f"{'Address':<40} {'Protocol':<10} {'Ports used':<12} {'Ports available'}"]
    for address, protocol, used, room in operator.runtime.central_point.nat.interface_ports():
        lines.append(
            f"{text.address(address):<40} {text.protocol(protocol):<10} {used:<12} {room - used}"
        )
    return "\n".join(lines) + "\n"


async def clear_statistics(operator: Operator, _: Options) -> str:
    """``clear security nat statistics``: hits of rules and pools; sessions go on."""
    for spu in operator.runtime.spus.values():
        spu.clear_nat_counts()
    operator.runtime.central_point.nat.clear_statistics()
    return ""


async def inject(operator: Operator, options: Options) -> str:
    """``request security nat allocation delay MILLISECONDS refuse-every N``: for labs."""
    delay, every = int(options.get("delay", "0")), int(options.get("refuse-every", "0"))
    faults = NatFaults(delay * 1_000_000, every)
    operator.runtime.deliver((CP, InjectNatFaults(faults)))
    refused = {0: "none", 1: "every one"}.get(every, f"one in {every}")
    return f"NAT allocations take {delay} ms more, {refused} is refused\n"
