"""``show security flow statistics`` and ``status``: what arrived and what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from controller.config.schema import SECOND
from controller.config.stateless import Distribution
from controller.messages import Role
from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.operate.show_flow_settings import settings
from controller.reasons import Drop, Punt
from controller.spu.replies import RATE

FIRST_FABRIC_PORT = 200
CONTROLLER_PORT = 255
"""As in ``p4src/ids.p4``."""
_MACHINES = (Role.CP, Role.SPU)

_ARRAYS = ("arrived", "forwarded", "punts", "punts_refused", "drops", "egress_drops", "copies",
           "egress_copies")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """What one NPU counted, by cell."""

    arrived: Counter[int]
    forwarded: Counter[int]
    punts: Counter[int]
    punts_refused: Counter[int]
    drops: Counter[int]
    egress_drops: Counter[int]
    copies: Counter[int]
    egress_copies: Counter[int]

    def minus(self, earlier: Account) -> Account:
        """What came since."""
        return Account(
            *(
                Counter({cell: n - old[cell] for cell, n in now.items()})
                for now, old in ((getattr(self, name), getattr(earlier, name)) for name in _ARRAYS)
            )
        )

    def by_interfaces(self, counter: Mapping[int, int]) -> int:
        """Of a counter by port, what concerns interfaces."""
        return sum(n for port, n in counter.items() if port < FIRST_FABRIC_PORT)

    @property
    def dropped(self) -> int:
        """On either side."""
        return self.drops.total() + self.egress_drops.total()

    @property
    def express(self) -> int:
        """Packets that interfaces took in and that left without the controller."""
        from_within = self.drops[Drop.NO_EGRESS] + self.drops[Drop.BAD_FABRIC]
        fallen = self.drops.total() - from_within
        return max(0, self.by_interfaces(self.arrived) - self.punts.total() - fallen)

    @property
    def under_way(self) -> int:
        """What arrived and is not accounted for yet; 0 in a quiet moment."""
        gone = self.forwarded.total() + self.punts.total() + self.dropped
        return self.arrived.total() - gone


async def read(operator: Operator) -> dict[int, Account]:
    """The accounts of all NPUs, from the very beginning. Raises ``NpuError``."""

    async def one(number: int) -> Account:
        npu = operator.runtime.npus[number]
        arrays = [await npu.counters.read_array(alias) for alias in _ARRAYS]
        return Account(*(Counter({i: c.packets for i, c in cells.items()}) for cells in arrays))

    numbers = list(operator.runtime.npus)
    accounts = await asyncio.gather(*(one(number) for number in numbers))
    return dict(zip(numbers, accounts, strict=True))


async def statistics(operator: Operator, _: Options) -> str:
    """``show security flow statistics``: the sums of Junos, then each NPU's account."""
    accounts = await read(operator)
    for number, earlier in operator.account_baseline.items():
        accounts[number] = accounts[number].minus(earlier)
    every = accounts.values()
    runtime = operator.runtime
    machines = sum(n for (who, _), n in runtime.observer.drops.items() if who.role in _MACHINES)
    detours = [
        max(0, now - then)
        for now, then in zip(_detours(operator), operator.detour_baseline, strict=True)
    ]
    fragments = [spu.fragment_counts() for spu in runtime.spus.values()]
    replies = [spu.reply_counts() for spu in runtime.spus.values()]
    copied = sum(a.copies.total() + a.egress_copies.total() for a in every)
    lines = [
        f"    Current sessions: {sum(len(spu.sessions()) for spu in runtime.spus.values())}",
        f"    Packets received: {sum(a.by_interfaces(a.arrived) for a in every)}",
        f"    Packets transmitted: {sum(a.by_interfaces(a.forwarded) for a in every)}",
        f"    Packets forwarded/queued: {sum(a.punts.total() for a in every)}",
        f"    Packets copied: {copied}",
        f"    Packets dropped: {sum(a.dropped for a in every)}",
        f"    Packets dropped by CP and SPUs: {machines - operator.drop_baseline}",
        f"    Services-offload packets processed: {sum(a.express for a in every)}",
        f"    Fragment packets: {sum(a.punts[Punt.FRAGMENT] for a in every)}",
        "    Pre fragments generated: 0",
        f"    Post fragments generated: {sum(each.generated for each in fragments)}",
        f"    Packets to their SPU by the central point: {detours[0]}",
        f"    Packets handed back by SPUs: {detours[1]}",
        f"    Wings written again: {detours[2]}",
        f"    Datagrams reassembled: {sum(each.reassembled for each in fragments)}",
        f"    ICMP errors and resets sent by SPUs: {sum(sent for sent, _ in replies)}",
        f"    ICMP errors and resets held back, {RATE} a second: {sum(n for _, n in replies)}",
    ]
    heard = _heard(operator)
    for number, account in accounts.items():
        here = heard[number] - operator.heard_baseline[number]
        lines += ["", f"NPU {number}:", *_account(account, here)]
    return "\n".join(lines) + "\n"


