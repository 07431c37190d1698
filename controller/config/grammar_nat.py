"""The grammar of ``security nat``."""

from __future__ import annotations

from collections.abc import Iterable

from controller.config.nat import Reach
from controller.config.tree import Node, container, flag, leaf, leaf_list, listed, refused
from controller.config.values import (
    LOGICAL_INTERFACE,
    NAME,
    NAT_INSTANCE,
    PORT,
    PREFIX,
    PROTOCOL,
    TEXT,
    ZONE_NAME,
    number,
    one_of,
)


def _scope(word: str) -> Node:
    return container(
        word,
        leaf_list("zone", ZONE_NAME),
        leaf_list("interface", LOGICAL_INTERFACE),
        leaf_list("routing-instance", NAT_INSTANCE),
    )


def _ports(word: str) -> Node:
    return listed(word, PORT, leaf("to", PORT))


_THRESHOLDS = (
    leaf("raise-threshold", number(50, 100, "percentage")),
    leaf("clear-threshold", number(40, 100, "percentage")),
)
_IN_INSTANCE = leaf("routing-instance", NAT_INSTANCE)
_DESCRIPTION = leaf("description", TEXT)
_SOURCE_MATCH = (
    leaf_list("source-address", PREFIX),
    leaf_list("source-address-name", NAME),
    _ports("source-port"),
)
_DESTINATION_MATCH = (
    leaf_list("destination-address", PREFIX),
    leaf_list("destination-address-name", NAME),
    _ports("destination-port"),
)
_SERVICE_MATCH = (leaf_list("protocol", PROTOCOL), leaf_list("application", NAME))

_PERSISTENT = container(
    "persistent-nat",
    leaf("permit", one_of(*(reach.value for reach in Reach))),
    leaf("inactivity-timeout", number(60, 7200, "number of seconds")),
    leaf("max-session-number", number(8, 65536, "number of sessions")),
    refused("address-mapping"),
)


def _rule_set(scopes: Iterable[Node], match: Iterable[Node], action: str, *words: Node) -> Node:
    """Rules for a place; ``words`` are what may follow ``then ACTION``."""
    then = container("then", container(action, *words, refused("rule-session-count-alarm")))
    rule = listed("rule", NAME, _DESCRIPTION, container("match", *match), then)
    return listed("rule-set", NAME, _DESCRIPTION, *scopes, rule)


_SOURCE = container(
    "source",
    listed(
        "pool",
        NAME,
        _DESCRIPTION,
        listed("address", PREFIX, leaf("to", PREFIX)),
        leaf("host-address-base", PREFIX),
        container(
            "port",
            listed("range", PORT, leaf("to", PORT), refused("twin-port")),
            flag("no-translation"),
            leaf("port-overloading-factor", number(2, 32, "factor")),
            refused("block-allocation"),
            refused("deterministic"),
            refused("preserve-parity"),
            refused("preserve-range"),
        ),
        leaf("overflow-pool", NAME),
        leaf("address-pooling", one_of("paired", "no-paired")),
        container("pool-utilization-alarm", *_THRESHOLDS),
        _IN_INSTANCE,
        refused("address-shared"),
        refused("limit-ports-per-host"),
        refused("mapping-timeout"),
    ),
    flag("address-persistent"),
    container("pool-utilization-alarm", *_THRESHOLDS),
    container(
        "interface",
        container("port-overloading", flag("off")),
        leaf("port-overloading-factor", number(2, 32, "factor")),
    ),
    refused("port-randomization"),
    refused("pool-default-port-range"),
    refused("pool-default-twin-port-range"),
    refused("pool-distribution"),
    refused("port-round-robin"),
    refused("port-scaling-enlargement"),
    refused("session-persistence-scan"),
    refused("session-drop-hold-down"),
    _rule_set(
        (_scope("from"), _scope("to")),
        (*_SOURCE_MATCH, *_DESTINATION_MATCH, *_SERVICE_MATCH),
        "source-nat",
        flag("off"),
        flag("interface", _PERSISTENT),
        # ``pool NAME``, ``pool NAME persistent-nat ...``, ``pool persistent-nat ...``
        container("pool", _PERSISTENT, listed("", NAME, _PERSISTENT)),
    ),
)

_DESTINATION = container(
    "destination",
    listed(
        "pool",
        NAME,
        _DESCRIPTION,
        listed("address", PREFIX, leaf("to", PREFIX), leaf("port", PORT)),
        _IN_INSTANCE,
    ),
    _rule_set(
        (_scope("from"),),
        (*_SOURCE_MATCH, *_DESTINATION_MATCH, *_SERVICE_MATCH),
        "destination-nat",
        flag("off"),
        leaf("pool", NAME),
    ),
)

_STATIC = container(
    "static",
    _rule_set(
        (_scope("from"),),
        (*_SOURCE_MATCH, *_DESTINATION_MATCH),
        "static-nat",
        listed("prefix", PREFIX, listed("mapped-port", PORT, leaf("to", PORT)), _IN_INSTANCE),
        refused("prefix-name", "or say: prefix, and the prefix itself"),
        refused("inet", "IPv6 is not translated into IPv4, nor back"),
        listed("nptv6-prefix", PREFIX, _IN_INSTANCE),
        refused("nptv6-prefix-name", "or say: nptv6-prefix, and the prefix itself"),
    ),
)


def _proxy(word: str) -> Node:
    return container(
        word,
        listed("interface", LOGICAL_INTERFACE, listed("address", PREFIX, leaf("to", PREFIX))),
    )


NAT = container(
    "nat",
    _SOURCE,
    _DESTINATION,
    _STATIC,
    _proxy("proxy-arp"),
    _proxy("proxy-ndp"),
    refused("natv6v4", "IPv6 is not translated into IPv4, nor back"),
    refused("traceoptions"),
    refused("allow-overlapping-pools", "give each address to one pool"),
)
"""What may follow ``set security nat``."""
