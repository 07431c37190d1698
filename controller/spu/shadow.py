"""Policies that never decide on anything, because earlier ones take all they would match.

A policy is *shadowed* if every flow it matches is matched by policies before it: by one of them, or
by several together. Found is what one earlier policy covers, and what the application terms of
earlier policies with covering addresses add up to; where only the addresses of several together
would cover it, nothing is said, so every policy that is named is truly shadowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from controller.config.schema import Addresses, Application, Configuration, Policy, Wildcard
from controller.flow import Tuple5
from controller.spu.ruleset import Ruleset, number_spans

_Spans = list[tuple[int, int]]
_WIDTHS = (32, 128)


class Shadowed(NamedTuple):
    """A policy and the earlier ones that take all it would match."""

    policy: Policy
    by: tuple[Policy, ...]


def shadowed(configuration: Configuration) -> Iterator[Shadowed]:
    """All shadowed policies, in order; each compared with those that are searched before it."""
    lists: dict[tuple[str, str], list[Policy]] = {}
    for policy in configuration.policies:
        lists.setdefault((policy.from_zone, policy.to_zone), []).append(policy)
    for policies in lists.values():
        ruleset = Ruleset(policies)
        rules: dict[int, _Rule] = {}
        for position, policy in enumerate(policies):
            rule = _Rule(policy, position)
            by = rule.taken_by(_before(rule, rules, ruleset))
            if by:
                yield Shadowed(policy, by)
            else:
                # What is shadowed shadows nothing that its own shadows do not.
                rules[policy.index] = rule


def _before(rule: _Rule, rules: Mapping[int, _Rule], ruleset: Ruleset[Policy]) -> list[_Rule]:
    """Earlier rules that may take flows of this one. Those that take all of its flows also take a
    sample of them, and the search finds these without looking at each rule."""
    samples = rule.samples()
    if samples is None:
        return list(rules.values())
    found: dict[int, _Rule] = {}
    for sample in samples:
        for policy, _ in ruleset.matches(sample):
            if policy is rule.policy:
                break
            if policy.index in rules:
                found[policy.index] = rules[policy.index]
    return sorted(found.values(), key=lambda earlier: earlier.position)


class _Rule:
    """A policy as sets of numbers, made once."""

    def __init__(self, policy: Policy, position: int) -> None:
        self.policy = policy
        self.position = position
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

    def samples(self) -> list[Tuple5] | None:
        """A flow of each application of this policy; ``None`` if none is easily made."""
        ends = [side.sample() for side in self._sides]
        sizes = {end[0] for end in ends if end is not None and end[0]}
        if None in ends or len(sizes) > 1:
            return None
        size = sizes.pop() if sizes else 4
        source, destination = (end[1].to_bytes(size, "big") for end in ends if end is not None)
        return [
            # Protocol 255 is nobody's: only what takes any protocol takes it.
            Tuple5(
                source,
                destination,
                0 if app is None else app.source_ports.start,
                0 if app is None else app.destination_ports.start,
                255 if app is None or app.protocol < 0 else app.protocol,
            )
            for app in self.policy.applications or (None,)
        ]

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

    def sample(self) -> tuple[int, int] | None:
        """An address of this side: its size in bytes (0: any size), and its value; ``None`` if
        there is none at hand."""
        if self._is_any:
            return 0, 0
        if self._excluded:
            return None
        for size, spans in zip((4, 16), self._spans, strict=True):
            if spans:
                return size, spans[0][0]
        return next(((4, wildcard.address) for wildcard in self._wildcards), None)

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
