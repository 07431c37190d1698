"""What a configuration puts into the tables and meters of one NPU, sessions aside.

The order is that of writing: what an interface's entry leads to stands before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controller.config.cards import Chassis
from controller.config.distribution import buckets
from controller.config.schema import Configuration, Interface, ScreenProfile
from controller.config.stateless import (
    NO_FEATURES,
    Distribution,
    Filter,
    InterfaceFeatures,
    Term,
    TermMatch,
    TraceFilter,
)
from controller.npu.program_screens import MAIN_ROUTER, Match, Side, profile_of_side, screen_entries
from controller.npu.tables import Entry, Rate
from controller.reasons import Drop, FilterVerdict, Punt

_TOP_PRIORITY = 1 << 16

DEFAULT_PUNT_RATES: Mapping[Punt, int] = {
    Punt.ARP: 500,
    Punt.ND: 500,
    Punt.MISS: 10_000,
    Punt.SESSION: 40_000,
    Punt.TCP_CONTROL: 20_000,
    Punt.FRAGMENT: 2_000,
    Punt.ICMP_ERROR: 1_000,
    Punt.TTL_EXPIRED: 500,
    Punt.STALE: 5_000,
    Punt.SYN_PROXY: 1_500,
    Punt.FILTER_REJECT: 500,
    Punt.TRACE: 2_000,
}
"""Packets a second that an NPU hands to the controller, by reason; ours, no public page has any.
First packets get what the controller can set up; existing sessions have their own share. SYNs of a
flood are answered at leisure: what is beyond that comes again if it is a real client's."""

SYN_AGAIN_CELL = 255
SYN_AGAIN_RATE = 500
"""As in ``p4src/syn_again.p4``: SYNs a second that were refused and come again."""

_HASH_BASED = "session-distribution-mode hash-based"

BURST_MILLISECONDS = 250
"""How long a punt meter takes packets at any rate."""


def entries(
    configuration: Configuration, chassis: Chassis, npu: int, epoch: int, spus: bytes = b""
) -> Iterator[Entry]:
    """All table entries of an NPU. ``spus`` is the SPU of each bucket of hash-based distribution;
    empty: as if all were in service."""
    mine = _interfaces(configuration, npu)
    features = configuration.stateless.interfaces
    yield from _filters(configuration, [features.get(i.name, NO_FEATURES) for i in mine])
    yield from _classes(configuration)
    for trace in configuration.stateless.tracing.filters:
        yield from _trace(trace, configuration, npu)
    yield from _distribution(configuration, spus or initial_buckets(chassis))
    profiles = {i.zone: _profile(configuration, i.zone) for i in mine}
    yield from screen_entries(configuration, profiles)
    for interface in mine:
        yield from _interface(configuration, interface, profiles[interface.zone], epoch)


