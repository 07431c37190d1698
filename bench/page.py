"""Measurements of the switch as Markdown: what docs/PERFORMANCE.md has between its two marks.

    python -m bench.page build/bench/switch.json docs/PERFORMANCE.md

puts the results of an earlier run into the page. Figures are medians of rounds; next to a ratio
stands what the project asks for.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

BEGIN = "<!-- measured: begin (make bench-switch writes from here to the end mark) -->"
END = "<!-- measured: end -->"

Found = dict[str, Any]
"""What a benchmark wrote."""


class NoMarks(ValueError):
    """A page without the two marks."""


def replace(path: Path, text: str, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Put ``text`` between the marks of a page. ``NoMarks`` if it has none."""
    before, begin, rest = path.read_text().partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise NoMarks(f"{path} lacks the lines '{marks[0]}' and '{marks[1]}'")
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def program(command: str) -> str:
    """The name of what was run."""
    return Path(shlex.split(command)[0]).name


def render(measured: Found) -> str:
    """All tables of one run."""
    load = "/".join(f"{value:.1f}" for value in measured["load"])
    head = (
        f"Commit {measured['commit']}, {measured['date']}; Linux {measured['kernel']},"
        f" {measured['cores']} cores, load before {load}; Python {measured['python']}.\n"
        f"Native code: `{measured['compiler']}`.\n"
        "Against: " + ", ".join(f"`{program(c)}`" for c in _switches(measured)[1:]) + ".\n"
    )
    parts = [
        head,
        "### Against the targets\n",
        _targets(measured),
        "### Packets and latency\n",
        _forwarding(measured["forwarding"]["results"]),
        "### Writes, start and memory\n",
        _writes(measured["writes"]["results"], measured["sessions"]["results"]),
        "### By entries: one exact table, hit at random\n",
        _by(measured["lookup"]["results"], "entries"),
        "### By tables: a chain of exact tables, each hit\n",
        _by(measured["tables"]["results"], "tables"),
        "### npu.p4 in the native executor alone\n",
        _pipeline(measured["pipeline"]["results"]),
        "### Compilers\n",
        table(
            ["npu.p4", "seconds"],
            [(f"`{n}`", f"{median(s):.2f}") for n, s in measured["compiling"]["seconds"].items()],
        ),
    ]
    return "\n".join(parts)


def _switches(measured: Found) -> list[str]:
    return [result["switch"] for result in measured["writes"]["results"]]


def summary(measured: Found) -> str:
    """The few figures that a reader wants first."""
    some = [r for r in measured["forwarding"]["results"] if r["flows"] == 1000]
    bare, *forwarders = some
    names = [f"`{program(name)}`" for name in _switches(measured)]

    def rates(key: str) -> list[str]:
        return [f"{median(r[key]) / 1000:.0f} kpps" for r in (*forwarders, bare)]

    def latency(result: Found) -> str:
        return f"{median(result['latency_p50']):.0f} / {median(result['latency_p99']):.0f} us"

    writes = measured["writes"]["results"]
    lone = [f"{median(r['lone_p50_us']) / 1000:.3f} ms" for r in writes]
    batched = [f"{median(r['wings_a_second']):,.0f}" for r in writes]
    memory = [f"{median(r['bytes_a_session']):.0f} bytes" for r in measured["sessions"]["results"]]
    sessions = f"{measured['sessions']['results'][0]['sessions']:,}"
    rows = [
        ["Express Path with NAT, 100-byte packets, 1000 flows, loss-free", *rates("loss_free")],
        ["the same, flooded", *rates("flooded")],
        ["one-way latency, idle, p50 / p99", *map(latency, forwarders), latency(bare)],
        ["one Write, acknowledged, p50", *lone, ""],
        ["entries a second, 1000 a Write", *batched, ""],
        [f"memory of a session, of {sessions}", *memory, ""],
    ]
    head = (
        f"Medians on a machine with {measured['cores']} cores, Linux {measured['kernel']},"
        f" `npu.p4` in full, commit {measured['commit']}:\n\n"
    )
    return head + table(["", *names, "bare forwarder"], rows)


# -- targets ----------------------------------------------------------------------------------


