"""Policies that never decide on anything, because earlier ones take all they would match.

A policy is *shadowed* if every flow it matches is matched by policies before it: by one of them, or
by several together. Found is what one earlier policy covers, and what the application terms of
earlier policies with covering addresses add up to; where only the addresses of several together
would cover it, nothing is said, so every policy that is named is truly shadowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from controller.config.schema import Addresses, Application, Configuration, Policy, Wildcard
from controller.spu.ruleset import number_spans

_Spans = list[tuple[int, int]]
_WIDTHS = (32, 128)


class Shadowed(NamedTuple):
    """A policy and the earlier ones that take all it would match."""

    policy: Policy
    by: tuple[Policy, ...]


def shadowed(configuration: Configuration) -> Iterator[Shadowed]:
    """All shadowed policies, in order; each compared with those that are searched before it."""
    lists: dict[tuple[str, str], list[_Rule]] = {}
    for policy in configuration.policies:
        rule = _Rule(policy)
        before = lists.setdefault((policy.from_zone, policy.to_zone), [])
        by = rule.taken_by(before)
        if by:
            yield Shadowed(policy, by)
        else:
            # What is shadowed shadows nothing that its own shadows do not.
            before.append(rule)


class _Rule:
    """A policy as sets of numbers, made once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._sides = (
            _Side(policy.sources, policy.sources_excluded),
            _Side(policy.destinations, policy.destinations_excluded),
        )

    def taken_by(self, before: Sequence[_Rule]) -> tuple[Policy, ...]:
        """The earlier policies that take all of this one; empty if some of it is left."""
        around = [
            rule
            for rule in before
            if self._within_zones(rule.policy)
            and all(mine.within(its) for mine, its in zip(self._sides, rule._sides, strict=True))
        ]
        for rule in around:
            if not rule.policy.applications:
                return (rule.policy,)
        if not self.policy.applications:
            return ()
        needed: list[Policy] = []
        for application in self.policy.applications:
            taker = next(
                (r.policy for r in around if _has(r.policy.applications, application)), None
            )
            if taker is None:
                return ()
            if taker not in needed:
                needed.append(taker)
        return tuple(needed)

    def _within_zones(self, earlier: Policy) -> bool:
        return all(
            not its or (bool(mine) and set(mine) <= set(its))
            for mine, its in (
                (self.policy.from_zones, earlier.from_zones),
                (self.policy.to_zones, earlier.to_zones),
            )
        )


class _Side:
    """Addresses of a policy."""

    def __init__(self, addresses: tuple[Addresses, ...], excluded: bool) -> None:
        self._is_any = not addresses and not excluded
        # No address means any, so excluding it leaves none.
        self._is_none = not addresses and excluded
        self._excluded = excluded
        self._wildcards = {a for a in addresses if isinstance(a, Wildcard)}
        self._spans = [merged(number_spans(addresses, width)) for width in _WIDTHS]

    def within(self, other: _Side) -> bool:
        """Whether all of this is in the other; ``False`` when in doubt."""
        if other._is_any or self._is_none:
            return True
        if self._is_any or other._is_none or self._excluded != other._excluded:
            return False
        # Of two that exclude, the one that excludes more is within the one that excludes less.
        inner, outer = (other, self) if self._excluded else (self, other)
        return inner._wildcards <= outer._wildcards and all(
            _covers(big, small) for big, small in zip(outer._spans, inner._spans, strict=True)
        )


def merged(spans: Iterable[tuple[int, int]]) -> _Spans:
    """The same numbers in ranges in order that neither overlap nor touch."""
    found: _Spans = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _covers(big: _Spans, small: _Spans) -> bool:
    at = iter(big)
    current = next(at, None)
    for first, last in small:
        while current is not None and current[1] < last:
            current = next(at, None)
        if current is None or current[0] > first:
            return False
    return True


def _has(applications: tuple[Application, ...], wanted: Application) -> bool:
    return any(
        application.protocol in (-1, wanted.protocol)
        and _in(wanted.destination_ports, application.destination_ports)
        and _in(wanted.source_ports, application.source_ports)
        for application in applications
    )


def _in(small: range, big: range) -> bool:
    return big.start <= small.start and small.stop <= big.stop
