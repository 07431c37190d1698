"""The command line of ``wingpath simulate``; apart, so that other commands load nothing else."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from controller.simulate.options import MEANING, MESSAGES_STAY_IN_ORDER, Fault

DESCRIPTION = """\
Plays a workload through a whole chassis - central point, SPUs, neighbour table and two NPUs - under
virtual time, with faults, and holds the invariants against every step. Everything follows from
the seed. If a rule is broken, a small run that breaks it too is searched for, and its walk printed.

Exit status: 0 if all rules held, 1 if one was broken, 2 for a wrong command line."""

_MOST_SPUS = 200


def _epilog() -> str:
    width = max(len(fault.value) for fault in Fault)
    lines = ["faults:"]
    lines += [f"  {fault.value:<{width}}  {MEANING[fault]}" for fault in Fault]
    lines += ["", *_wrapped(MESSAGES_STAY_IN_ORDER), "", "examples:"]
    lines += [
        "  wingpath simulate --seed 7                          # all faults, 1000 flows",
        "  wingpath simulate --seeds 200 --swarm               # seeds 1 to 200",
        "  wingpath simulate --sessions 1000000 --faults all,-npu,-controller",
    ]
    return "\n".join(lines)


def _wrapped(text: str, width: int = 100) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``wingpath simulate``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.epilog = _epilog()
    number = _number
    add = parser.add_argument
    add("--seed", type=int, default=1, metavar="N", help="the seed, or the first of several")
    add("--seeds", type=number(1, 1_000_000), default=1, metavar="COUNT", help="so many seeds")
    add("--jobs", type=number(1, 256), default=os.cpu_count() or 1, metavar="N",
        help="processes, if there are several seeds; default: one a core")  # fmt: skip
    add("--sessions", type=number(1, 100_000_000), default=1000, metavar="N",
        help="flows that begin, most of which become sessions; default 1000")  # fmt: skip
    add("--spus", type=number(1, _MOST_SPUS), default=8, metavar="N", help="SPUs; default 8")
    add("--faults", default="all", metavar="LIST",
        help="all, none, or names with commas; -NAME leaves one out; default all")  # fmt: skip
    add("--swarm", action="store_true", help="each seed takes about half of the faults")
    add("--rate", type=number(1, 1_000_000), default=500, metavar="N",
        help="flows that begin in a second of virtual time; default 500")  # fmt: skip
    add("--only-flows", metavar="LIST", help="replay: only the flows with these numbers")
    add("--only-incidents", metavar="LIST",
        help="replay: only crashes, clears and reloads of these numbers, or none")  # fmt: skip
    add("--walk", type=number(0, 100_000_000), metavar="FLOW",
        help="print the walk of this flow; 0: of all flows")  # fmt: skip
    add("--json", action="store_true", help="the report as JSON")


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is no number from {least} to {most}")
        return value

    return parse
