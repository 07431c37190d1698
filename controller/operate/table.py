"""All operational commands, as data."""

from __future__ import annotations

from controller.config.values import ADDRESS, NAME, PROTOCOL, TEXT, ZONE_NAME, number
from controller.operate import (
    names,
    request_configuration,
    show_closed,
    show_cp,
    show_gate,
    show_interfaces,
    show_np_cache,
    show_policies,
    show_route,
    show_screen,
    show_session,
    show_walk,
    show_zones,
    table_chassis,
    table_data_plane,
    table_nat,
)
from controller.operate.commands import Command, Option
from controller.operate.session_filter import (
    FILTERS,
    FLOW_FILTERS,
    GATE_FILTERS,
    PORT,
    SESSION_IDENTIFIER,
)

_ZONES = (
    Option("from-zone", "Only policies from this zone", ZONE_NAME, names=names.zones),
    Option("to-zone", "Only policies to this zone", ZONE_NAME, names=names.zones),
)
_COUNT = number(0, (1 << 63) - 1, "count")
_HIT_COUNT = (
    *_ZONES,
    Option("ascending", "Fewest hits first"),
    Option("descending", "Most hits first"),
    Option("less-than", "Only those with fewer hits", _COUNT),
    Option("greater-than", "Only those with more hits", _COUNT),
    Option("unused", "Only those without hits"),
)
_MATCH = (
    Option(
        "from-zone", "Zone that the flow comes from", ZONE_NAME, is_required=True, names=names.zones
    ),
    Option("to-zone", "Zone that it goes to", ZONE_NAME, is_required=True, names=names.zones),
    Option("source-ip", "Its source, before translation", ADDRESS, is_required=True),
    Option("destination-ip", "Its destination, after translation", ADDRESS, is_required=True),
    Option("source-port", "Its source port", PORT, is_required=True),
    Option("destination-port", "Its destination port", PORT, is_required=True),
    Option("protocol", "IP protocol by name or number", PROTOCOL, is_required=True),
    Option("result-count", "How many policies to show (default 1)", number(1, 16)),
)
_WALK_FILTERS = (*FLOW_FILTERS, SESSION_IDENTIFIER)
_LEVELS = (
    Option("brief", "One line a wing (default)"),
    Option("extensive", "Everything that is known"),
    Option("summary", "Counts only"),
)

_FLOW = Command(
    "flow",
    "Sessions and the packets that make them",
    (
        Command("session", "Sessions of all SPUs", (), (*FILTERS, *_LEVELS), show_session.show),
        Command(
            "cp-session",
            "The central point's global table",
            (),
            (
                *FLOW_FILTERS,
                Option("terse", "Sessions (default)"),
                Option("summary", "Counts only"),
            ),
            show_cp.show,
        ),
        Command(
            "gate",
            "Flows that control sessions announced",
            (),
            (
                *GATE_FILTERS,
                Option("brief", "Gates (default)"),
                Option("summary", "Counts only"),
            ),
            show_gate.show,
        ),
        Command(
            "walk",
            "First packets, step by step",
            (),
            (*_WALK_FILTERS, Option("last", "Only the newest ones", number(1, 2000))),
            show_walk.walks,
        ),
        Command("closed", "Sessions that ended, by reason", run=show_closed.closed),
        Command("drops", "Packets that went no further, by place and reason", run=show_walk.drops),
        *table_data_plane.SHOW_FLOW,
    ),
)

