"""What NPUs do to single packets, out of the tree of statements: parts, and where they apply."""

from __future__ import annotations

from collections.abc import Mapping
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
    features = _FeaturesBuilder(root, problems, cos, firewall)
    by_interface = features.build(interfaces)
    mode = root.text(
        "security", "forwarding-process", "application-services", "session-distribution-mode"
    )
    return Stateless(
        interfaces=by_interface,
        filters=tuple(firewall.filters.values()),
        dscp_classifiers=tuple(cos.dscp_classifiers.values()),
        pcp_classifiers=tuple(cos.pcp_classifiers.values()),
        dscp_rewrites=tuple(cos.dscp_rewrites.values()),
        shapers=tuple(features.shapers),
        forwarding_classes=cos.forwarding_classes,
        tracing=_tracing(root, problems, interfaces),
        distribution=Distribution(mode) if mode is not None else Distribution.NORMAL,
    )


class _FeaturesBuilder:
    """What single interfaces have of what the configuration defines."""

    def __init__(
        self, root: Statement, problems: Problems, cos: CosBuilder, firewall: FirewallBuilder
    ) -> None:
        self._problems = problems
        self._cos = cos
        self._firewall = firewall
        self._units = _units(root, "interfaces")
        self._classes = _units(root, "class-of-service", "interfaces")
        self.shapers: list[Shaper] = []

    def build(self, interfaces: Mapping[str, Interface]) -> dict[str, InterfaceFeatures]:
        """The features of interfaces that have any."""
        for name, statement in self._classes.items():
            if name not in self._units:
                self._problems.undefined(statement.place, "interface", name, self._units)
        built = {
            name: InterfaceFeatures(**self._filters(name), **self._classification(name))
            for name in interfaces
        }
        return {name: features for name, features in built.items() if features != NO_FEATURES}

    def _filters(self, name: str) -> dict[str, int]:
        unit = self._units.get(name)
        numbers: dict[str, int] = {}
        if unit is None:
            return numbers
        for version, family in ((4, "inet"), (6, "inet6")):
            known = {key: each for (v, key), each in self._firewall.filters.items() if v == version}
            for side in ("input", "output"):
                words = unit.words("family", family, "filter", side)
                numbers[f"{side}_v{version}"] = self._find(f"{family} filter", words, known)
        return numbers

    def _classification(self, name: str) -> dict[str, int]:
        statement = self._classes.get(name)
        if statement is None:
            return {}
        cos = self._cos
        dscp, pcp = (statement.words("classifiers", kind) for kind in ("dscp", "ieee-802.1"))
        rewrite = statement.words("rewrite-rules", "dscp")
        return {
            "dscp_classifier": self._find("dscp classifier", dscp, cos.dscp_classifiers),
            "pcp_classifier": self._find("ieee-802.1 classifier", pcp, cos.pcp_classifiers),
            "dscp_rewrite": self._find("dscp rewrite rule", rewrite, cos.dscp_rewrites),
            "shaper": self._shaper(statement.words("scheduler-map")),
        }

    def _shaper(self, words: list[Word]) -> int:
        """One for this interface alone: each has meters of its own."""
        if not self._find("scheduler-map", words, self._cos.shapers):
            return 0
        if len(self.shapers) == MAX_SHAPED:
            text = f"more than {MAX_SHAPED} interfaces with a scheduler-map"
            self._problems.add(words[0].place, text)
            return 0
        number = len(self.shapers) + 1
        self.shapers.append(Shaper(number, self._cos.shapers[words[0].text].rates))
        return number

    def _find(self, what: str, words: list[Word], known: Mapping[str, _Numbered]) -> int:
        if not words:
            return 0
        if words[0].text not in known:
            self._problems.undefined(words[0].place, what, words[0].text, known)
            return 0
        return known[words[0].text].number


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
