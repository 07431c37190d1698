"""``wingpath simulate``: options in, a report out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from controller.simulate.engine import Run
from controller.simulate.options import (
    Fault,
    OptionError,
    Plan,
    names_of,
    parse_faults,
    swarm,
)
from controller.simulate.play import Broken, Outcome, play, play_all
from controller.simulate.shrink import Shrink
from controller.simulate.story import Story
from controller.simulate.tally import Counts


def _numbers(option: str, text: str | None) -> frozenset[int] | None:
    if text is None:
        return None
    if text == "none":
        return frozenset()
    try:
        return frozenset(int(word) for word in text.split(","))
    except ValueError:
        raise OptionError(f"{option}: '{text}' is no list of numbers such as 3,17") from None


def run(options: argparse.Namespace) -> int:
    """Play, report; the exit status."""
    try:
        plans = _plans(options)
    except OptionError as error:
        print(f"wingpath simulate: {error}", file=sys.stderr)
        return 2
    if options.walk is not None:
        return _walk(plans[0], options.walk)
    began = time.perf_counter()
    progress = Progress(len(plans))
    outcomes = []
    if len(plans) == 1:
        outcomes = [play(plans[0], progress.attach)]
    else:
        for outcome in play_all(plans, min(options.jobs, len(plans))):
            outcomes.append(outcome)
            progress.seeds(outcomes)
            if outcome.broken is not None:
                break
    progress.clear()
    seconds = time.perf_counter() - began
    found = outcomes[-1]
    small = None
    if not options.json:
        print(_report(outcomes, seconds), flush=True)
        if found.broken is not None:
            print(_found(found, found.broken), flush=True)
    if found.broken is not None:
        small = Shrink(found).run()
    if options.json:
        print(json.dumps(_as_json(outcomes, seconds, small), indent=2))
    elif small is not None:
        print(_story(small))
    return 0 if small is None else 1


def _plans(options: argparse.Namespace) -> list[Plan]:
    faults = parse_faults(options.faults)
    flows = _numbers("--only-flows", options.only_flows)
    incidents = _numbers("--only-incidents", options.only_incidents)
    seeds = range(options.seed, options.seed + options.seeds)
    return [
        Plan(
            seed,
            options.sessions,
            options.spus,
            swarm(seed, faults) if options.swarm else faults,
            options.rate,
            flows,
            incidents,
        )
        for seed in seeds
    ]


class Progress:
    """One line on a terminal that says how far a run is; nothing elsewhere."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._is_shown = sys.stderr.isatty()
        self._at = 0.0
        self._began = time.perf_counter()

    def attach(self, run: Run) -> None:
        """Follow a run."""
        if self._is_shown:
            run.progress = self._run

    def _run(self, run: Run) -> None:
        now = time.perf_counter()
        if now - self._at < 0.5:
            return
        self._at = now
        seconds, world = now - self._began, run.world
        self._show(
            f"{world.flows:,} of {run.plan.sessions:,} flows, {len(world.ledger.by_session):,} "
            f"sessions, {run.steps:,} steps, {run.steps / seconds:,.0f} steps/s, "
            f"{world.now / 1e9:,.1f} s of virtual time"
        )

    def seeds(self, outcomes: list[Outcome]) -> None:
        """Some of several seeds are done."""
        if self._is_shown:
            steps = sum(outcome.steps for outcome in outcomes)
            self._show(f"{len(outcomes)} of {self._seeds} seeds, {steps:,} steps")

    def _show(self, text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# -- reports ----------------------------------------------------------------------------------


def _report(outcomes: list[Outcome], seconds: float) -> str:
    first = outcomes[0].plan
    total = {
        name: sum(getattr(outcome, name) for outcome in outcomes)
        for name in ("flows", "sessions", "steps", "messages", "checks")
    }
    seeds = f"seed {first.seed}"
    if len(outcomes) > 1:
        seeds = f"seeds {first.seed} to {outcomes[-1].plan.seed}"
    cpu = sum(outcome.cpu for outcome in outcomes)
    lines = [
        f"{seeds}: {total['flows']:,} flows, {total['sessions']:,} sessions, {first.spus} SPUs, "
        f"faults {names_of(frozenset().union(*(o.plan.faults for o in outcomes)))}",
        f"  {total['steps']:,} steps ({total['messages']:,} messages, {total['checks']:,} checks) "
        f"in {seconds:.1f} s, {cpu:.1f} s of CPU: {total['steps'] / cpu:,.0f} steps/s of CPU",
        f"  at most {max(o.most_sessions for o in outcomes):,} sessions at once, "
        f"{max(o.memory for o in outcomes) / 2**20:,.0f} MiB",
        f"  flows: {_counts(outcomes, 'kinds')}",
        f"  first packets: {_counts(outcomes, 'walks')}",
        f"  sessions: {_counts(outcomes, 'paths')}",
        f"  done: {_counts(outcomes, 'deeds')}",
        f"  closed: {_counts(outcomes, 'closed')}",
        f"  dropped: {_counts(outcomes, 'dropped')}",
        *_faults(outcomes),
    ]
    if outcomes[-1].broken is None:
        lines.append("all rules held")
    return "\n".join(lines)


def _counts(outcomes: list[Outcome], name: str) -> str:
    return _list(_sum(getattr(outcome, name) for outcome in outcomes)) or "none"


def _sum(several: Iterable[Counts]) -> Counts:
    total: Counts = {}
    for counts in several:
        for what, count in counts.items():
            total[what] = total.get(what, 0) + count
    return total


def _list(counts: Counts) -> str:
    pairs = sorted(counts.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{what} {count:,}" for what, count in pairs)


def _faults(outcomes: list[Outcome]) -> list[str]:
    """What each fault did; one that did nothing is named, too."""
    lines = []
    for fault in Fault:
        several = [o.faults[fault.value] for o in outcomes if fault.value in o.faults]
        if several:
            lines.append(f"  {fault.value}: {_list(_sum(several)) or 'did not take place'}")
    return lines


def again(plan: Plan) -> str:
    """The command line that plays a plan."""
    words = [
        f"wingpath simulate --seed {plan.seed} --sessions {plan.sessions} --spus {plan.spus}",
        f"--faults {names_of(plan.faults)} --rate {plan.rate}",
    ]
    for option, numbers in (("flows", plan.flows), ("incidents", plan.incidents)):
        if numbers is not None:
            words.append(f"--only-{option} {','.join(map(str, sorted(numbers))) or 'none'}")
    return " ".join(words)


def _found(found: Outcome, broken: Broken) -> str:
    return (
        f"BROKEN with seed {found.plan.seed} after {found.steps:,} steps: {_what(broken)}\n"
        f"again:   {again(found.plan)}"
    )


def _story(small: Outcome) -> str:
    assert small.broken is not None
    lines = [
        f"smaller: {again(small.plan)}",
        f"         {small.flows} flows, {small.steps:,} steps: {_what(small.broken)}",
        "",
    ]
    told, broken = Story(small.plan, small.broken.flow if small.flows > 1 else 0).told()
    lines += told
    if broken is not None:
        lines.append(_line(broken))
    return "\n".join(lines)


def _line(broken: Broken) -> str:
    return f"{broken.at / 1e6:+10.3f} ms  BROKEN     {_what(broken)}"


def _what(broken: Broken) -> str:
    whose = [
        f"{name} {number}"
        for name, number in (("flow", broken.flow), ("session", broken.session_id))
        if number
    ]
    return f"{broken.rule.value}: {broken.what}" + (f" ({', '.join(whose)})" if whose else "")


def _walk(plan: Plan, number: int) -> int:
    told, broken = Story(plan, number).told()
    print("\n".join(told) if told else f"flow {number} does not begin in this run")
    if broken is not None:
        print(_line(broken))
    return 0 if broken is None else 1


def _as_json(outcomes: list[Outcome], seconds: float, small: Outcome | None) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 3),
        "held": small is None,
        "runs": [_outcome(outcome) for outcome in outcomes],
        "smallest": None if small is None else _outcome(small),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    plan, broken = outcome.plan, outcome.broken
    values = asdict(outcome)
    del values["plan"]
    values["broken"] = None
    if broken is not None:
        values["broken"] = asdict(broken) | {"rule": broken.rule.value}
    return {"seed": plan.seed, "command": again(plan), **values}