def _targets(measured: Found) -> str:
    rows: list[tuple[object, ...]] = []

    def row(what: str, value: float, text: str, target: str, good: bool, best: bool | None) -> None:
        met = "missed" if not good else "met, and the stretch" if best else "met"
        rows.append((what, text.format(value), target, met))

    flows = sorted({r["flows"] for r in measured["forwarding"]["results"]})
    for count in flows:
        bare, ours, *theirs = (r for r in measured["forwarding"]["results"] if r["flows"] == count)
        free, base = median(ours["loss_free"]), median(bare["loss_free"])
        for other in theirs:
            ratio = free / median(other["loss_free"])
            row(f"loss-free, {count} flows", ratio, "{:.1f} x BMv2", ">= 5 x; 8 x",
                ratio >= 5, ratio >= 8)  # fmt: skip
        share = 100 * free / base
        row(f"loss-free, {count} flows", share, "{:.0f} % of the bare forwarder", ">= 50 %; 75 %",
            share >= 50, share >= 75)  # fmt: skip
        share = 100 * median(ours["flooded"]) / base
        row(f"flooded, {count} flows", share, "{:.0f} % of the bare forwarder", ">= 45 %",
            share >= 45, None)  # fmt: skip
        p50, p99 = median(ours["latency_p50"]), median(ours["latency_p99"])
        row(f"one-way latency, idle, {count} flows, p50", p50, "{:.0f} us", "<= 40 us",
            p50 <= 40, None)  # fmt: skip
        row(f"one-way latency, idle, {count} flows, p99", p99, "{:.0f} us", "<= 150 us",
            p99 <= 150, None)  # fmt: skip
    mine, *theirs = measured["writes"]["results"]
    for other in theirs:
        ratio = median(mine["lone_p50_us"]) / median(other["lone_p50_us"])
        row("single Write, p50", ratio, "{:.2f} x BMv2's", "<= 1.6 x; 1.0 x",
            ratio <= 1.6, ratio <= 1)  # fmt: skip
        ratio = median(mine["wings_a_second"]) / median(other["wings_a_second"])
        row("entries a second, 1000 a Write", ratio, "{:.1f} x BMv2's", ">= 1.0 x; 2 x",
            ratio >= 1, ratio >= 2)  # fmt: skip
    full = measured["sessions"]["results"][0]
    size = median(full["bytes_a_session"])
    row(f"memory of a session at {full['sessions']:,}", size, "{:.0f} bytes", "<= 600; 300",
        size <= 600, size <= 300)  # fmt: skip
    sizes = measured["lookup"]["results"]
    ratio = median(sizes[-1]["ns_a_packet"]) / median(sizes[0]["ns_a_packet"])
    row("cost of a packet, 1 k to 1 M entries", ratio, "{:.2f} x", "<= 2 x", ratio <= 2, None)
    seconds = median(next(iter(measured["compiling"]["seconds"].values())))
    row("npu.p4 compiled", seconds, "{:.2f} s", "<= 3 s", seconds <= 3, None)
    cold, warm = median(mine["cold_start_s"]), median(mine["warm_start_s"])
    row("start until npu.p4 is loaded, cold cache", cold, "{:.2f} s", "<= 8 s", cold <= 8, None)
    row("the same, warm", warm, "{:.2f} s", "<= 1 s", warm <= 1, None)
    return table(["what", "measured", "target; stretch", ""], rows)


# -- one benchmark each -----------------------------------------------------------------------


def _forwarding(results: Sequence[Found]) -> str:
    def thousands(values: Sequence[float]) -> str:
        return f"{median(values) / 1000:.0f}"

    rows = [
        (
            f"`{program(r['forwarder'])}`" if r["forwarder"] != "bare" else "bare forwarder",
            r["flows"],
            thousands(r["loss_free"]),
            thousands(r["flooded"]),
            thousands(r["offered"]),
            thousands(r["per_cpu"]),
            f"{median(r['latency_p50']):.0f}",
            f"{median(r['latency_p99']):.0f}",
        )
        for r in results
    ]
    head = ["", "flows", "loss-free kpps", "flooded kpps", "offered then", "k a CPU second",
            "latency p50 us", "p99 us"]  # fmt: skip
    return table(head, rows)


def _writes(often: Sequence[Found], full: Sequence[Found]) -> str:
    names = [f"`{program(r['switch'])}`" for r in often]

    def row(what: str, results: Sequence[Found], key: str, form: str) -> list[str]:
        return [what, *(form.format(median(r[key])) for r in results)]

    sessions, most = f"{often[0]['sessions']:,}", f"{full[0]['sessions']:,}"
    return table(
        ["", *names],
        [
            row("start until npu.p4 is loaded, cold cache, s", often, "cold_start_s", "{:.2f}"),
            row("the same, warm, s", often, "warm_start_s", "{:.2f}"),
            row("Write of one wing, p50 us", often, "lone_p50_us", "{:.0f}"),
            row("the same, p99 us", often, "lone_p99_us", "{:.0f}"),
            row(f"wings a second, 1000 a Write, {sessions} sessions", often, "wings_a_second",
                "{:,.0f}"),
            row(f"wings a second, 1000 a Write, {most} sessions", full, "wings_a_second",
                "{:,.0f}"),
            row("CPU of the switch for each of these, us", full, "cpu_us_a_wing", "{:.2f}"),
            row("resident without any session, MB", full, "empty_mb", "{:.0f}"),
            row(f"bytes a session (two wings) at {most}", full, "bytes_a_session", "{:.0f}"),
        ],
    )  # fmt: skip


def _by(results: Sequence[Found], what: str) -> str:
    names = list(results[0]["per_cpu"])
    head = [what, "native executor alone, ns a packet"]
    head += [f"`{program(name)}`, k packets a CPU second" for name in names]
    rows = [
        (
            f"{r[what]:,}",
            f"{median(r['ns_a_packet']):.0f}",
            *(f"{median(r['per_cpu'][name]) / 1000:.1f}" for name in names),
        )
        for r in results
    ]
    return table(head, rows)


def _pipeline(results: Sequence[Found]) -> str:
    return table(
        ["sessions", "ns a packet", "us an update, 1000 at a time", "us a lone update",
         "bytes a session"],
        [
            (
                f"{r['sessions']:,}",
                f"{r['ns_a_packet']:.0f}",
                f"{r['us_an_update_batched']:.2f}",
                f"{r['us_a_lone_update']:.1f}",
                f"{r['bytes_a_session']:.0f}",
            )
            for r in results
        ],
    )  # fmt: skip


def main(words: Sequence[str]) -> int:
    if len(words) != 2:
        print("usage: python -m bench.page RESULTS.json PAGE.md", file=sys.stderr)
        return 2
    try:
        replace(Path(words[1]), render(json.loads(Path(words[0]).read_text())))
    except (OSError, NoMarks) as error:
        print(f"bench.page: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