_SHOW = Command(
    "show",
    "Look at something",
    (
        Command(
            "security",
            "Sessions, policies, screens",
            (
                _FLOW,
                Command(
                    "alg",
                    "Application layer gateways",
                    (Command("status", "Which are switched on", run=show_gate.status),),
                ),
                Command(
                    "np-cache",
                    "Session tables of the NPUs",
                    (
                        Command("summary", "Wings and room", run=show_np_cache.summary),
                        Command(
                            "reasons",
                            "Why sessions are not on Express Path",
                            run=show_np_cache.reasons,
                        ),
                    ),
                ),
                Command(
                    "policies",
                    "Policies between zones",
                    (
                        Command(
                            "hit-count",
                            "Flows that each policy decided on",
                            options=_HIT_COUNT,
                            run=show_policies.hit_count,
                        ),
                    ),
                    (
                        *_ZONES,
                        Option("global", "Only global policies"),
                        Option(
                            "policy-name", "Only policies of this name", NAME, names=names.policies
                        ),
                        Option("detail", "All that is configured, and what is counted"),
                    ),
                    show_policies.show,
                ),
                Command(
                    "shadow-policies",
                    "Policies that never decide on anything",
                    options=_ZONES,
                    run=show_policies.shadow,
                ),
                Command(
                    "match-policies",
                    "Policies that would decide on a flow",
                    options=_MATCH,
                    run=show_policies.match,
                ),
                Command(
                    "screen",
                    "Screens",
                    (
                        Command(
                            "statistics",
                            "What the screens of a zone found",
                            options=(
                                Option(
                                    "zone",
                                    "The zone",
                                    ZONE_NAME,
                                    is_required=True,
                                    names=names.zones,
                                ),
                            ),
                            run=show_screen.show,
                        ),
                    ),
                    table_data_plane.SHOW_SCREEN,
                    table_data_plane.RUN_SCREEN,
                ),
                Command(
                    "zones",
                    "Zones, their interfaces, and what they let in",
                    options=(
                        Option(
                            "zone", "Only this zone", ZONE_NAME, is_bare=True, names=names.zones
                        ),
                    ),
                    run=show_zones.show,
                ),
                table_data_plane.SHOW_PACKET_DROP,
                table_nat.SHOW_NAT,
                table_chassis.SHOW_MONITORING,
            ),
        ),
        table_chassis.SHOW_CHASSIS,
        table_data_plane.SHOW_FIREWALL,
        Command(
            "interfaces",
            "Interfaces",
            (Command("terse", "One line an address", run=show_interfaces.terse),),
        ),
        Command(
            "route",
            "Forwarding tables",
            options=(
                Option(
                    "table", "Only this table, such as inet.0", NAME, names=names.routing_tables
                ),
                Option("destination", "Only the route of this address", ADDRESS, is_bare=True),
            ),
            run=show_route.show,
        ),
        Command("arp", "IPv4 neighbours", run=show_interfaces.arp),
        Command(
            "ipv6",
            "IPv6",
            (Command("neighbors", "IPv6 neighbours", run=show_interfaces.ipv6_neighbors),),
        ),
    ),
)

_CLEAR = Command(
    "clear",
    "End or reset something",
    (
        table_data_plane.CLEAR_FIREWALL,
        Command(
            "security",
            "Sessions, policies, screens",
            (
                Command(
                    "flow",
                    "Sessions",
                    (
                        Command(
                            "session",
                            "End sessions",
                            options=(Option("all", "All sessions (default)"), *FILTERS),
                            run=show_session.clear,
                        ),
                        *table_data_plane.CLEAR_FLOW,
                    ),
                ),
                table_nat.CLEAR_NAT,
                Command(
                    "policies",
                    "Policies",
                    (
                        Command(
                            "hit-count", "Count from zero again", run=show_policies.clear_hit_count
                        ),
                        Command(
                            "statistics",
                            "Count packets and bytes from zero again",
                            run=show_policies.clear_statistics,
                        ),
                    ),
                ),
                Command(
                    "screen",
                    "Screens",
                    (
                        Command(
                            "statistics",
                            "Count from zero again",
                            options=(
                                Option("zone", "Only this zone", ZONE_NAME, names=names.zones),
                            ),
                            run=show_screen.clear,
                        ),
                    ),
                ),
            ),
        ),
    ),
)

_REQUEST = Command(
    "request",
    "Have something done",
    (
        Command(
            "configuration",
            "The configuration in force",
            options=(Option("load", "Put this file into force", TEXT, is_required=True),),
            run=request_configuration.load_file,
        ),
        table_chassis.REQUEST_CHASSIS,
        table_nat.REQUEST_SECURITY,
    ),
)

ROOT = Command("", "", (_SHOW, _CLEAR, _REQUEST))
"""What may be typed at the prompt."""