def rates(configuration: Configuration, chassis: Chassis, npu: int) -> Iterator[Rate]:
    """All meter cells of an NPU that are configured."""
    for reason, default in DEFAULT_PUNT_RATES.items():
        rate = chassis.punt_rates.get(reason, default)
        burst = max(1, rate * BURST_MILLISECONDS // 1000)
        purpose = f"punt_rates {reason.name.lower()}" if reason in chassis.punt_rates else ""
        yield Rate("punt_meter", reason, rate, burst, rate, burst, purpose)
    again = SYN_AGAIN_RATE
    yield Rate("punt_meter", SYN_AGAIN_CELL, again, again, again, again)
    stateless = configuration.stateless
    used = [
        stateless.interfaces[i.name]
        for i in _interfaces(configuration, npu)
        if i.name in stateless.interfaces
    ]
    for meter, output in (("policers", False), ("output_policers", True)):
        for each in _applied(stateless.filters, used, output):
            for term in each.terms:
                policer = term.policer
                if policer is not None:
                    purpose = f"policer {policer.name}"
                    yield Rate(
                        meter, term.policer_cell, policer.committed, policer.committed_burst,
                        policer.peak, policer.peak_burst, purpose,
                    )  # fmt: skip
    numbers = {features.shaper for features in used}
    for shaper in stateless.shapers:
        if shaper.number in numbers:
            for class_, (rate, burst) in shaper.rates.items():
                cell = shaper.number * 8 + class_
                yield Rate("shapers", cell, rate, burst, rate, burst, "shaping-rate")


def needs_copies(configuration: Configuration) -> str:
    """What of the configuration works by copies of packets; empty: nothing."""
    if configuration.stateless.tracing.filters:
        return "traceoptions"
    outputs = {
        number
        for features in configuration.stateless.interfaces.values()
        for number in (features.output_v4, features.output_v6)
    }
    for each in configuration.stateless.filters:
        for term in each.terms:
            if term.log:
                return f"'log' of filter {each.name}"
            if term.verdict is FilterVerdict.REJECT and each.number in outputs:
                return f"'reject' of output filter {each.name}"
    return ""


def _interfaces(configuration: Configuration, npu: int) -> list[Interface]:
    """Those that take packets. Without a zone, or disabled, an interface has no entry: what
    arrives on it is dropped as ``NO_INTERFACE``."""
    return [
        interface
        for interface in configuration.interfaces.values()
        if interface.port.npu == npu and interface.zone and interface.enabled
    ]


# -- interfaces -----------------------------------------------------------------------------------


def _profile(configuration: Configuration, zone: str) -> ScreenProfile | None:
    return configuration.screens.get(configuration.zones[zone].screen)


def _interface(
    configuration: Configuration, interface: Interface, profile: ScreenProfile | None, epoch: int
) -> Iterator[Entry]:
    """All tables of an interface."""
    key: Match = {"port": interface.port.port, "vlan": interface.vlan}
    zone = configuration.zones[interface.zone]
    stateless = configuration.stateless
    features = stateless.interfaces.get(interface.name, NO_FEATURES)
    traced = any(f.interface in ("", interface.name) for f in stateless.tracing.filters)
    inward = {
        "filter_v4": features.input_v4,
        "filter_v6": features.input_v6,
        "dscp_classifier": features.dscp_classifier,
        "pcp_classifier": features.pcp_classifier,
        "trace": int(traced),
    }
    outward = {
        "filter_v4": features.output_v4,
        "filter_v6": features.output_v6,
        "dscp_rewrite": features.dscp_rewrite,
        "shaper": features.shaper,
    }
    purpose = f"interface {interface.name}"
    for side, wanted in (("ingress", inward), ("egress", outward)):
        if any(wanted.values()):
            yield Entry(f"{side}_features", f"set_{side}_features", wanted, key, purpose=purpose)
    if profile is not None:
        purpose = f"ids-option {profile.name}"
    limit = 0 if profile is None else profile.thresholds.get(Drop.SCREEN_IPV6_EXTENSION_LIMIT, 0)
    common = {
        "zone": zone.id,
        "extension_limit": limit,
        "vr": configuration.routing_instances.get(interface.vr, MAIN_ROUTER),
    }
    ingress = {
        "token": interface.token,
        **common,
        **profile_of_side(profile, Side.INGRESS),
        "mac": int.from_bytes(interface.mac, "big"),
        "epoch": epoch,
        "features": int(any(inward.values())),
    }
    egress = {
        **common,
        **profile_of_side(profile, Side.EGRESS),
        "features": int(any(outward.values())),
    }
    yield Entry("egress_interface", "set_egress_interface", egress, key, purpose=purpose)
    yield Entry("ingress_interface", "set_ingress_interface", ingress, key, purpose=purpose)


# -- filters and class of service -----------------------------------------------------------------


def _applied(
    filters: Iterable[Filter], features: Iterable[InterfaceFeatures], output: bool
) -> list[Filter]:
    """The filters that interfaces have on one side."""
    numbers = set()
    for each in features:
        numbers |= {each.output_v4, each.output_v6} if output else {each.input_v4, each.input_v6}
    return [each for each in filters if each.number in numbers]


def _filters(configuration: Configuration, features: list[InterfaceFeatures]) -> Iterator[Entry]:
    for side, output in (("input", False), ("output", True)):
        for each in _applied(configuration.stateless.filters, features, output):
            for index, term in enumerate(each.terms):
                for match in term.matches:
                    yield Entry(
                        f"{side}_filter_v{each.version}",
                        f"{side}_filter_term",
                        _term(term),
                        {"filter": each.number, **_match(match, each.version)},
                        _TOP_PRIORITY - index,
                        f"filter {each.name}",
                    )


def _match(match: TermMatch, version: int) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {
        "src_port": (match.source_ports[0], match.source_ports[-1]),
        "dst_port": (match.destination_ports[0], match.destination_ports[-1]),
        "tcp_flags": match.tcp_flags,
        "icmp": match.icmp,
    }
    for name, prefix in (("src_addr", match.source), ("dst_addr", match.destination)):
        if prefix is not None:
            found[name] = _masked(int(prefix.network_address), prefix.prefixlen, version)
    if match.protocol is not None:
        found["protocol"] = (match.protocol, 0xFF)
    if match.fragment is not None:
        found["fragment"] = (match.fragment, 3)
    if match.dscp is not None:
        found["dscp"] = (match.dscp, 0x3F)
    return found


def _masked(address: int, length: int, version: int) -> tuple[int, int]:
    """An address prefix as value and mask."""
    width = 32 if version == 4 else 128
    return address, (1 << width) - (1 << (width - length))


def _term(term: Term) -> dict[str, int]:
    return {
        "verdict": term.verdict,
        "count": term.count,
        "policer": term.policer_cell,
        "policer_action": term.policer.action if term.policer is not None else 0,
        "set_class": int(term.forwarding_class is not None),
        "forwarding_class": term.forwarding_class or 0,
        "set_loss": int(term.loss_priority is not None),
        "loss_priority": term.loss_priority or 0,
        "log": int(term.log),
    }


def _classes(configuration: Configuration) -> Iterator[Entry]:
    stateless = configuration.stateless
    for classifier in stateless.dscp_classifiers:
        for code, (class_, loss) in classifier.classes.items():
            yield Entry(
                "dscp_classifier",
                "set_class",
                {"forwarding_class": class_, "loss_priority": loss},
                {"classifier": classifier.number, "dscp": code},
                purpose=f"classifier {classifier.name}",
            )
    for classifier in stateless.pcp_classifiers:
        for code, (class_, loss) in classifier.classes.items():
            for dei in (0, 1):
                # Three code point bits say nothing of the drop eligible indicator.
                yield Entry(
                    "pcp_classifier",
                    "set_class",
                    {"forwarding_class": class_, "loss_priority": loss},
                    {"classifier": classifier.number, "pcp": code, "dei": dei},
                    purpose=f"classifier {classifier.name}",
                )
    for rewrite in stateless.dscp_rewrites:
        for (class_, loss), code in rewrite.code_points.items():
            yield Entry(
                "dscp_rewrite",
                "set_dscp",
                {"dscp": code},
                {"rewrite": rewrite.number, "forwarding_class": class_, "loss_priority": loss},
                purpose=f"rewrite rule {rewrite.name}",
            )


# -- trace, distribution --------------------------------------------------------------------------


def _trace(trace: TraceFilter, configuration: Configuration, npu: int) -> Iterator[Entry]:
    match: dict[str, int | tuple[int, int]] = {}
    if trace.interface:
        port = configuration.interfaces[trace.interface].port
        if port.npu != npu:
            return
        match["port"] = (port.port, 0x1FF)
    if trace.protocol is not None:
        match["protocol"] = (trace.protocol, 0xFF)
    for name, value in (("src_port", trace.source_port), ("dst_port", trace.destination_port)):
        if value is not None:
            match[name] = (value, 0xFFFF)
    prefixes = {"src_addr": trace.source, "dst_addr": trace.destination}
    for version in (4, 6):
        found = {name: prefix for name, prefix in prefixes.items() if prefix is not None}
        if any(prefix.version != version for prefix in found.values()):
            continue
        for name, prefix in found.items():
            match[name] = _masked(int(prefix.network_address), prefix.prefixlen, version)
        priority = _TOP_PRIORITY - trace.number
        purpose = f"packet-filter {trace.name}"
        yield Entry(
            f"trace_v{version}", "trace", {"filter": trace.number}, dict(match), priority, purpose
        )


def _distribution(configuration: Configuration, spus: bytes) -> Iterator[Entry]:
    if configuration.stateless.distribution is Distribution.NORMAL:
        yield Entry("distribution", "normal")
        return
    for bucket, spu in enumerate(spus):
        yield bucket_entry(bucket, spu)
    yield Entry("distribution", "hash_based", purpose=_HASH_BASED)


def bucket_entry(bucket: int, spu: int) -> Entry:
    """A bucket of hash-based distribution."""
    return Entry("spu_bucket", "set_spu", {"spu": spu}, {"bucket": bucket}, purpose=_HASH_BASED)


def initial_buckets(chassis: Chassis) -> bytes:
    """The SPU of each bucket when all are in service."""
    return buckets({number: site.share for number, site in chassis.spus.items()})
