"""``show security flow session`` in its three levels, and ``clear security flow session``.

Layouts as newer Junos prints them, from published outputs, grouped by services card as on high-end
chassis. Every wing's line ends in a comma and a space there, and so it does here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from controller.flow import Path
from controller.operate import names, text
from controller.operate.commands import Options, known
from controller.operate.operator import LiveSession, Operator
from controller.operate.session_filter import matches
from controller.spu import SessionState, SessionView

AT_A_TIME = 200


async def show(operator: Operator, options: Options) -> str:
    """``show security flow session [filters] [summary | brief | extensive]``."""
    _check(operator, options)
    blocks = []
    for number, slot in operator.slots.items():
        if number not in operator.runtime.spus:
            continue  # `show chassis spu` says why
        spu = operator.runtime.spus[number]
        if options.keys() == {"summary"}:
            # Of a full table, too: without a look at each session's details.
            blocks.append(
                f"Flow Sessions on {slot}:\n{_summary(operator, number, spu.state_counts())}"
            )
            continue
        views = [v for v in spu.sessions() if matches(v, options, operator.names)]
        if "summary" in options:
            counts = Counter((view.state, view.path) for view in views)
            blocks.append(f"Flow Sessions on {slot}:\n{_summary(operator, number, counts)}")
        else:
            body = await _listing(operator, views, _extensive if "extensive" in options else _brief)
            blocks.append(f"Flow Sessions on {slot}:\n\n{body}Total sessions: {len(views)}\n")
    return "\n".join(blocks)


async def _listing(
    operator: Operator,
    views: Sequence[SessionView],
    render: Callable[[Operator, LiveSession], str],
) -> str:
    """Some sessions at a time, so that a long list does not hold up packets."""
    texts = []
    for start in range(0, len(views), AT_A_TIME):
        for session in await operator.live(views[start : start + AT_A_TIME]):
            texts.append(f"{render(operator, session)}\n")
    return "".join(texts)


async def clear(operator: Operator, options: Options) -> str:
    """``clear security flow session [all | filters]``."""
    _check(operator, options)
    chosen = [
        view
        for spu in operator.runtime.spus.values()
        for view in spu.sessions()
        if matches(view, options, operator.names) and view.state is not SessionState.CLOSING
    ]
    return f"{operator.clear_sessions(chosen)} active sessions cleared\n"


def _check(operator: Operator, options: Options) -> None:
    """Raise ``CommandError`` for names that nothing has."""
    configuration = operator.runtime.configuration
    known(options, "interface", "interface", configuration.interfaces)
    if "application" in options:
        # A session keeps the name that its application had when it began.
        views = (view for spu in operator.runtime.spus.values() for view in spu.sessions())
        live = {view.application for view in views}
        known(options, "application", "application", {*names.applications(configuration), *live})
    indices = {str(policy.index) for policy in configuration.policies}
    known(options, "policy-id", "policy index", indices)


def _brief(_: Operator, session: LiveSession) -> str:
    view = session.view
    return (
        f"Session ID: {view.id}, Policy name: {view.policy}/{view.policy_index}, "
        f"Timeout: {text.seconds(session.timeout)}, Session State: {view.state.value}\n"
        + "".join(
            f"  {name}: {text.flow(session.keys[n])}, Conn Tag: 0x0, "
            f"If: {session.interfaces[n]}, Pkts: {session.packets[n]}, "
            f"Bytes: {session.bytes[n]}, \n"
            for n, name in enumerate(("In", "Out"))
        )
    )


def _extensive(operator: Operator, session: LiveSession) -> str:
    view = session.view
    now = operator.runtime.clock()
    offload = "yes" if view.path is Path.EXPRESS else "no"
    why = f" ({view.not_express.value})" if view.not_express is not None else ""
    nat = view.nat_pool or ("static" if view.source_rule is not None else "Null")
    lines = [
        f"Session ID: {view.id}, Status: Normal",
        f"Policy name: {view.policy}/{view.policy_index}",
        f"Source NAT pool: {nat}, Application: {view.application}/{view.forward.key.protocol}",
        *_nat_rules(view),
        f"Services-offload: {offload}{why}",
        *_resource(view),
        f"Maximum timeout: {text.seconds(view.timeout)}, "
        f"Current timeout: {text.seconds(session.timeout)}",
        f"Session State: {view.state.value}{_connection(view)}",
        f"Start time: {view.started // 1_000_000_000}, "
        f"Duration: {(now - view.started) // 1_000_000_000}",
    ]
    for n, name in enumerate(("In", "Out")):
        wing = (view.forward, view.reverse)[n]
        key = session.keys[n]
        lines += [
            f"   {name}: {text.flow(key)},",
            f"  Conn Tag: 0x0, Interface: {session.interfaces[n]},",
            f"    Session token: {key.token:#x}, Zone: {operator.names.zone(key.token)}",
            f"    Gateway: {text.address(view.next_hops[n])}, MAC: {wing.hop.dst_mac.hex(':')}, "
            f"Egress NPU: {wing.hop.port.npu}",
            f"    Leaves as: {text.flow(wing.translated)}",
            *([f"    FIN state: {view.fins >> n & 1},"] if view.tcp else []),
            f"    Pkts: {session.packets[n]}, Bytes: {session.bytes[n]}",
        ]
        astray = view.astray[n]
        if astray is not None:
            name = operator.names.name(astray, key.token)
            lines.append(f"    Asymmetric: packets come by {name}, whose NPU has no wing of it")
        if not view.on_npus[n]:
            lines.append("    Not on its NPU, whose table is full: packets come by the CP")
    return "\n".join(lines) + "\n"


def _connection(view: SessionView) -> str:
    """Where a TCP connection stands, and whether its numbers are checked."""
    if not view.tcp:
        return ""
    return f", TCP: {view.tcp}, Sequence check: {'yes' if view.checks_sequence else 'no'}"


def _nat_rules(view: SessionView) -> list[str]:
    """Which rules translated it, if any did."""
    rules = [
        f"{side} NAT rule: {rule.name} of {rule.rule_set}"
        for side, rule in (("Source", view.source_rule), ("Destination", view.destination_rule))
        if rule is not None
    ]
    return [", ".join(rules)] if rules else []


def _resource(view: SessionView) -> list[str]:
    """What ties control sessions and their children together."""
    if view.alg is not None:
        return [f"Resource information : {view.alg.name} ALG, control session"]
    if view.parent:
        return [f"Resource information : child of session {view.parent}"]
    return []


def _summary(
    operator: Operator, number: int, counts: Mapping[tuple[SessionState, Path], int]
) -> str:
    runtime = operator.runtime

    def count(state: SessionState) -> int:
        return sum(n for (each, _), n in counts.items() if each is state)

    valid, invalidated = count(SessionState.ACTIVE), count(SessionState.CLOSING)
    pending = count(SessionState.INSTALLING) + runtime.spus[number].pending_count()
    offloaded = sum(n for (_, path), n in counts.items() if path is Path.EXPRESS)
    refused = runtime.central_point.members()[number].refused
    failed = runtime.spus[number].failed_sessions + refused
    return (
        f"Unicast-sessions: {sum(counts.values())}\n"
        "Multicast-sessions: 0\n"
        f"Services-offload-sessions: {offloaded}\n"
        f"Failed-sessions: {failed}\n"
        f"Sessions-in-use: {valid + pending + invalidated}\n"
        f"  Valid sessions: {valid}\n"
        f"  Pending sessions: {pending}\n"
        f"  Invalidated sessions: {invalidated}\n"
        "  Sessions in other states: 0\n"
        f"Maximum-sessions: {runtime.chassis.spus[number].max_sessions}\n"
    )
