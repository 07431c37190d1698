"""The configuration language: the subset of Junos that has an effect here, as data.

Names as in Juniper's published YANG models (https://github.com/Juniper/yang, junos-es).
A word of Junos that readers may expect and that has no effect yet is listed as ``refused``, so that
it is an error by name and never silently without effect.
"""

from __future__ import annotations

from controller.config import screens
from controller.config.build_aging import AGING
from controller.config.build_fragments import FRAGMENTS
from controller.config.build_tcp import FLOW_TCP, POLICY_TCP
from controller.config.grammar_nat import NAT
from controller.config.grammar_stateless import (
    CLASS_OF_SERVICE,
    FILTER_ON_INTERFACE,
    FIREWALL,
    FORWARDING_PROCESS,
    TRACEOPTIONS,
)
from controller.config.host_services import HostService
from controller.config.schema import QueueDepth
from controller.config.tree import (
    container,
    flag,
    leaf,
    leaf_list,
    listed,
    refused,
)
from controller.config.values import (
    ADDRESS,
    ALG,
    ICMP_TYPE,
    INET6_INTERFACE,
    INET6_PREFIX,
    INET_INTERFACE,
    INET_PREFIX,
    INSTANCE,
    INTERFACE,
    LOGICAL_INTERFACE,
    NAME,
    PORTS,
    PREFIX,
    PROTOCOL,
    TEXT,
    TIMEOUT,
    WILDCARD,
    ZONE_NAME,
    number,
    one_of,
)
from controller.config.white_lists import NAMED_WHITE_LIST

_SYSTEM = container(
    "system",
    leaf("host-name", NAME),
    *map(refused, ("domain-name", "license", "login", "name-server", "ntp", "ports", "processes",
                   "root-authentication", "services", "syslog", "time-zone")),
)  # fmt: skip

_INTERFACES = container(
    "interfaces",
    listed(
        "",
        INTERFACE,
        flag("vlan-tagging"),
        flag("disable"),
        leaf("mtu", number(256, 9216, "MTU")),
        leaf("description", TEXT),
        listed(
            "unit",
            number(0, 16385, "unit number"),
            leaf("description", TEXT),
            flag("disable"),
            leaf("vlan-id", number(1, 4094, "VLAN")),
            container(
                "family",
                container("inet", listed("address", INET_INTERFACE), FILTER_ON_INTERFACE),
                container("inet6", listed("address", INET6_INTERFACE), FILTER_ON_INTERFACE),
            ),
        ),
    ),
)

_ADDRESSES = (
    listed(
        "address",
        NAME,
        leaf("description", TEXT),
        listed("range-address", ADDRESS, leaf("to", ADDRESS)),
        leaf("wildcard-address", WILDCARD),
        refused("dns-name", "give the address, as a prefix"),
        second=PREFIX,
    ),
    listed(
        "address-set",
        NAME,
        leaf("description", TEXT),
        leaf_list("address", NAME),
        leaf_list("address-set", NAME),
    ),
)

_HOST_INBOUND = container(
    "host-inbound-traffic",
    listed("system-services", one_of(*(s.value for s in HostService)), flag("except")),
    refused("protocols"),
)

_ZONES = container(
    "zones",
    listed(
        "security-zone",
        ZONE_NAME,
        leaf("description", TEXT),
        listed("interfaces", LOGICAL_INTERFACE, _HOST_INBOUND),
        leaf("screen", NAME),
        _HOST_INBOUND,
        flag("tcp-rst"),
        container("address-book", *_ADDRESSES),
        refused("application-tracking"),
        refused("enable-reverse-reroute"),
        refused("unidirectional-session-refreshing"),
    ),
    refused("functional-zone"),
)

_SCREEN = container(
    "screen",
    listed(
        "ids-option",
        NAME,
        leaf("description", TEXT),
        *screens.grammar(),
        flag("alarm-without-drop"),
    ),
    NAMED_WHITE_LIST,
    refused("trap"),
)

_ADDRESS_BOOK = listed(
    "address-book",
    NAME,
    leaf("description", TEXT),
    *_ADDRESSES,
    container("attach", leaf_list("zone", ZONE_NAME)),
)

_MATCH = (
    leaf_list("source-address", NAME),
    leaf_list("destination-address", NAME),
    leaf_list("application", NAME),
    flag("source-address-excluded"),
    flag("destination-address-excluded"),
    refused("source-identity"),
    refused("dynamic-application"),
    refused("url-category"),
)
_THEN = container(
    "then",
    flag(
        "permit",
        flag("services-offload"),
        flag("no-services-offload"),
        refused("application-services"),
        refused("destination-address"),
        refused("firewall-authentication"),
        POLICY_TCP,
        refused("tunnel"),
    ),
    flag("deny"),
    flag("reject"),
    container("log", flag("session-init"), flag("session-close")),
    flag("count"),
)
_POLICY = listed(
    "policy",
    NAME,
    leaf("description", TEXT),
    container("match", *_MATCH),
    _THEN,
    refused("scheduler-name"),
)
_GLOBAL_POLICY = listed(
    "policy",
    NAME,
    leaf("description", TEXT),
    container("match", *_MATCH, leaf_list("from-zone", ZONE_NAME), leaf_list("to-zone", ZONE_NAME)),
    _THEN,
    refused("scheduler-name"),
)

