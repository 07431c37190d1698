"""``show security flow gate`` and ``show security alg status``.

Fields as in Juniper's YANG models (flow gate information); the layout of a gate's lines follows
published outputs, and ``Parent`` is ours. Maximum ``Gates`` are the central point's.
"""

from __future__ import annotations

from controller.central_point.gates import Gate
from controller.config.schema import Alg
from controller.operate import text
from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.operate.session_filter import gate_matches

_STATUS = {
    "DNS": Alg.DNS, "FTP": Alg.FTP, "H323": Alg.H323, "MGCP": None, "MSRPC": None, "PPTP": Alg.PPTP,
    "RSH": None, "RTSP": Alg.RTSP, "SCCP": None, "SIP": Alg.SIP, "SQL": None, "SUNRPC": None,
    "TALK": None, "TFTP": Alg.TFTP, "IKE-ESP": Alg.IKE_ESP, "TWAMP": None,
}  # fmt: skip
"""In the original's order; ``None``: not implemented here."""


async def show(operator: Operator, options: Options) -> str:
    """``show security flow gate [filters] [brief | summary]``."""
    gates = operator.runtime.central_point.gates
    chosen = [gate for gate in gates if gate_matches(gate, options)]
    blocks = [] if "summary" in options else [_gate(operator, gate) for gate in chosen]
    blocks.append(
        f"Valid gates: {len(chosen)}\n"
        "Pending gates: 0\n"
        "Invalidated gates: 0\n"
        "Gates in other states: 0\n"
        f"Total gates: {len(chosen)}\n"
        f"Maximum gates: {gates.maximum}\n"
    )
    return "\n".join(blocks)


def _gate(operator: Operator, gate: Gate) -> str:
    order, hole = gate.order, gate.hole
    gates = operator.runtime.central_point.gates
    anybody = "0.0.0.0" if len(hole.address) == 4 else "::"
    nobody = "255.255.255.255" if len(hole.address) == 4 else ":".join(["ffff"] * 8)
    source = f"{anybody}-{nobody}"
    if order.source is not None:
        source = f"{text.address(order.source)}-{text.address(order.source)}"
    ports = "0-0" if not hole.port else "0-65535"
    to = text.address(hole.address)
    becomes = "0.0.0.0/0" if len(hole.address) == 4 else "::/0"
    if order.source_as is not None:
        becomes = f"{text.address(order.source_as)}/0"
    listener = f"{text.address(order.listener.address)}/{order.listener.port}"
    age = gates.left(gate.id, operator.runtime.clock())
    return (
        f"Hole: {source}/{ports}->{to}-{to}/{hole.port}-{hole.port + order.count - 1}\n"
        f"  Translated: {becomes}->{listener}\n"
        f"  Protocol: {text.protocol(order.protocol)}\n"
        f"  Application: {order.application}\n"
        f"  Age: {text.seconds(age)} seconds\n"
        f"  Flags: lets in {order.allowance}\n"
        f"  Zone: {operator.names.zone(order.token)}\n"
        f"  Parent: session {gate.parent}, SPU {gate.spu}\n"
        f"  Reference count: {gates.holders(gate.id)}\n"
    )


async def status(operator: Operator, _: Options) -> str:
    """``show security alg status``; one that is not implemented says so."""
    enabled = operator.runtime.configuration.algs
    lines = ["ALG Status:"]
    for name, alg in _STATUS.items():
        state = "Enabled" if alg in enabled else "Disabled"
        lines.append(f"  {name:<9}: {'Not implemented' if alg is None else state}")
    return "\n".join(lines) + "\n"
