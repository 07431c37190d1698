"""Results as JSON, as a table, and as a picture."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p4embed.switch.native.build import settings

ACKNOWLEDGED, VISIBLE, DELIVERED = "acknowledged", "visible", "delivered"
PERCENTILES = (50.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Series:
    """The times of one measurement."""

    clock: str
    """``ACKNOWLEDGED``, ``VISIBLE`` or ``DELIVERED``."""
    fill: int
    """Entries in the table beforehand."""
    batch: int
    """Updates in each Write."""
    times: list[int]
    """Nanoseconds."""
    background: int = 0
    """Packets a second that the target forwarded meanwhile."""

    def percentile(self, percent: float) -> int | None:
        """By nearest rank; ``None`` if there are too few samples to tell it from the maximum."""
        # In tenths of a per cent: floats would put 99.9 % of 1000 beside the mark.
        permille, count = round(percent * 10), len(self.times)
        if permille > 500 and count * (1000 - permille) < 1000:
            return None
        rank = -(-count * permille // 1000)
        return sorted(self.times)[max(rank, 1) - 1]


def header(target: str, program: str) -> dict[str, Any]:
    """What a result needs to be compared with another."""
    commit = subprocess.run(
        # Root may measure in a working tree that is another's.
        ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, capture_output=True, text=True,
    )  # fmt: skip
    return {
        "commit": commit.stdout.strip() or "unknown",
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "compiler": settings(),
        "target": f"{program} at {target}" if program else target,
    }


class Report:
    """Collects series and says what goes on."""

    def __init__(self, head: dict[str, Any]) -> None:
        self.head = head
        self.series: list[Series] = []
        self.round_trips: list[int] = []
        """Of probes, in nanoseconds: the resolution of ``visible``."""
        for name, value in head.items():
            print(f"{name + ':':<10}{value}")

    def say(self, text: str) -> None:
        """Progress, for a person."""
        print(f"... {text}", file=sys.stderr, flush=True)

    def add(self, series: Series) -> None:
        """Take a measurement."""
        self.series.append(series)

    def table(self) -> str:
        """All results, times in milliseconds."""
        lines = [
            f"{'entries':>8} {'traffic':>8} {'batch':>6}  {'clock':<13} "
            f"{'p50 ms':>9} {'p99 ms':>9} {'p99.9 ms':>9} {'entries/s':>10} {'Writes':>7}"
        ]
        for one in self.series:
            cells = [_ms(one.percentile(percent)) for percent in PERCENTILES]
            median = one.percentile(50)
            rate = round(one.batch * 1e9 / median) if median and one.clock == ACKNOWLEDGED else "-"
            lines.append(
                f"{one.fill:>8} {one.background:>8} {one.batch:>6}  {one.clock:<13} "
                f"{cells[0]:>9} {cells[1]:>9} {cells[2]:>9} {rate:>10} {len(one.times):>7}"
            )
        lines.append("traffic: packets a second that the target forwarded meanwhile.")
        lines.append("acknowledged: Write returned.")
        if any(one.clock == DELIVERED for one in self.series):
            lines.append("delivered: a packet-out, sent then, came out of its interface.")
        if self.round_trips:
            trip = sorted(self.round_trips)[len(self.round_trips) // 2] / 1e6
            lines.append(
                "visible: the first probe that hit was half way; the resolution is a probe's round "
                f"trip, median {trip:.3f} ms."
            )
        else:
            lines.append(
                "visible: not measured; probes need an interface that leads into the target: "
                "--port-in INTERFACE --port PORT"
            )
        return "\n".join(lines)

    def write(self, directory: Path) -> None:
        """Print the table; write ``install.json``, ``install.txt`` and ``install.png``."""
        directory.mkdir(parents=True, exist_ok=True)
        head = "\n".join(f"{name + ':':<10}{value}" for name, value in self.head.items())
        print(self.table())
        (directory / "install.txt").write_text(f"{head}\n{self.table()}\n", encoding="utf-8")
        results = [
            {
                "clock": one.clock,
                "entries": one.fill,
                "background": one.background,
                "batch": one.batch,
                "samples": len(one.times),
                **{f"p{percent:g}_ns": one.percentile(percent) for percent in PERCENTILES},
                "times_ns": one.times,
            }
            for one in self.series
        ]
        document = {**self.head, "probe_round_trips_ns": self.round_trips, "results": results}
        (directory / "install.json").write_text(json.dumps(document), encoding="utf-8")
        self._plot(directory / "install.png")
        print(f"written: {directory}/install.json, install.txt, install.png")

    def _plot(self, path: Path) -> None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
        from matplotlib.ticker import StrMethodFormatter

        fills = sorted({one.fill for one in self.series})
        figure, axes = pyplot.subplots(
            1, len(fills), figsize=(5.5 * len(fills), 4.5), sharey=True, squeeze=False
        )
        colours = {ACKNOWLEDGED: "tab:blue", VISIBLE: "tab:orange", DELIVERED: "tab:green"}
        backgrounds = sorted({one.background for one in self.series})
        for axis, fill in zip(axes[0], fills, strict=True):
            for clock, colour in colours.items():
                for percent, background, style in (
                    (50.0, backgrounds[0], "o-"),
                    (99.0, backgrounds[0], "^--"),
                    *((50.0, more, "x:") for more in backgrounds[1:]),
                ):
                    points = [
                        (one.batch, value / 1e6)
                        for one in self.series
                        if (one.clock, one.fill, one.background) == (clock, fill, background)
                        if (value := one.percentile(percent)) is not None
                    ]
                    if points:
                        axis.plot(
                            *zip(*points, strict=True), style, color=colour,
                            label=f"{clock}, p{percent:g}"
                            + (f", {background:,} packets/s" if background else ""),
                        )  # fmt: skip
            axis.set(xscale="log", yscale="log", xlabel="entries a Write")
            axis.set_title(f"{fill:,} entries in the table")
            axis.set_xticks(batches := sorted({one.batch for one in self.series}))
            axis.set_xticklabels(f"{batch:,}" for batch in batches)
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
            axis.grid(True, which="both", alpha=0.3)
        axes[0][0].set_ylabel("milliseconds")
        figure.suptitle(f"Table installs: {self.head['target']}, {self.head['commit']}")
        # Below the axes, where it hides no point.
        lines, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="lower center", ncols=4, frameon=False)
        rows = -(-len(labels) // 4)
        figure.tight_layout(rect=(0, 0.02 + 0.055 * rows, 1, 1))
        figure.savefig(path, dpi=120)
        pyplot.close(figure)


def _ms(nanoseconds: int | None) -> str:
    return "-" if nanoseconds is None else f"{nanoseconds / 1e6:.3f}"
