"""``show security flow trace`` and ``show security packet-drop records``.

The lines have the form of Junos traceoptions and packet-drop records; what an NPU's line says of
stage, verdict and reason is our own.
"""

from __future__ import annotations

from controller.config.screens import SCREENS
from controller.flow import FlowKey
from controller.messages import PacketDropped, TraceCopy
from controller.operate import text
from controller.operate.commands import Options, known
from controller.operate.copies import Copies
from controller.operate.operator import Operator
from controller.packet import Packet, parse
from controller.reasons import Drop, Stage, Verdict

_SCREENS = {screen.drop: screen.label.removesuffix(" threshold") for screen in SCREENS}


async def trace(operator: Operator, options: Options) -> str:
    """``show security flow trace [packet-filter F] [last N]``: copies of traced packets."""
    copies = Copies(operator)
    tracing = operator.runtime.configuration.stateless.tracing
    known(options, "packet-filter", "packet filter", (each.name for each in tracing.filters))
    wanted = options.get("packet-filter")
    found = [
        copy
        for copy in operator.runtime.observer.copies
        if tracing.filters
        and (copy.verdict is Verdict.DROP or not tracing.drops_only)
        and (wanted is None or copies.filters.get(copy.filter) == wanted)
    ]
    last = int(options.get("last", "0")) or len(found)
    return "".join(_block(copies, copy) for copy in found[-last:] if last)


def _block(copies: Copies, copy: TraceCopy) -> str:
    stamp = copies.stamp(copy.at)
    day = copies.time(copy.at).strftime("%b %d %H:%M:%S")
    head = f"{day} {stamp}:CID-0:RT:"
    packet = parse(copy.frame)
    matched = copies.filters.get(copy.filter)
    suffix = f" matched filter {matched}:" if matched is not None else " traced on:"
    inward = copy.stage < Stage.PACKET_OUT
    where = copies.inward(copy) if inward else copies.outward(copy)
    side = "in" if inward else "out"
    session = f", session {copy.session_id}" if copy.session_id else ""
    verdict = copy.verdict.name.lower()
    if copy.detail is not None:
        verdict += f" ({copy.detail.name})"
    elif inward and copy.egress_port:
        verdict += f" to {copies.outward(copy)}"
    stage = copy.stage.name.lower().replace("_", " ")
    return (
        f"{head}<{_tuple(packet)}>{suffix}\n"
        f"{head}  NPU {copy.port.npu} {where} {side}: {stage}: {verdict}{session}\n"
    )


def _tuple(packet: Packet | Drop) -> str:
    if isinstance(packet, Drop):
        return f"malformed: {packet.name}"
    src, dst = text.address(packet.src), text.address(packet.dst)
    return f"{src}/{packet.sport}->{dst}/{packet.dport};{packet.protocol}"


async def drops(operator: Operator, options: Options) -> str:
    """``show security packet-drop records [last N]``: dropped by the CP and SPUs, and by NPUs
    those that are traced; newest last."""
    copies = Copies(operator)
    observer = operator.runtime.observer
    lines = [(drop.at, _dropped(copies, drop)) for drop in observer.recent_drops]
    lines += [
        (copy.at, _fallen(copies, copy))
        for copy in observer.copies
        if copy.verdict is Verdict.DROP and isinstance(copy.detail, Drop)
    ]
    lines.sort(key=lambda line: line[0])
    last = int(options.get("last", "0")) or len(lines)
    return "".join(line + "\n" for _, line in lines[-last:] if last)


def _dropped(copies: Copies, drop: PacketDropped) -> str:
    flow = "N/A" if drop.flow is None else _flow(drop.flow)
    detail = f" ({drop.detail})" if drop.detail else ""
    return f"{copies.stamp(drop.at)}:LSYS-ID-00 {flow},Dropped by {reason(drop.reason)}{detail}"


def _fallen(copies: Copies, copy: TraceCopy) -> str:
    assert isinstance(copy.detail, Drop)
    packet = parse(copy.frame)
    if isinstance(packet, Drop):
        flow, ipid = f"malformed ({packet.name})", 0
    else:
        flow = (
            f"{text.address(packet.src)}/{packet.sport}-->{text.address(packet.dst)}/"
            f"{packet.dport};{text.protocol(packet.protocol)}"
        )
        at = packet.l3 + 4
        ipid = packet.frame[at] << 8 | packet.frame[at + 1] if packet.version == 4 else 0
    where = copies.inward(copy) if copy.stage < Stage.PACKET_OUT else copies.outward(copy)
    return (
        f"{copies.stamp(copy.at)}:LSYS-ID-00 {flow},ipid-{ipid},{where},"
        f"Dropped by {reason(copy.detail)}"
    )


def _flow(key: FlowKey) -> str:
    return text.flow(key).replace(" --> ", "-->")


def reason(drop: Drop) -> str:
    """``IDS:IP spoofing``: who dropped it and why, as far as Junos has words for it."""
    if drop in _SCREENS:
        return f"IDS:{_SCREENS[drop]}"
    words = drop.name.replace("_", " ").capitalize()
    if drop in (Drop.FILTER, Drop.FILTER_REJECT, Drop.POLICER, Drop.SHAPER):
        return f"FILTER:{words}"
    if drop.name.startswith("POLICY"):
        return f"POLICY:{words}"
    return f"FLOW:{words}"
