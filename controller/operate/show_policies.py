"""``show security policies`` in its levels, hit counts, and which policy would decide on a flow.

Layouts as Junos prints them, from published outputs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from controller.config.schema import (
    GLOBAL_ZONE,
    Application,
    Configuration,
    NamedAddress,
    Policy,
)
from controller.config.values import protocol_number
from controller.flow import Nanoseconds, Tuple5
from controller.operate.commands import CommandError, Options, known
from controller.operate.operator import Operator
from controller.operate.text import host_address, port_number
from controller.packet import ECHO_REQUEST, ECHO_REQUEST_V6, ICMP, ICMPV6
from controller.spu.policy import policy_table
from controller.spu.shadow import shadowed

DEFAULT_INDEX = -1
"""The index under which SPUs count what the default policy decides."""


@dataclass(slots=True)
class Statistics:
    """What the sessions of a policy carried, forward and back."""

    packets: list[int] = field(default_factory=lambda: [0, 0])
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    sessions: int = 0
    """Live ones."""


async def hit_count(operator: Operator, options: Options) -> str:
    """``show security policies hit-count [from-zone A] [to-zone B] [ascending | descending]
    [less-than N] [greater-than N]``."""
    _check(operator, options)
    configuration = operator.runtime.configuration
    hits = policy_hits(operator)
    rows = [
        policy
        for policy in configuration.policies
        if _wanted(policy, options)
        and ("unused" not in options or not hits[policy.index])
        and hits[policy.index] < int(options.get("less-than") or 1 << 64)
        and hits[policy.index] > int(options.get("greater-than") or -1)
    ]
    if "ascending" in options or "descending" in options:
        rows.sort(key=lambda policy: hits[policy.index], reverse="descending" in options)
    lines = [
        "Logical system: root-logical-system",
        " Index   From zone        To zone           Name           Policy count  Action",
    ]
    lines += [
        f" {number:<7} {policy.from_zone:<16} {policy.to_zone:<17} {policy.name:<14} "
        f"{hits[policy.index]:<13} {policy.action.value.capitalize()}"
        for number, policy in enumerate(rows, start=1)
    ]
    lines += ["", f"Number of policy: {len(rows)}"]
    if not options:
        default = configuration.default_action.value
        lines.append(f"Default policy ({default}-all): {hits[DEFAULT_INDEX]}")
    return "\n".join(lines) + "\n"


def policy_hits(operator: Operator) -> Counter[int]:
    """Flows that each policy decided on, by its index, over all SPUs."""
    hits: Counter[int] = Counter()
    for spu in operator.runtime.spus.values():
        hits.update(spu.policy_hits())
    return hits


async def clear_hit_count(operator: Operator, _: Options) -> str:
    """``clear security policies hit-count``."""
    for spu in operator.runtime.spus.values():
        spu.clear_policy_hits()
    return ""


async def clear_statistics(operator: Operator, _: Options) -> str:
    """``clear security policies statistics``: of sessions that ended; live ones count on."""
    for spu in operator.runtime.spus.values():
        spu.clear_policy_statistics()
    return ""


async def show(operator: Operator, options: Options) -> str:
    """``show security policies [from-zone A] [to-zone B] [policy-name P] [detail]``."""
    _check(operator, options)
    configuration = operator.runtime.configuration
    lines = [f"Default policy: {configuration.default_action.value}-all"]
    statistics = await _statistics(operator) if "detail" in options else {}
    zones = ("", "")
    for policy, sequence in _numbered(configuration):
        if not _wanted(policy, options):
            continue
        if "detail" in options:
            lines += detail(policy, sequence)
            lines += _counted(configuration, policy, statistics)
            continue
        if zones != (policy.from_zone, policy.to_zone):
            zones = (policy.from_zone, policy.to_zone)
            lines.append(
                "Global policies:"
                if policy.is_global
                else f"From zone: {zones[0]}, To zone: {zones[1]}"
            )
        lines += _brief(policy, sequence)
    return "\n".join(lines) + "\n"


async def match(operator: Operator, options: Options) -> str:
    """``show security match-policies from-zone A to-zone B source-ip S destination-ip D
    source-port P destination-port Q protocol N [result-count N]``: the policies that would decide
    on such a flow, the first of them does."""
    configuration = operator.runtime.configuration
    from_zone, to_zone = options["from-zone"], options["to-zone"]
    for zone in (from_zone, to_zone):
        known_zone(operator, zone)
    table = policy_table(configuration)
    flow = _flow(options)
    sequences = {policy.index: number for policy, number in _numbered(configuration)}
    lines: list[str] = []
    wanted = int(options.get("result-count") or 1)
    for verdict in islice(table.matches(from_zone, to_zone, flow), wanted):
        if verdict.policy is None:
            lines.append(f"Default policy: {verdict.action.value}-all")
        else:
            lines += detail(verdict.policy, sequences[verdict.index])
    return "\n".join(lines) + "\n"


async def shadow(operator: Operator, options: Options) -> str:
    """``show security shadow-policies [from-zone A] [to-zone B]``: policies that never decide on
    anything, because those before them take all they would match."""
    _check(operator, options)
    lines = []
    # Thousands of policies take a while; packets need not wait for that.
    found = await asyncio.to_thread(list, shadowed(operator.runtime.configuration))
    for policy, by in found:
        if _wanted(policy, options):
            lines += [
                f"From zone: {policy.from_zone}, To zone: {policy.to_zone}",
                f"  Policy: {policy.name}, Index: {policy.index}",
                f"    Shadowed by: {', '.join(other.name for other in by)}",
            ]
    lines.append(f"Number of shadowed policies: {len(lines) // 3}")
    return "\n".join(lines) + "\n"


def detail(policy: Policy, sequence: int) -> list[str]:
    """All that is configured of a policy."""
    if policy.services_offload:
        offload = "enabled"
    else:
        offload = "disabled" if policy.no_services_offload else "not-configured"
    lines = [
        f"Policy: {policy.name}, action-type: {policy.action.value}, "
        f"services-offload:{offload} , State: enabled, Index: {policy.index}, "
        f"Scope Policy: {int(policy.is_global)}",
        "  Policy Type: Configured" + (", global" if policy.is_global else ""),
        f"  Sequence number: {sequence}",
    ]
    if policy.is_global:
        lines += [
            f"  From zones: {', '.join(policy.from_zones) or 'any'}",
            f"  To zones: {', '.join(policy.to_zones) or 'any'}",
        ]
    else:
        lines.append(f"  From zone: {policy.from_zone}, To zone: {policy.to_zone}")
    for side, names, excluded in (
        ("Source", policy.source_names, policy.sources_excluded),
        ("Destination", policy.destination_names, policy.destinations_excluded),
    ):
        lines.append(f"  {side} addresses{' (excluded)' if excluded else ''}:")
        lines += _spelled_out(names)
    for application in policy.applications or (None,):
        lines += _application(application)
    lines.append("  Per policy TCP Options: SYN check: No, SEQ check: No, Window scale: No")
    logs = [
        text for text, on in (("at-create", policy.log_init), ("at-close", policy.log_close)) if on
    ]
    if logs:
        lines.append(f"  Session log: {', '.join(logs)}")
    return lines


def _brief(policy: Policy, sequence: int) -> list[str]:
    actions = [policy.action.value]
    for word, on in (
        ("services-offload", policy.services_offload),
        ("no-services-offload", policy.no_services_offload),
        ("log", policy.log_init or policy.log_close),
        ("count", policy.count),
    ):
        if on:
            actions.append(word)
    applications = dict.fromkeys(application.name for application in policy.applications)
    lines = [
        f"  Policy: {policy.name}, State: enabled, Index: {policy.index}, "
        f"Scope Policy: {int(policy.is_global)}, Sequence number: {sequence}"
    ]
    if policy.is_global:
        lines += [
            f"    From zones: {', '.join(policy.from_zones) or 'any'}",
            f"    To zones: {', '.join(policy.to_zones) or 'any'}",
        ]
    return [
        *lines,
        f"    Source addresses{_excluded(policy.sources_excluded)}: {_names(policy.source_names)}",
        f"    Destination addresses{_excluded(policy.destinations_excluded)}: "
        f"{_names(policy.destination_names)}",
        f"    Applications: {', '.join(applications) or 'any'}",
        f"    Action: {', '.join(actions)}",
    ]


def _excluded(excluded: bool) -> str:
    return " (excluded)" if excluded else ""


def _names(names: Sequence[NamedAddress]) -> str:
    return ", ".join(name.name for name in names)


def _spelled_out(names: Iterable[NamedAddress]) -> Iterator[str]:
    for name in names:
        if not name.book:
            addresses = name.addresses or ("0.0.0.0/0", "::/0")
            yield from (f"    {name.name}: {address}" for address in addresses)
        else:
            yield from (f"    {name.name}({name.book}): {entry}" for entry in name.addresses)


def _application(application: Application | None) -> list[str]:
    if application is None:
        name, protocol, timeout, alg = "any", 0, None, None
        source = destination = range(1)
    else:
        name, protocol, timeout = (
            application.name, max(application.protocol, 0), application.inactivity_timeout,
        )  # fmt: skip
        alg, source = application.alg, application.source_ports
        destination = application.destination_ports
    lines = [
        f"  Application: {name}",
        f"    IP protocol: {protocol}, ALG: {alg.value if alg else 0}, "
        f"Inactivity timeout: {_seconds(timeout)}",
    ]
    if protocol in (ICMP, ICMPV6):
        kind = "any" if len(destination) > 256 else f"{destination.start >> 8}"
        code = "any" if len(destination) > 1 else f"{destination.start & 255}"
        return [*lines, f"      ICMP Information: type={kind}, code={code}"]
    return [
        *lines,
        f"      Source port range: [{source.start}-{source.stop - 1}]",
        f"      Destination ports: [{destination.start}-{destination.stop - 1}]",
    ]


def _seconds(timeout: Nanoseconds | None) -> str:
    return "0" if timeout is None else str(timeout // 1_000_000_000)


async def _statistics(operator: Operator) -> dict[int, Statistics]:
    """By policy: what its ended sessions carried, and its live ones so far."""
    found: dict[int, Statistics] = {}
    for spu in operator.runtime.spus.values():
        for index, (packets, octets) in spu.policy_statistics().items():
            _add(found.setdefault(index, Statistics()), packets, octets)
        for live in await operator.live(spu.sessions()):
            of = found.setdefault(live.view.policy_index, Statistics())
            _add(of, live.packets, live.bytes)
            of.sessions += 1
    return found


def _add(to: Statistics, packets: tuple[int, int], octets: tuple[int, int]) -> None:
    for direction in (0, 1):
        to.packets[direction] += packets[direction]
        to.bytes[direction] += octets[direction]


def _counted(
    configuration: Configuration, policy: Policy, statistics: dict[int, Statistics]
) -> list[str]:
    if not policy.count and not configuration.policy_stats:
        return []
    of = statistics.get(policy.index, Statistics())
    return [
        "  Policy statistics:",
        f"    Input  bytes       : {of.bytes[0]:>20}",
        f"    Output bytes       : {of.bytes[1]:>20}",
        f"    Input  packets     : {of.packets[0]:>20}",
        f"    Output packets     : {of.packets[1]:>20}",
        f"    Active sessions    : {of.sessions:>20}",
    ]


def _numbered(configuration: Configuration) -> Iterator[tuple[Policy, int]]:
    """Policies with their places among those of their zones."""
    counts: Counter[tuple[str, str]] = Counter()
    for policy in configuration.policies:
        zones = policy.from_zone, policy.to_zone
        counts[zones] += 1
        yield policy, counts[zones]


def _check(operator: Operator, options: Options) -> None:
    """Raise ``CommandError`` for zones and policies that there are not."""
    for word in ("from-zone", "to-zone"):
        if word in options:
            known_zone(operator, options[word])
    names = {policy.name for policy in operator.runtime.configuration.policies}
    known(options, "policy-name", "policy", names)


def _wanted(policy: Policy, options: Options) -> bool:
    if "global" in options and policy.from_zone != GLOBAL_ZONE:
        return False
    return all(
        options.get(word, own) == own
        for word, own in (
            ("from-zone", policy.from_zone),
            ("to-zone", policy.to_zone),
            ("policy-name", policy.name),
        )
    )


def _flow(options: Options) -> Tuple5:
    src, dst = host_address(options["source-ip"]), host_address(options["destination-ip"])
    if len(src) != len(dst):
        raise CommandError("source-ip and destination-ip are of different families")
    protocol = protocol_number(options["protocol"])
    sport, dport = (port_number(options[f"{side}-port"]) for side in ("source", "destination"))
    if protocol in (ICMP, ICMPV6):
        # ICMP has no ports: a session begins with an echo request, whatever was typed.
        dport = (ECHO_REQUEST if protocol == ICMP else ECHO_REQUEST_V6) << 8
    return Tuple5(src, dst, sport, dport, protocol)


def known_zone(operator: Operator, name: str) -> int:
    """A zone's id. Raises ``CommandError`` naming the zones there are."""
    zone = operator.runtime.configuration.zones.get(name)
    if zone is None:
        known = ", ".join(sorted(operator.runtime.configuration.zones))
        raise CommandError(f"no zone '{name}'; zones are: {known}")
    return zone.id