_POLICIES = container(
    "policies",
    listed("from-zone", ZONE_NAME, listed("to-zone", ZONE_NAME, _POLICY)),
    container("global", _GLOBAL_POLICY),
    leaf("default-policy", one_of("deny-all", "permit-all")),
    flag("policy-rematch", flag("extensive")),
    container("policy-stats", leaf("system-wide", one_of("enable", "disable"))),
)

_TERM = (
    leaf("protocol", PROTOCOL),
    leaf("source-port", PORTS),
    leaf("destination-port", PORTS),
    leaf("icmp-type", ICMP_TYPE),
    leaf("icmp-code", number(0, 255, "ICMP code")),
    leaf("icmp6-type", ICMP_TYPE),
    leaf("icmp6-code", number(0, 255, "ICMPv6 code")),
    leaf("inactivity-timeout", TIMEOUT),
    refused("rpc-program-number"),
    refused("uuid"),
)
_APPLICATIONS = container(
    "applications",
    listed(
        "application",
        NAME,
        *_TERM,
        leaf("application-protocol", ALG),
        leaf("description", TEXT),
        listed("term", NAME, *_TERM, leaf("alg", ALG)),
    ),
    listed(
        "application-set",
        NAME,
        leaf("description", TEXT),
        leaf_list("application", NAME),
        leaf_list("application-set", NAME),
    ),
)

_ALG = container(
    "alg",
    *(
        container(word, flag("disable"), *map(refused, knobs))
        for word, knobs in {
            "dns": ("maximum-message-length", "oversize-message-drop", "doctoring"),
            "ftp": ("ftps-extension", "line-break-extension", "allow-mismatch-ip-address"),
            "h323": ("application-screen", "dscp-rewrite", "endpoint-registration-timeout",
                     "media-source-port-any"),
            "pptp": (),
            "rtsp": (),
            "sip": ("inactive-media-timeout", "maximum-call-duration", "application-screen",
                    "retain-hold-resource", "dscp-rewrite", "t1-interval", "t4-interval"),
            "tftp": (),
        }.items()
    ),
    container("ike-esp-nat", flag("enable"), refused("esp-gate-timeout"),
              refused("esp-session-timeout"), refused("state-timeout")),
    *map(refused, ("alg-manager", "alg-support-lib", "mgcp", "msrpc", "rsh", "sccp", "sql",
                   "sunrpc", "talk", "twamp", "traceoptions")),
)  # fmt: skip

_FLOW = container(
    "flow",
    flag("allow-dns-reply"),
    leaf("pending-sess-queue-length", one_of(*(depth.value for depth in QueueDepth))),
    leaf("route-change-timeout", number(6, 1800, "number of seconds")),
    AGING,
    *FRAGMENTS,
    leaf("syn-flood-protection-mode", one_of("syn-cookie", "syn-proxy")),
    *FLOW_TCP,
    TRACEOPTIONS,
    *map(refused, ("advanced-options", "allow-embedded-icmp", "allow-reverse-ecmp", "drop-flow",
                   "enable-reroute-uniform-link-check", "load-distribution",
                   "mcast-buffer-enhance", "nh-resolve-timeout", "packet-log",
                   "power-mode-disable", "power-mode-ipsec", "services-offload",
                   "strict-packet-order", "sync-icmp-session")),
)  # fmt: skip

_PREFERENCE = leaf("preference", number(0, (1 << 32) - 1, "preference"))
_ROUTE = (
    leaf_list("next-hop", ADDRESS),
    listed("qualified-next-hop", ADDRESS, _PREFERENCE),
    _PREFERENCE,
    flag("reject"),
    flag("discard"),
    leaf("next-table", NAME),
)
_ROUTING_OPTIONS = container(
    "routing-options",
    container("static", listed("route", INET_PREFIX, *_ROUTE)),
    listed("rib", NAME, container("static", listed("route", INET6_PREFIX, *_ROUTE))),
)
_ROUTING_INSTANCES = container(
    "routing-instances",
    listed(
        "",
        INSTANCE,
        leaf("description", TEXT),
        leaf("instance-type", one_of("virtual-router")),
        listed("interface", LOGICAL_INTERFACE),
        _ROUTING_OPTIONS,
        refused("protocols"),
    ),
)

_OFFLOAD = "remove the line; a policy offloads that says: then permit services-offload"

GRAMMAR = container(
    "",
    _SYSTEM,
    _INTERFACES,
    container("security", _ZONES, _SCREEN, _ADDRESS_BOOK, _POLICIES, NAT,
              _FLOW, _ALG, FORWARDING_PROCESS, refused("forwarding-options", _OFFLOAD),
              *map(refused, ("application-tracking", "gprs", "idp", "ike", "ipsec", "log", "pki",
                             "user-identification", "utm"))),
    _APPLICATIONS,
    _ROUTING_OPTIONS,
    FIREWALL,
    CLASS_OF_SERVICE,
    _ROUTING_INSTANCES,
    refused("chassis", "cards stand in chassis.toml"),
    *map(refused, ("access", "apply-groups", "event-options", "forwarding-options", "groups",
                   "logical-systems", "policy-options", "protocols", "schedulers", "services",
                   "snmp", "tenants", "version", "vlans")),
)  # fmt: skip
"""The root: what may follow ``set``."""
