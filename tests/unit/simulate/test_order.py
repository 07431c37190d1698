"""Packets leave an SPU in the order in which they reached it, but those in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from controller.flow import Direction, FlowKey, Port, Tuple5
from controller.messages import PacketIn, Redirect, Transmit
from controller.packet import ACK, FIN, SYN, TCP, Packet
from controller.reasons import Punt, Send
from controller.simulate import frames, site, workload
from controller.simulate.dice import Dice
from controller.simulate.flow import SERVER
from controller.simulate.kinds import Connection
from controller.simulate.options import Plan, parse_faults
from controller.simulate.play import Outcome, play
from controller.simulate.tracking import handed_back, left_spu, reached_spu
from controller.simulate.violation import Rule, Violation
from controller.spu.live_path import LivePath
from controller.spu.session import Queued, Session

FIN_INVALIDATE = ("", "set security flow tcp-session fin-invalidate-session")


class Hasty(Connection):
    """As soon as it is open the server closes its half, and says once more that it is open."""

    __slots__ = ()

    def _at_client(self, flags: int, _seq: int, _packet: Packet) -> None:
        if flags & SYN and not self.opened:
            self.opened = True
            self.stage = 1
            isn = self.seq[SERVER] - 1
            for flag, number in ((FIN, isn + 1), (SYN, isn)):
                tag = self.tag(SERVER)
                answer = (number, self.ack[SERVER], flag | ACK, tag)
                self.put(SERVER, frames.tcp(self.server, self.back, *answer))


def outcome_of(monkeypatch: pytest.MonkeyPatch, port: int) -> Outcome:
    """What becomes of some connections to a port."""

    def flow(self: Any, number: int) -> Hasty:
        trust, untrust = self._wires["trust"], self._wires["untrust"]
        source = workload._behind(trust, 4, 100 + number)
        there = Tuple5(source, workload._behind(untrust, 4, 1), 5000, port, TCP)
        dice = Dice(1, number), Dice(2, number)
        return Hasty(number, dice, self._network, (trust, untrust), there)

    monkeypatch.setattr(workload.Workload, "flow", flow)
    return play(Plan(1, 4, 2, parse_faults("none"), 500))


def test_what_is_behind_a_fin_in_doubt_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Express Path, and with fin-invalidate-session, a FIN waits until its NPU was asked."""
    monkeypatch.setattr(site, "_VARIANTS", ((FIN_INVALIDATE,), *site._VARIANTS[1:]))
    outcome = outcome_of(monkeypatch, 8000)
    assert outcome.broken is None
    assert outcome.paths == {"EXPRESS": 4}
    assert outcome.closed == {"TCP_FIN": 4}


@pytest.mark.parametrize("port", [80, 8000])
def test_a_fin_that_nobody_doubts(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits all the same, for the next packet: a machine with a fault."""
    forward = LivePath.forward
    held: list[Queued] = []

    def late(self: LivePath, session: Session, queued: Queued) -> None:
        if queued.packet.flags & FIN and queued not in held:
            held.append(queued)
            return
        forward(self, session, queued)
        while held:
            forward(self, session, held.pop())

    assert outcome_of(monkeypatch, port).broken is None
    monkeypatch.setattr(LivePath, "forward", late)
    broken = outcome_of(monkeypatch, port).broken
    assert broken is not None
    assert broken.rule is Rule.ORDER
    assert broken.what.startswith("packet 3 reached SPU ")


def test_of_copies_the_one_that_goes_back_is_known_by_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first copy waits at the SPU, and leaves it before what came between the copies."""
    flows: list[Hasty] = []
    begin = Hasty.begin
    monkeypatch.setattr(Hasty, "begin", lambda self: (flows.append(self), begin(self)))
    outcome_of(monkeypatch, 80)
    flow = flows[0]
    tags = [flow.tag(SERVER), flow.tag(SERVER)]
    first, between, copy = (
        PacketIn(Port(2, 1), Punt.MISS, 3, 0, Direction.FORWARD, 0, bytes(60) + tags[n], at)
        for n, at in ((0, 10), (1, 20), (0, 30))
    )
    key = FlowKey(*flow.there, 1)
    for packet in (first, between, copy):
        reached_spu(packet, flow, 7)
    handed_back(Redirect(key, 7, copy), flow, 7)
    live = {flow.number: flow}
    for packet in (first, between):
        left_spu(Transmit(Port(1, 1), Send.EGRESS, packet.frame), live, 7, 40)
    with pytest.raises(Violation, match="leaves SPU 7 more often than it came"):
        left_spu(Transmit(Port(1, 1), Send.EGRESS, copy.frame), live, 7, 50)


def test_a_syn_may_pass_in_one_session_and_begin_the_next() -> None:
    """A client begins another connection at once; what the server says of it shows its SPU that
    the one before is no more, and the SYN, which has left already, begins a session."""
    plan = Plan(121, 300, 8, parse_faults("loss,duplication,clear,npu"), 500)
    outcome = play(plan)
    assert outcome.broken is None
    assert outcome.closed["TCP_ANEW"] or outcome.closed["TCP_CLIENT_RST"]
