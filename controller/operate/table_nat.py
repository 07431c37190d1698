"""Operational commands about NAT, as data."""

from __future__ import annotations

from controller.config.values import ADDRESS, NAME, number
from controller.operate import names, show_nat, show_nat_tables
from controller.operate.commands import Command, Names, Option

_SUMMARY = Option("summary", "Pools and rules in a line each (default)")


def _pool(known: Names) -> Option:
    return Option("pool", "A pool by its name, or all", NAME, names=known)


def _rule(known: Names) -> Option:
    return Option("rule", "A rule by its name, or all", NAME, names=known)


_PAIRED = Option("pool-name", "Only of this source pool", NAME, names=names.source_pools)
_BINDINGS = (
    Option("all", "All bindings (default)"),
    Option("internal-ip", "Only of this inside address", ADDRESS),
    Option("pool", "Only of this source pool", NAME, names=names.source_pools),
)

SHOW_NAT = Command(
    "nat",
    "Address translation",
    (
        Command(
            "source",
            "Source NAT",
            (
                Command(
                    "persistent-nat-table",
                    "Inside endpoints that keep their outside one",
                    options=(*_BINDINGS, Option("summary", "Counts only")),
                    run=show_nat_tables.persistent,
                ),
                Command(
                    "paired-address",
                    "Hosts that have an address of a pool",
                    options=(_PAIRED,),
                    run=show_nat_tables.paired,
                ),
            ),
            (_SUMMARY, _pool(names.all_source_pools), _rule(names.all_source_rules)),
            show_nat.source,
        ),
        Command(
            "destination",
            "Destination NAT",
            (),
            (_SUMMARY, _pool(names.all_destination_pools), _rule(names.all_destination_rules)),
            show_nat.destination,
        ),
        Command("static", "Static NAT", (), (_rule(names.all_static_rules),), show_nat.static),
        Command(
            "interface-nat-ports", "Ports of interfaces' addresses",
            run=show_nat_tables.interface_ports,
        ),
    ),
)  # fmt: skip

CLEAR_NAT = Command(
    "nat",
    "Address translation",
    (
        Command(
            "source",
            "Source NAT",
            (
                Command(
                    "persistent-nat-table",
                    "Bindings without sessions",
                    options=_BINDINGS,
                    run=show_nat_tables.clear_persistent,
                ),
            ),
        ),
        Command("statistics", "Count hits from zero again", run=show_nat_tables.clear_statistics),
    ),
)

REQUEST_SECURITY = Command(
    "security",
    "Address translation",
    (
        Command(
            "nat",
            "Address translation",
            (
                Command(
                    "allocation",
                    "Have allocation take time or fail, for labs (neither word: as usual)",
                    options=(
                        Option("delay", "Milliseconds that each takes", number(0, 60000)),
                        Option("refuse-every", "Refuse one in so many", number(0, 1000000)),
                    ),
                    run=show_nat_tables.inject,
                ),
            ),
        ),
    ),
)
