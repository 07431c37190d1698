"""Operational commands that show what NPUs do to single packets, as data."""

from __future__ import annotations

from controller.config.values import NAME, number
from controller.operate import (
    names,
    show_firewall,
    show_flow,
    show_screen,
    show_syn_flood,
    show_trace,
)
from controller.operate.commands import Command, Option

_LAST = Option("last", "Only the newest ones", number(1, 4000))

SHOW_FLOW = (
    Command("statistics", "What arrived, and what became of it", run=show_flow.statistics),
    Command(
        "syn-flood-protection",
        "SYNs above the attack threshold, and what came of them",
        run=show_syn_flood.show,
    ),
    Command("status", "Modes of forwarding, tracing, distribution", run=show_flow.status),
    Command(
        "trace",
        "Packets that the packet filters of traceoptions find",
        options=(
            Option("packet-filter", "Only those of this filter", NAME, names=names.packet_filters),
            _LAST,
        ),
        run=show_trace.trace,
    ),
)

SHOW_PACKET_DROP = Command(
    "packet-drop",
    "Packets that were dropped",
    (
        Command(
            "records",
            "One line a packet: CP and SPUs all, NPUs those that are traced",
            options=(_LAST,),
            run=show_trace.drops,
        ),
    ),
)

SHOW_SCREEN = (
    Option("ids-option", "Screens of this ids-option", NAME, is_required=True, names=names.screens),
)
RUN_SCREEN = show_screen.ids_option

SHOW_FIREWALL = Command(
    "firewall",
    "Counters of firewall filters",
    (Command("log", "Packets that terms with 'log' matched", run=show_firewall.log),),
    (Option("filter", "Only this filter", NAME, names=names.filters),),
    show_firewall.show,
)

CLEAR_FLOW = (Command("statistics", "Count from zero again", run=show_flow.clear),)

CLEAR_FIREWALL = Command(
    "firewall",
    "Counters of firewall filters",
    (),
    (
        Option("filter", "Only this filter", NAME, names=names.filters),
        Option("all", "All filters (default)"),
    ),
    show_firewall.clear,
)
