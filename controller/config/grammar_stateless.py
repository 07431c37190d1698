"""The part of the grammar that is about single packets: filters, class of service, tracing."""

from __future__ import annotations

from controller.config.filter_values import (
    BANDWIDTH,
    BURST,
    DSCP,
    ICMP_TYPE,
    ICMPV6_TYPE,
    PCP,
    TCP_FLAGS_VALUE,
)
from controller.config.stateless import Distribution, LossPriority
from controller.config.tree import Node, container, flag, leaf, leaf_list, listed, refused
from controller.config.values import (
    INET6_PREFIX,
    INET_PREFIX,
    INTERFACE,
    LOGICAL_INTERFACE,
    NAME,
    PORTS,
    PREFIX,
    PROTOCOL,
    Value,
    number,
    one_of,
)

_LOSS = one_of(*(priority.word for priority in LossPriority))


def _filter(prefix: Value, protocol: str, dscp: str, icmp: Value, *more: Node) -> Node:
    return listed(
        "filter",
        NAME,
        listed(
            "term",
            NAME,
            container(
                "from",
                leaf_list("source-address", prefix),
                leaf_list("destination-address", prefix),
                leaf_list("address", prefix),
                leaf_list(protocol, PROTOCOL),
                leaf_list("source-port", PORTS),
                leaf_list("destination-port", PORTS),
                leaf_list("port", PORTS),
                leaf("tcp-flags", TCP_FLAGS_VALUE),
                flag("tcp-established"),
                flag("tcp-initial"),
                leaf_list(dscp, DSCP),
                leaf_list("icmp-type", icmp),
                leaf_list("icmp-code", number(0, 255, "ICMP code")),
                *more,
                refused("prefix-list"),
                refused("source-prefix-list"),
                refused("destination-prefix-list"),
                refused("packet-length"),
                refused("ttl"),
                refused("ip-options"),
            ),
            container(
                "then",
                flag("accept"),
                flag("discard"),
                flag("reject"),
                flag("log"),
                leaf("count", NAME),
                leaf("policer", NAME),
                container("three-color-policer", leaf("two-rate", NAME), refused("single-rate")),
                leaf("loss-priority", _LOSS),
                leaf("forwarding-class", NAME),
                refused("next"),
                refused("syslog"),
                refused("sample"),
                refused("routing-instance"),
                refused("port-mirror"),
            ),
        ),
        refused("interface-specific"),
    )


_FILTER_V4 = _filter(
    INET_PREFIX,
    "protocol",
    "dscp",
    ICMP_TYPE,
    flag("first-fragment"),
    flag("is-fragment"),
    refused("fragment-flags"),
    refused("fragment-offset"),
    refused("precedence"),
)
_FILTER_V6 = _filter(INET6_PREFIX, "next-header", "traffic-class", ICMPV6_TYPE)

FIREWALL = container(
    "firewall",
    container("family", container("inet", _FILTER_V4), container("inet6", _FILTER_V6)),
    listed(
        "policer",
        NAME,
        container(
            "if-exceeding",
            leaf("bandwidth-limit", BANDWIDTH),
            leaf("burst-size-limit", BURST),
            refused("bandwidth-percent"),
        ),
        container(
            "then",
            flag("discard"),
            leaf("loss-priority", one_of("medium-high", "high")),
            refused("forwarding-class"),
        ),
        refused("filter-specific"),
    ),
    listed(
        "three-color-policer",
        NAME,
        container(
            "two-rate",
            leaf("committed-information-rate", BANDWIDTH),
            leaf("committed-burst-size", BURST),
            leaf("peak-information-rate", BANDWIDTH),
            leaf("peak-burst-size", BURST),
            flag("color-blind"),
            refused("color-aware"),
        ),
        container(
            "action",
            container("loss-priority", container("high", container("then", flag("discard")))),
        ),
        refused("single-rate"),
    ),
    refused("filter"),
)


def _classes(last: Node) -> Node:
    return listed("forwarding-class", NAME, listed("loss-priority", _LOSS, last))


CLASS_OF_SERVICE = container(
    "class-of-service",
    container(
        "forwarding-classes",
        listed("queue", number(0, 7, "queue"), second=NAME),
        refused("class"),
    ),
    container(
        "classifiers",
        listed("dscp", NAME, _classes(leaf_list("code-points", DSCP)), refused("import")),
        listed("ieee-802.1", NAME, _classes(leaf_list("code-points", PCP)), refused("import")),
        refused("dscp-ipv6"),
        refused("inet-precedence"),
        refused("exp"),
    ),
    container(
        "rewrite-rules",
        listed("dscp", NAME, _classes(leaf("code-point", DSCP)), refused("import")),
        refused("dscp-ipv6"),
        refused("ieee-802.1"),
        refused("inet-precedence"),
    ),
    listed(
        "schedulers",
        NAME,
        leaf("shaping-rate", BANDWIDTH),
        leaf("burst-size", BURST),
        refused("transmit-rate"),
        refused("buffer-size"),
        refused("priority"),
    ),
    listed(
        "scheduler-maps",
        NAME,
        listed("forwarding-class", NAME, leaf("scheduler", NAME)),
    ),
    container(
        "interfaces",
        listed(
            "",
            INTERFACE,
            listed(
                "unit",
                number(0, 16385, "unit number"),
                container(
                    "classifiers",
                    leaf("dscp", NAME),
                    leaf("ieee-802.1", NAME),
                    refused("inet-precedence"),
                ),
                container("rewrite-rules", leaf("dscp", NAME), refused("ieee-802.1")),
                leaf("scheduler-map", NAME),
                refused("shaping-rate"),
                refused("forwarding-class"),
            ),
            refused("scheduler-map"),
            refused("shaping-rate"),
        ),
    ),
)

FILTER_ON_INTERFACE = container("filter", leaf("input", NAME), leaf("output", NAME))
"""Below ``family inet`` and ``family inet6`` of an interface's unit."""

TRACEOPTIONS = container(
    "traceoptions",
    leaf_list("flag", one_of("all", "basic-datapath", "packet-drops")),
    listed(
        "packet-filter",
        NAME,
        leaf("protocol", PROTOCOL),
        leaf("source-prefix", PREFIX),
        leaf("destination-prefix", PREFIX),
        leaf("source-port", number(1, 65535, "port")),
        leaf("destination-port", number(1, 65535, "port")),
        leaf("interface", LOGICAL_INTERFACE),
        refused("conn-tag"),
        refused("logical-system"),
    ),
    refused("file"),
    refused("rate-limit"),
    refused("trace-level"),
    refused("root-override"),
)

FORWARDING_PROCESS = container(
    "forwarding-process",
    container(
        "application-services",
        leaf("session-distribution-mode", one_of(*(mode.value for mode in Distribution))),
        refused("maximize-cp-sessions"),
        refused("maximize-alg-sessions"),
        refused("enable-gtpu-distribution"),
        refused("packet-ordering-mode"),
    ),
)
