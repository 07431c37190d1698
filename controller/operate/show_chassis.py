"""``show chassis spu``, ``show chassis alarms`` and ``request chassis spu``."""

from __future__ import annotations

from controller.config.stateless import Distribution
from controller.messages import Role, SpuState
from controller.operate.commands import CommandError, Options
from controller.operate.copies import Copies
from controller.operate.exhaustion import EXHAUSTIONS
from controller.operate.operator import Operator
from controller.operate.show_nat import alarms as nat_alarms
from controller.spu_bay import Place


async def spus(operator: Operator, _: Options) -> str:
    """``show chassis spu``: our own layout; states in the words of ``show chassis fpc``."""
    runtime = operator.runtime
    central_point = runtime.central_point
    counts = central_point.counts()
    sites = runtime.chassis.spus
    head = f"{'Slot':<12}{'SPU':>4} {'Mode':<6}{'State':<10}{'Share':>6}{'Sessions':>10}{'IPv6':>9}"
    lines = [f"{head}{'Maximum':>10}{'Lost':>9}  Reason"]
    members = central_point.members()
    weights = {n: site.share for n, site in sites.items() if members[n].state is SpuState.ONLINE}
    total = sum(weights.values())
    for number, slot in operator.slots.items():
        member, site = members[number], sites[number]
        share = f"{100 * weights[number] / total:.1f}%" if number in weights else "0%"
        state = member.state.value
        why = member.why
        if member.state is SpuState.OFFLINE and runtime.bay.place(number) is Place.FAILED:
            why += " (comes back by itself)"
        lines.append(
            f"{slot:<12}{number:>4} {'combo' if site.is_combo else 'flow':<6}{state:<10}"
            f"{share:>6}{counts.by_spu[number]:>10}{counts.ipv6_by_spu[number]:>9}"
            f"{site.max_sessions:>10}{member.lost:>9}  {why}".rstrip()
        )
    by_hash = runtime.configuration.stateless.distribution is Distribution.HASH_BASED
    balancing = "by hash" if by_hash else runtime.chassis.cp.balancing.value
    lines.append(f"Balancing: {balancing}")
    sessions, ipv6 = sum(counts.by_spu.values()), sum(counts.ipv6_by_spu.values())
    lines.append(f"Chassis sessions: {sessions}, maximum: {counts.maximum}")
    lines.append(f"Room taken: {sessions + ipv6} of {counts.maximum}; IPv6 sessions count twice")
    return "\n".join(lines) + "\n"


async def alarms(operator: Operator, _: Options) -> str:
    """``show chassis alarms``: Junos; what ran out in the last minute, SPUs that are out, and pools
    of source NAT that run low."""
    runtime = operator.runtime
    copies = Copies(operator)
    rows = []
    for number, member in runtime.central_point.members().items():
        if member.state in (SpuState.CLEARING, SpuState.OFFLINE):
            what = f"{operator.slots[number]} SPU {number} {member.state.value}: {member.why}"
            rows.append((member.since, "Major", what))
    for shortage in operator.system_log.alarms(runtime.clock()):
        who = shortage.who
        where = operator.slots[who.number] if who.role is Role.SPU else str(who)
        rows.append((shortage.since, "Minor", f"{where} {EXHAUSTIONS[shortage.reason]}"))
    rows += [(at, "Minor", what) for at, what in nat_alarms(operator)]
    if not rows:
        return "No alarms currently active\n"
    lines = [f"{len(rows)} alarms currently active", f"{'Alarm time':<24}{'Class':<7}Description"]
    for at, class_, what in sorted(rows):
        lines.append(f"{copies.time(at):%Y-%m-%d %H:%M:%S}     {class_:<7}{what}")
    return "\n".join(lines) + "\n"


async def request_spu(operator: Operator, options: Options) -> str:
    """``request chassis spu N offline | drain | online``."""
    runtime = operator.runtime
    number = int(options["spu"])
    wanted = [word for word in ("offline", "drain", "online") if word in options]
    if number not in runtime.chassis.spus:
        known = ", ".join(str(n) for n in sorted(runtime.chassis.spus))
        raise CommandError(f"there is no SPU {number}; the SPUs are {known}")
    if len(wanted) != 1:
        raise CommandError("one of offline, drain and online is needed")
    load = runtime.central_point.counts().by_spu[number]
    state = runtime.central_point.members()[number].state
    match wanted[0]:
        case "offline":
            if runtime.bay.place(number) is Place.OUT:
                raise CommandError(f"SPU {number} is offline already")
            runtime.take_spu_out(number, "taken out by an operator")
            return f"SPU {number} offline initiated, {load} sessions are removed\n"
        case "drain":
            if state not in (SpuState.ONLINE, SpuState.DRAINING):
                raise CommandError(f"SPU {number} is {state.value.lower()}: nothing to drain")
            runtime.drain_spu(number)
            return f"SPU {number} drains, {load} sessions go on\n"
    if state is SpuState.ONLINE:
        raise CommandError(f"SPU {number} is online already")
    runtime.put_spu_in(number)
    return f"SPU {number} online initiated\n"
