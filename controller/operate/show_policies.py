"""``show security policies`` and its hit counts."""

from __future__ import annotations

from collections import Counter

from controller.config.schema import NamedAddress, Policy
from controller.operate.commands import CommandError, Options
from controller.operate.operator import Operator

DEFAULT_INDEX = -1
"""The index under which SPUs count what the default policy decides."""


async def hit_count(operator: Operator, options: Options) -> str:
    """``show security policies hit-count [from-zone A] [to-zone B]``."""
    runtime = operator.runtime
    hits: Counter[int] = Counter()
    for spu in runtime.spus.values():
        hits.update(spu.policy_hits())
    lines = [
        "Logical system: root-logical-system",
        " Index   From zone        To zone           Name           Policy count  Action",
    ]
    number = 0
    for policy in runtime.configuration.policies:
        if _wanted(policy, options):
            number += 1
            lines.append(
                f" {number:<7} {policy.from_zone:<16} {policy.to_zone:<17} {policy.name:<14} "
                f"{hits[policy.index]:<13} {policy.action.value.capitalize()}"
            )
    lines += ["", f"Number of policy: {number}"]
    if not options:
        default = runtime.configuration.default_action.value
        lines.append(f"Default policy ({default}-all): {hits[DEFAULT_INDEX]}")
    return "\n".join(lines) + "\n"


async def clear_hit_count(operator: Operator, _: Options) -> str:
    """``clear security policies hit-count``."""
    for spu in operator.runtime.spus.values():
        spu.clear_policy_hits()
    return ""


async def brief(operator: Operator, options: Options) -> str:
    """``show security policies [from-zone A] [to-zone B]``."""
    configuration = operator.runtime.configuration
    lines = [f"Default policy: {configuration.default_action.value}-all"]
    pair, sequence = ("", ""), 0
    for policy in configuration.policies:
        if not _wanted(policy, options):
            continue
        if pair != (policy.from_zone, policy.to_zone):
            pair, sequence = (policy.from_zone, policy.to_zone), 0
            lines.append(f"From zone: {policy.from_zone}, To zone: {policy.to_zone}")
        sequence += 1
        actions = [policy.action.value]
        if policy.services_offload:
            actions.append("services-offload")
        if policy.log_init or policy.log_close:
            actions.append("log")
        lines += [
            f"  Policy: {policy.name}, State: enabled, Index: {policy.index}, "
            f"Scope Policy: 0, Sequence number: {sequence}",
            f"    Source addresses: {_names(policy.source_names)}",
            f"    Destination addresses: {_names(policy.destination_names)}",
            f"    Applications: {', '.join(a.name for a in policy.applications) or 'any'}",
            f"    Action: {', '.join(actions)}",
        ]
    return "\n".join(lines) + "\n"


def _names(names: tuple[NamedAddress, ...]) -> str:
    return ", ".join(name.name for name in names)


def _wanted(policy: Policy, options: Options) -> bool:
    return all(
        options.get(word, zone) == zone
        for word, zone in (("from-zone", policy.from_zone), ("to-zone", policy.to_zone))
    )


def known_zone(operator: Operator, name: str) -> int:
    """A zone's id. Raises ``CommandError`` naming the zones there are."""
    zone = operator.runtime.configuration.zones.get(name)
    if zone is None:
        known = ", ".join(sorted(operator.runtime.configuration.zones))
        raise CommandError(f"no zone '{name}'; zones are: {known}")
    return zone.id
