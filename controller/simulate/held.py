"""What machines hold for others beside sessions, and for how long: everything against everything.

Fragments of datagrams that are not whole; clients that SYN flood protection has answered; gates,
the ports that they hold, and what they let through.
"""

from __future__ import annotations

from controller.flow import Nanoseconds
from controller.simulate import inside
from controller.simulate.ledger import Ledger
from controller.simulate.violation import Rule

LATE: Nanoseconds = 1_000_000
"""How long after its time something may still be there: clocks ring in their turn."""


def audit_held(ledger: Ledger) -> None:
    """Look at all of it."""
    _fragments(ledger)


def _fragments(ledger: Ledger) -> None:
    """Buffers have an end, whatever becomes of their sessions, and know how much they hold."""
    for number, spu in ledger.spus.items():
        sizes = 0
        for flow, expires, size in inside.partials(spu):
            sizes += size
            if expires + LATE < ledger.now:
                what = f"SPU {number} still holds fragments of {flow}"
                ledger.broken(Rule.HELD, what, flow)
        if sizes != inside.bytes_held(spu):
            what = f"SPU {number} holds {sizes} bytes of fragments and counts "
            ledger.broken(Rule.HELD, f"{what}{inside.bytes_held(spu)}", None)
    for message, until in inside.cp_fragments(ledger.cp):
        if until + LATE < ledger.now:
            where = f"NPU {message.port.npu} port {message.port.port}"
            what = f"a fragment by {where} still waits for its first one"
            ledger.broken(Rule.HELD, what, None)
