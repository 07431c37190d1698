"""What NPUs do to single packets, out of the tree of statements: parts, and where they apply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Protocol

from controller.config.build_cos import CosBuilder
from controller.config.build_firewall import FirewallBuilder
from controller.config.problems import Problems
from controller.config.schema import Interface
from controller.config.set_lines import Word
from controller.config.stateless import (
    NO_FEATURES,
    NO_TRACING,
    Distribution,
    InterfaceFeatures,
    Shaper,
    Stateless,
    TraceFilter,
    Tracing,
)
from controller.config.tree import Statement
from controller.config.values import protocol_number

MAX_SHAPED = 255
"""Interfaces with a scheduler map: each has shapers of its own."""
MAX_TRACE_FILTERS = 255


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...


def build_stateless(
    root: Statement, problems: Problems, interfaces: Mapping[str, Interface]
) -> Stateless:
    """All of it, names resolved."""
    cos = CosBuilder(root, problems)
    cos.build()
    firewall = FirewallBuilder(root, problems, cos.forwarding_classes)
    firewall.build()
    shapers: list[Shaper] = []
    features = dict(_features(root, problems, interfaces, cos, firewall, shapers))
    mode = root.text(
        "security", "forwarding-process", "application-services", "session-distribution-mode"
    )
    return Stateless(
        interfaces=features,
        filters=tuple(firewall.filters.values()),
        dscp_classifiers=tuple(cos.dscp_classifiers.values()),
        pcp_classifiers=tuple(cos.pcp_classifiers.values()),
        dscp_rewrites=tuple(cos.dscp_rewrites.values()),
        shapers=tuple(shapers),
        forwarding_classes=cos.forwarding_classes,
        tracing=_tracing(root, problems, interfaces),
        distribution=Distribution(mode) if mode is not None else Distribution.NORMAL,
    )


def _features(
    root: Statement,
    problems: Problems,
    interfaces: Mapping[str, Interface],
    cos: CosBuilder,
    firewall: FirewallBuilder,
    shapers: list[Shaper],
) -> Iterator[tuple[str, InterfaceFeatures]]:
    units = _units(root, "interfaces")
    classes = _units(root, "class-of-service", "interfaces")
    for name, statement in classes.items():
        if name not in units:
            problems.undefined(statement.place, "interface", name, units)

    def find(what: str, words: list[Word], known: Mapping[str, _Numbered]) -> int:
        if not words:
            return 0
        if words[0].text not in known:
            problems.undefined(words[0].place, what, words[0].text, known)
            return 0
        return known[words[0].text].number

    for name in interfaces:
        unit, class_ = units.get(name), classes.get(name)
        numbers = {}
        for version, family in ((4, "inet"), (6, "inet6")):
            known = {key: each for (v, key), each in firewall.filters.items() if v == version}
            for side in ("input", "output"):
                words = unit.words("family", family, "filter", side) if unit is not None else []
                numbers[f"{side}_v{version}"] = find(f"{family} filter", words, known)
        if class_ is not None:
            for field, words, what, named in (
                ("dscp_classifier", class_.words("classifiers", "dscp"), "dscp classifier",
                 cos.dscp_classifiers),
                ("pcp_classifier", class_.words("classifiers", "ieee-802.1"),
                 "ieee-802.1 classifier", cos.pcp_classifiers),
                ("dscp_rewrite", class_.words("rewrite-rules", "dscp"), "dscp rewrite rule",
                 cos.dscp_rewrites),
            ):  # fmt: skip
                numbers[field] = find(what, words, named)
            scheduled = class_.words("scheduler-map")
            if find("scheduler-map", scheduled, cos.shapers):
                if len(shapers) == MAX_SHAPED:
                    text = f"more than {MAX_SHAPED} interfaces with a scheduler-map"
                    problems.add(scheduled[0].place, text)
                    continue
                # Each interface has meters of its own.
                rates = cos.shapers[scheduled[0].text].rates
                shapers.append(Shaper(len(shapers) + 1, rates))
                numbers["shaper"] = len(shapers)
        features = InterfaceFeatures(**numbers)
        if features != NO_FEATURES:
            yield name, features


def _units(root: Statement, *words: str) -> dict[str, Statement]:
    return {
        f"{parent.key}.{unit.key}": unit
        for parent in root.each(*words, "")
        for unit in parent.each("unit")
    }


def _tracing(root: Statement, problems: Problems, interfaces: Mapping[str, Interface]) -> Tracing:
    options = root.get("security", "flow", "traceoptions")
    if options is None:
        return NO_TRACING
    flags = {word.text for word in options.words("flag")}
    filters = []
    for number, statement in enumerate(options.each("packet-filter"), start=1):
        if number > MAX_TRACE_FILTERS:
            problems.add(statement.place, f"more than {MAX_TRACE_FILTERS} packet filters")
            break
        words = statement.words("interface")
        if words and words[0].text not in interfaces:
            problems.undefined(words[0].place, "interface", words[0].text, interfaces)
            continue
        prefixes = {}
        for name in ("source", "destination"):
            text = statement.text(f"{name}-prefix")
            prefixes[name] = ip_network(text, strict=False) if text is not None else None
        source, destination = prefixes["source"], prefixes["destination"]
        versions = {p.version for p in (source, destination) if p is not None}
        if len(versions) > 1:
            text = f"packet-filter {statement.key}: one prefix is IPv4, the other IPv6"
            problems.add(statement.place, text)
        protocol = statement.text("protocol")
        ports = [statement.text(f"{side}-port") for side in ("source", "destination")]
        filters.append(
            TraceFilter(
                statement.key,
                number,
                words[0].text if words else "",
                source,
                destination,
                None if protocol is None else protocol_number(protocol),
                *(None if port is None else int(port) for port in ports),
            )
        )
    if flags and not filters:
        text = "traceoptions without a packet-filter: every packet would be traced; say which, for "
        problems.add(options.place, text + "example: packet-filter p1 destination-port 80")
    if filters and not flags:
        text = "traceoptions without a flag trace nothing; add: flag basic-datapath"
        problems.add(options.place, text)
    return Tracing(tuple(filters), flags == {"packet-drops"})