def _detours(operator: Operator) -> tuple[int, int, int]:
    """Packets of sessions that did not find their SPU by themselves, and what came of it."""
    runtime = operator.runtime
    repairs = sum(spu.repairs for spu in runtime.spus.values())
    return *runtime.central_point.detours, repairs


def _heard(operator: Operator) -> Counter[int]:
    """Packets-in of each NPU since the controller's start."""
    return Counter({number: npu.packets_in for number, npu in operator.runtime.npus.items()})


def _account(account: Account, heard: int) -> list[str]:
    arrived, forwarded = account.arrived, account.forwarded
    interfaces, out = account.by_interfaces(arrived), account.by_interfaces(forwarded)
    controller = arrived[CONTROLLER_PORT]
    fabric = arrived.total() - interfaces - controller
    rows = [
        ("Arrived by interfaces", interfaces),
        ("Arrived by the fabric", fabric),
        ("Arrived from the controller", controller),
        ("Arrived, sum", arrived.total()),
        ("Forwarded by interfaces", out),
        ("Forwarded by the fabric", forwarded.total() - out),
        ("Punted", account.punts.total()),
        ("Punted and heard by the controller", heard),
        ("Dropped on the way in", account.drops.total()),
        ("Dropped on the way out", account.egress_drops.total()),
        ("Forwarded, punted and dropped, sum", arrived.total() - account.under_way),
        ("Under way", account.under_way),
    ]
    lines = [f"    {name:<36}{value:>12}" for name, value in rows]
    reasons = [r for r in Punt if account.punts[r] or account.punts_refused[r]]
    if reasons:
        lines.append(f"    {'Reason':<24}{'Punted':>12}{'Refused':>12}")
        lines += [
            f"    {reason.name:<24}{account.punts[reason]:>12}{account.punts_refused[reason]:>12}"
            for reason in reasons
        ]
    return lines


async def clear(operator: Operator, _: Options) -> str:
    """``clear security flow statistics``: count from here. The NPUs' own counters go on, so that
    nothing that is under way right now is lost from the sums. Raises ``NpuError``."""
    operator.account_baseline = await read(operator)
    operator.heard_baseline = _heard(operator)
    operator.detour_baseline = _detours(operator)
    drops = operator.runtime.observer.drops
    operator.drop_baseline = sum(n for (who, _), n in drops.items() if who.role in _MACHINES)
    for spu in operator.runtime.spus.values():
        spu.clear_counts()
    return ""


async def status(operator: Operator, _: Options) -> str:
    """``show security flow status``."""
    stateless = operator.runtime.configuration.stateless
    mode = stateless.distribution
    how = "Hash-based" if mode is Distribution.HASH_BASED else "Normal"
    tracing = stateless.tracing
    lines = [
        "  Flow forwarding mode:",
        "    Inet forwarding mode: flow based",
        "    Inet6 forwarding mode: flow based",
        "  Flow trace status",
        f"    Flow tracing status: {'on' if tracing.filters else 'off'}",
    ]
    lines += [f"    Packet filter: {each.name}" for each in tracing.filters]
    lines += settings(operator.runtime.configuration)
    aging = operator.runtime.configuration.aging
    if aging is not None:
        ageing = [str(n) for n, spu in operator.runtime.spus.items() if spu.is_ageing_early]
        lines += [
            "  Flow early ageing",
            f"    Watermarks: high {aging.high} %, low {aging.low} %",
            f"    Early ageout: {aging.early_ageout // SECOND} s",
            f"    Active on: {'SPU ' + ', '.join(ageing) if ageing else 'none'}",
        ]
    lines += ["  Flow session distribution", f"    Distribution mode: {how}"]
    return "\n".join(lines) + "\n"
