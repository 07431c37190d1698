"""What the parts of an SPU share: its tables, the time of the message in hand, and its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from controller.config.schema import Chassis, Configuration, Interface, Policy
from controller.flow import FlowKey, Nanoseconds, Port
from controller.messages import (
    CP,
    OBSERVER,
    Actor,
    Message,
    Outbound,
    PacketDropped,
    Redirect,
    Role,
    Step,
    StepTaken,
)
from controller.reasons import Drop
from controller.routing.fib import Fib, fib_of
from controller.spu.express import NotExpress
from controller.spu.policy import SourceNatTable, policy_table
from controller.spu.services import Services
from controller.spu.session import Pending, Queued, Session
from controller.timers import Timers

IDS_PER_SPU = 10_000_000
"""Session ids of an SPU are its number times this, plus a count from 1."""


class Core:
    """The tables of one SPU and its way to speak."""

    __slots__ = (
        "_by_port",
        "_count",
        "_policies_by_index",
        "alg_timers",
        "by_key",
        "by_token",
        "config",
        "early_ageout",
        "express_counts",
        "fib",
        "hits",
        "least_mtu",
        "me",
        "nat_rules",
        "now",
        "npus",
        "number",
        "out",
        "pending",
        "policies",
        "protected",
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
        self.express_counts: Counter[NotExpress | None] = Counter()
        """Sessions by why they were not on Express Path; ``None``: they were."""
        self.early_ageout: Nanoseconds = 0
        """How long sessions may be idle while the session table is too full; 0: it is not."""
        self.now: Nanoseconds = 0
        self.out: list[Outbound] = []
        self._count = 0
        self.unchecked: set[FlowKey] = set()
        """Forward wings of sessions that are to be held against the configuration in force once
        they are installed."""
        self.configure(config, fib)

    def configure(self, config: Configuration, fib: Fib | None = None) -> None:
        """Everything that follows from the configuration alone."""
        self.config = config
        self._by_port = {(i.port, i.vlan): i for i in config.interfaces.values()}
        self.by_token = {(i.port, i.token): i for i in config.interfaces.values() if i.zone}
        self.least_mtu = min((i.mtu for i in config.interfaces.values()), default=0)
        """Packets that are no longer fit everywhere."""
        self._policies_by_index = {policy.index: policy for policy in config.policies}
        self.protected = {
            zone.name: profile
            for zone in config.zones.values()
            if (profile := config.screens.get(zone.screen)) is not None
            and Drop.SCREEN_SYN_FLOOD_ATTACK in profile.screens
        }
        """Zones whose SYNs are answered from here above the attack threshold."""
        self.fib = fib_of(config) if fib is None else fib
        self.policies = policy_table(config)
        self.nat_rules = SourceNatTable(config)
        self.services = Services(config)
        self.queue_limit = config.queue_depth.packets

    def policy(self, index: int) -> Policy | None:
        """A policy by its index."""
        return self._policies_by_index.get(index)

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

    def send(self, to: Actor, message: Message) -> None:
        """Address a message."""
        self.out.append(Outbound(to, message))

    def to_cp(self, message: Message) -> None:
        """Address a message to the central point."""
        self.out.append(Outbound(CP, message))

    def step(self, step: Step, flow: FlowKey, detail: str, session_id: int = 0) -> None:
        """Report a step of the walk. Callers whose detail takes work ask ``trace`` first."""
        if self.trace:
            taken = StepTaken(self.now, self.me, step, flow, detail, session_id)
            self.out.append(Outbound(OBSERVER, taken))

    def drop(self, reason: Drop, flow: FlowKey | None, detail: str) -> None:
        """Report a packet that goes no further."""
        dropped = PacketDropped(self.now, self.me, reason, flow, detail)
        self.out.append(Outbound(OBSERVER, dropped))

    def redirect(self, queued: Queued) -> None:
        """Hand a packet back to the central point."""
        message = queued.message
        flow = queued.packet.key(message.token)
        self.to_cp(Redirect(flow, self.number, message))
