"""What the parts of an SPU share: its tables, the time of the message in hand, and its answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from controller.config.cards import Chassis
from controller.config.nat import NatRule
from controller.config.schema import Configuration, Interface, Policy
from controller.flow import Address, FlowKey, Nanoseconds, Port, Wing, text
from controller.messages import (
    CP,
    OBSERVER,
    UNKNOWN_ORIGIN,
    Actor,
    Message,
    Origin,
    Outbound,
    PacketDropped,
    PacketIn,
    RanOut,
    Redirect,
    Role,
    Step,
    StepTaken,
    Transmit,
)
from controller.reasons import Drop, Punt, Send
from controller.routing.fib import Fib, Route, fib_of
from controller.spu.express import NotExpress
from controller.spu.nat import nat_tables
from controller.spu.policy import policy_table
from controller.spu.services import Services
from controller.spu.session import Pending, Queued, Session
from controller.timers import Timers

_FIRST = (Punt.MISS, Punt.SYN_PROXY)
_ASK_FOR_ORIGINS = frozenset(
    (
        Drop.SCREEN_SPOOFING,
        Drop.SCREEN_SYN_FLOOD_SOURCE,
        Drop.SCREEN_SYN_FLOOD_ATTACK,
        Drop.SCREEN_SYN_FLOOD_ALARM,
        Drop.SCREEN_IP_SWEEP,
        Drop.SCREEN_TCP_SWEEP,
        Drop.SCREEN_UDP_SWEEP,
        Drop.SCREEN_PORT_SCAN,
        Drop.SCREEN_UDP_PORT_SCAN,
    )
)

IDS_PER_SPU = 10_000_000
"""Session ids of an SPU are its number times this, plus a count from 1."""


def source_zones(config: Configuration) -> dict[int, int] | None:
    """Numbers of zones by token, if screens of the way out ask where packets come from."""
    used = {zone.screen for zone in config.zones.values()} - {""}
    asked = [config.screens[name] for name in used if config.screens[name].outward]
    if all(_ASK_FOR_ORIGINS.isdisjoint(profile.screens) for profile in asked):
        return None
    return {i.token: config.zones[i.zone].id for i in config.interfaces.values() if i.zone}


class NatCounts:
    """What an SPU counts of a NAT rule."""

    __slots__ = ("failed", "hits", "sessions", "successful")

    def __init__(self) -> None:
        self.hits = 0
        """Flows that the rule translated, or was to."""
        self.successful = 0
        """Those that became sessions."""
        self.failed = 0
        """Those that got no address or port."""
        self.sessions = 0
        """That stand."""


class Core:
    """The tables of one SPU and its way to speak."""

    __slots__ = (
        "_by_port",
        "_count",
        "_nat_addresses",
        "_policies_by_index",
        "_source_zones",
        "alg_timers",
        "by_key",
        "by_token",
        "config",
        "early_ageout",
        "express_counts",
        "failed_sessions",
        "fib",
        "hits",
        "ipv6_sessions",
        "least_mtu",
        "me",
        "nat",
        "nat_counts",
        "nat_serial",
        "neighbors",
        "now",
        "npus",
        "number",
        "out",
        "pending",
        "policies",
        "protected",
        "proxy_mss",
        "queue_limit",
        "services",
        "sessions",
        "statistics",
        "syn_timers",
        "timers",
        "trace",
        "unchecked",
    )

    def __init__(
        self, number: int, config: Configuration, fib: Fib, chassis: Chassis, trace: bool
    ) -> None:
        self.number = number
        self.me = Actor(Role.SPU, number)
        self.npus = {npu: Actor(Role.NPU, npu) for npu in chassis.npus}
        self.trace = trace
        self.pending: dict[FlowKey, Pending] = {}
        self.sessions: dict[int, Session] = {}
        self.ipv6_sessions = 0
        """How many of them are of IPv6."""
        self.failed_sessions = 0
        """Flows so far that were let in and got no session all the same."""
        self.by_key: dict[FlowKey, Session] = {}
        self.timers: Timers[int] = Timers()
        """By session id."""
        self.alg_timers: Timers[int] = Timers()
        """Likewise: when a gateway is to repeat what it owes."""
        self.syn_timers: Timers[int] = Timers()
        """Likewise: when a server is to be asked again."""
        self.hits: dict[int, int] = {}
        """By policy index: flows that the policy decided on."""
        self.statistics: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {}
        """By policy index: packets and bytes (forward, back) of sessions that ended."""
        self.nat_counts: defaultdict[int, NatCounts] = defaultdict(NatCounts)
        """By NAT rule id."""
        self.express_counts: Counter[NotExpress | None] = Counter()
        """Sessions by why they were not on Express Path; ``None``: they were."""
        self.early_ageout: Nanoseconds = 0
        """How long sessions may be idle while the session table is too full; 0: it is not."""
        self.now: Nanoseconds = 0
        self.out: list[Outbound] = []
        self._count = 0
        self.nat_serial = 0
        """Of the newest question for a translated address."""
        self.unchecked: set[FlowKey] = set()
        """Forward wings of sessions that are to be held against the configuration in force once
        they are installed."""
        self.configure(config, fib)

    def configure(self, config: Configuration, fib: Fib | None = None) -> None:
        """Everything that follows from the configuration alone."""
        self.config = config
        self._nat_addresses: dict[tuple[str, Address], Address] = {}
        self.neighbors: dict[tuple[str, Address], bytes] = {}
        """MAC addresses by interface and address, as long as the neighbour table says no more."""
        self._by_port = {(i.port, i.vlan): i for i in config.interfaces.values()}
        self.by_token = {(i.port, i.token): i for i in config.interfaces.values() if i.zone}
        self.least_mtu = min((i.mtu for i in config.interfaces.values()), default=0)
        """Packets that are no longer fit everywhere."""
        self._policies_by_index = {policy.index: policy for policy in config.policies}
        self.protected = {
            zone.name: profile
            for zone in config.zones.values()
            if (profile := config.screens.get(zone.screen)) is not None
            and profile.inward
            and Drop.SCREEN_SYN_FLOOD_ATTACK in profile.screens
        }
        """Zones whose SYNs are answered from here above the attack threshold."""
        announced = [p.tcp.reverse_mss for p in config.policies if p.tcp is not None]
        self.proxy_mss = min(
            (m for m in (config.tcp.mss, *announced) if m is not None), default=None
        )
        """The most that a SYN-ACK in a server's stead may announce: before its policy is known."""
        self.fib = fib_of(config) if fib is None else fib
        self.policies = policy_table(config)
        self.nat = nat_tables(config)
        self.services = Services(config)
        self._source_zones = source_zones(config)
        self.queue_limit = config.queue_depth.packets

    def policy(self, index: int) -> Policy | None:
        """A policy by its index."""
        return self._policies_by_index.get(index)

    def nat_address(self, route: Route) -> Address:
        """The egress interface's address in the subnet of the next hop. There is one: that subnet
        is why the route leads there. All its sessions share the object."""
        key = route.interface.name, route.next_hop
        found = self._nat_addresses.get(key)
        if found is None:
            found = route.interface.address_beside(route.next_hop)
            if found is None:
                raise LookupError(f"{text(route.next_hop)} is not on {route.interface.name}")
            self._nat_addresses[key] = found
        return found

    def interface(self, port: Port, vlan: int) -> Interface | None:
        """Where a frame with this tag came in."""
        return self._by_port.get((port, vlan))

    def begin_ids_behind(self, session_id: int) -> None:
        """New session ids follow on this one."""
        self._count = session_id % IDS_PER_SPU

    def new_session_id(self) -> int:
        """One that no session of this SPU has."""
        while True:
            self._count = self._count % (IDS_PER_SPU - 1) + 1
            session_id = self.number * IDS_PER_SPU + self._count
            if session_id not in self.sessions:
                return session_id

    def add_statistics(self, index: int, packets: Sequence[int], octets: Sequence[int]) -> None:
        """A session of a policy ended with these counters."""
        old = self.statistics.get(index, ((0, 0), (0, 0)))
        self.statistics[index] = (
            (old[0][0] + packets[0], old[0][1] + packets[1]),
            (old[1][0] + octets[0], old[1][1] + octets[1]),
        )

    def origin(self, message: PacketIn | None, wing: Wing) -> Origin:
        """What screens of the way out are to know of a packet of this wing; without a message it
        is one that the SPU made."""
        zones = self._source_zones
        if zones is None:
            return UNKNOWN_ORIGIN
        key = wing.key
        # A translated source stands for many, and its route leads anywhere.
        zone = zones.get(key.token, 0) if key.src == wing.translated.src else 0
        return Origin(zone, message is not None and message.reason in _FIRST)

    def begin_nat(self, *rules: NatRule | None) -> None:
        """A session that these rules translate stands."""
        for rule in rules:
            if rule is not None:
                counts = self.nat_counts[rule.id]
                counts.successful += 1
                counts.sessions += 1

    def end_nat(self, *rules: NatRule | None) -> None:
        """A session that these rules translated is gone."""
        for rule in rules:
            if rule is not None:
                self.nat_counts[rule.id].sessions -= 1

    def send(self, to: Actor, message: Message) -> None:
        """Address a message."""
        self.out.append((to, message))

    def forward(self, frame: bytes, message: PacketIn, wing: Wing) -> None:
        """Have a frame leave as packets of a wing do; ``message`` is what it came with."""
        port = wing.hop.port
        sent = Transmit(port, Send.EGRESS, frame, message.mark, self.origin(message, wing))
        self.out.append((self.npus[port.npu], sent))

    def to_cp(self, message: Message) -> None:
        """Address a message to the central point."""
        self.out.append((CP, message))

    def step(self, step: Step, flow: FlowKey, detail: str, session_id: int = 0) -> None:
        """Report a step of the walk. Callers whose detail takes work ask ``trace`` first."""
        if self.trace:
            taken = StepTaken(self.now, self.me, step, flow, detail, session_id)
            self.out.append((OBSERVER, taken))

    def tell_release(self, session: Session, queued: Queued) -> None:
        """Report that a packet that waited for its session leaves. Only asked with ``trace``."""
        port = session.wings[queued.direction].hop.port
        waited = f"after {(self.now - queued.message.at) / 1000:.0f} us"
        detail = f"NPU {port.npu} port {port.port}, {waited}"
        self.step(Step.RELEASE, session.wings[0].key, detail, session.id)

    def drop(self, reason: Drop, flow: FlowKey | None, detail: str) -> None:
        """Report a packet that goes no further."""
        dropped = PacketDropped(self.now, self.me, reason, flow, detail)
        self.out.append((OBSERVER, dropped))

    def ran_out(self, reason: Drop, flow: FlowKey, detail: str) -> None:
        """Report a want that cost no packet."""
        self.out.append((OBSERVER, RanOut(self.now, self.me, reason, flow, detail)))

    def redirect(self, queued: Queued) -> None:
        """Hand a packet back to the central point. Its interface may have changed its zone while it
        waited: then it is of that one."""
        message = queued.message
        interface = self.interface(message.port, queued.packet.vlan)
        if interface is not None and interface.token not in (0, message.token):
            message = replace(message, token=interface.token)
        flow = queued.packet.key(message.token)
        self.to_cp(Redirect(flow, self.number, message))
