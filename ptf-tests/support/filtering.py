"""Filters with their terms, for cases about what they do."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from controller.reasons import FilterVerdict
from support import base
from support.interfaces import TRUST, UNTRUST
from support.names import Match, Value

FILTER = 7
ACCEPT, DISCARD, REJECT = FilterVerdict.ACCEPT, FilterVerdict.DISCARD, FilterVerdict.REJECT
cells = count(1)
"""Counters and policers that no case has used."""


class FilterTest(base.NpuTest):
    """A case with one filter, bound where it says."""

    def term(
        self, side: str, priority: int, match: Mapping[str, Match], verdict: int, **params: int
    ) -> None:
        """A term of the filter, of both IP versions if it names no address."""
        values: dict[str, Value] = dict.fromkeys(
            (
                "count",
                "policer",
                "policer_action",
                "set_class",
                "forwarding_class",
                "set_loss",
                "loss_priority",
                "log",
            ),
            0,
        )
        values |= {"verdict": verdict, **params}
        versions = {4, 6}
        for name in ("src_addr", "dst_addr"):
            if name in match:
                wanted = match[name]
                value = wanted[0] if isinstance(wanted, tuple) else wanted
                assert isinstance(value, bytes)
                versions &= {4 if len(value) == 4 else 6}
        for version in sorted(versions):
            self.client.insert(
                f"{side}_filter_v{version}",
                {"filter": FILTER, **match},
                f"{side}_filter_term",
                values,
                priority=priority,
            )

    def input_filter(self) -> None:
        """Filter what arrives from trust."""
        self.ingress_features(TRUST, filter_v4=FILTER, filter_v6=FILTER)

    def output_filter(self) -> None:
        """Filter what leaves to untrust."""
        self.egress_features(UNTRUST, filter_v4=FILTER, filter_v6=FILTER)
