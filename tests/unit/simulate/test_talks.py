"""Control connections, gates, and gateways with a fault put into them."""

from __future__ import annotations

from typing import Any

import pytest

from controller.central_point.gates import GateTable
from controller.central_point.leases import Lease
from controller.flow import Direction
from controller.messages import Actor, Message, OpenGates
from controller.packet import Packet
from controller.simulate import workload
from controller.simulate.engine import Run
from controller.simulate.flow import Flow
from controller.simulate.incidents import Incident
from controller.simulate.options import Fault, Plan, parse_faults
from controller.simulate.play import Outcome, play
from controller.simulate.talks.dns import Dns
from controller.simulate.talks.ftp import Ftp
from controller.simulate.talks.gatekeeper import Gatekeeper
from controller.simulate.talks.h323 import H323
from controller.simulate.talks.ike import Ike
from controller.simulate.talks.pptp import Pptp
from controller.simulate.talks.rtsp import Rtsp
from controller.simulate.talks.sip import SipTcp, SipUdp
from controller.simulate.violation import Rule
from controller.simulate.workload import kind_of
from controller.spu import live_path
from controller.spu.alg.base import NOTHING
from controller.spu.alg.dns import DnsAlg
from controller.spu.alg.ike import IkeAlg
from controller.spu.alg.rtsp import RtspAlg
from controller.spu.alg.stream import Relay
from controller.spu.alg_path import AlgPath

SEED = 3
COUNT = 14
"""Control connections of a run."""


def run(kind: type[Flow], faults: str = "none", count: int = COUNT) -> Outcome:
    """A run with control connections of one kind."""
    numbers = [n for n in range(1, 4000) if kind_of(SEED, n) is kind][:count]
    plan = Plan(SEED, numbers[-1], 3, parse_faults(faults), 500, frozenset(numbers))
    return play(plan)


def rule(kind: type[Flow], faults: str = "none") -> Rule | None:
    """The rule that it finds broken."""
    broken = run(kind, faults).broken
    return None if broken is None else broken.rule


@pytest.mark.parametrize(
    ("kind", "child"),
    [
        (Ftp, "FTP data"),
        (Rtsp, "media"),
        (SipTcp, "media"),
        (SipUdp, "media"),
        (Pptp, "GRE"),
        (Ike, "ESP"),
        (Gatekeeper, "H.245"),
        (H323, "H.245"),
    ],
)
def test_what_is_announced_comes_through_gates(kind: type[Flow], child: str) -> None:
    outcome = run(kind, "loss,duplication,reordering", 8)
    assert outcome.broken is None
    assert outcome.kinds[child]
    assert outcome.deeds["gates opened"]


def test_what_a_gatekeeper_says_comes_as_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody takes the address in it for one that has to be translated."""
    rewrite = live_path.rewrite

    def changed(packet: Packet, *args: Any) -> bytes:
        return rewrite(packet, *args).replace(b"\x06\xb8", b"\x06\xb9")

    monkeypatch.setattr(live_path, "rewrite", changed)
    assert rule(Gatekeeper) is Rule.CONTENTS


def test_tunnels_without_an_agreement_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that reads nothing: no gate, and what the responder begins is denied."""
    outcome = run(Ike)
    assert outcome.broken is None
    assert outcome.walks["through a gate"] > 3
    monkeypatch.setattr(IkeAlg, "take", lambda *_: NOTHING)
    outcome = run(Ike)
    assert outcome.broken is None
    assert "through a gate" not in outcome.walks
    assert outcome.dropped["POLICY_DENY"]


def test_a_question_is_over_with_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(Dns)
    assert outcome.broken is None
    assert outcome.closed["RESPONSE_RECEIVED"] > COUNT / 2
    monkeypatch.setattr(DnsAlg, "take", lambda *_: None)
    assert rule(Dns) is Rule.FAULT


# -- streams ------------------------------------------------------------------------------------


def test_text_that_grows_and_numbers_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows changed text has the number that it had before the change."""
    send = Relay._send

    def as_before(self: Any, direction: Direction, size: int, text: bytes, verbatim: bool) -> Any:
        outs = send(self, direction, size, text, verbatim)
        self._ways[direction].sent += size - len(text)
        return outs

    monkeypatch.setattr(Relay, "_send", as_before)
    assert rule(Ftp) in (Rule.CONTENTS, Rule.ANSWERED)


def test_acknowledgements_that_are_not_mapped_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of changed text as much is acknowledged as was made of it."""
    from controller.spu.alg.stream import _Way

    def confirm(self: Any, ack: int) -> None:
        while self.chunks and self.chunks[0].end <= self.position(ack, self.chunks[0].start):
            self.confirmed = self.chunks.popleft().end + 3

    monkeypatch.setattr(_Way, "confirm", confirm)
    assert rule(Ftp) is Rule.CONTENTS


def test_unit_that_passes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    resume = Relay.resume

    def twice(self: Relay, direction: Direction, holes: Any) -> Any:
        way = self._ways[direction]
        assert way.asked is not None
        unit = way.asked[0]
        way.buffer[:0] = unit
        return resume(self, direction, holes)

    monkeypatch.setattr(Relay, "resume", twice)
    assert rule(SipTcp) in (Rule.CONTENTS, Rule.FAULT)


def test_ports_that_are_not_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = RtspAlg._answered

    def forgets(self: Any, message: Any) -> Any:
        self._clients = dict.fromkeys(self._clients, 9)
        return answered(self, message)

    monkeypatch.setattr(RtspAlg, "_answered", forgets)
    assert rule(Rtsp) is Rule.CONTENTS


def test_unit_that_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AlgPath, "opened", lambda *_: None)
    assert rule(SipTcp) is Rule.ANSWERED


# -- gates --------------------------------------------------------------------------------------


def test_gate_that_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GateTable, "tick", lambda *_: None)
    monkeypatch.setattr(GateTable, "deadline", lambda *_: None)
    assert rule(Pptp, "loss") is Rule.GATES


def test_gate_that_lets_anybody_through(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = GateTable.enter

    def again(self: GateTable, gate: Any, flow: Any) -> Any:
        self._gates[gate.id].left = -1
        return enter(self, gate, flow)

    monkeypatch.setattr(GateTable, "enter", again)
    assert rule(Ftp) is Rule.GATES


def test_gate_of_which_something_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.central_point.gates._discard", lambda *_: None)
    assert rule(Rtsp) in (Rule.GATES, Rule.FAULT)


def test_ports_that_gates_do_not_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(_: GateTable, lease: Lease) -> None:
        lease.holders -= 1

    monkeypatch.setattr(GateTable, "leave", leave)
    assert rule(Rtsp) is Rule.PORTS


def test_gate_that_leads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = GateTable.enter

    def next_door(self: GateTable, gate: Any, flow: Any) -> Any:
        entered = enter(self, gate, flow)
        assert entered is not None
        passage, leases = entered
        translated = passage.translated
        return passage._replace(translated=translated._replace(dport=translated.dport ^ 1)), leases

    monkeypatch.setattr(GateTable, "enter", next_door)
    assert rule(Rtsp) is Rule.TRANSLATION


# -- hosts that have more than one connection -----------------------------------------------------


def crowded(
    kind: type[Flow], monkeypatch: pytest.MonkeyPatch, servers: int, count: int, faults: str
) -> Outcome:
    """Many connections to few servers, and nearly at once."""
    monkeypatch.setattr(workload, "_SERVERS", servers)
    numbers = [n for n in range(1, 16_000) if kind_of(SEED, n) is kind][:count]
    return play(Plan(SEED, numbers[-1], 3, parse_faults(faults), 20_000, frozenset(numbers)))


@pytest.mark.parametrize("kind", [Ftp, SipUdp])
def test_servers_that_many_clients_come_to(
    kind: type[Flow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a client says again is for the server that it said it to, though others come there."""
    outcome = crowded(kind, monkeypatch, 40, 40, "loss,delay")
    assert outcome.broken is None
    assert outcome.kinds[kind.kind] == 40


def test_packets_of_a_session_that_ends_with_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SPU hears of a control connection, and hands a child's packets back."""
    outcome = crowded(Pptp, monkeypatch, 128, 120, "loss,duplication,delay")
    assert outcome.broken is None
    assert outcome.closed["PARENT_ENDED"]


def test_a_host_gives_no_port_twice() -> None:
    network = Run(Plan(SEED, 1, 3, parse_faults("none"), 500))._wires
    flow = workload.Workload(SEED, network.by_name, network).flow(1)
    host = flow.there.src
    ports = set()
    for _ in range(5):
        port = flow.free_port(host, 30_000, 5, 2)
        network.listen(flow, host, port)
        ports.add(port)
    assert ports == {30_000, 30_002, 30_004, 30_006, 30_008}


# -- crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.SPU, Fault.CONTROLLER])
def test_answers_that_wait_for_gates_when_their_spu_is_gone(fault: Fault) -> None:
    """They are lost with it, and accounted for."""
    numbers = [n for n in range(1, 4000) if kind_of(SEED, n) is Ike][:6]
    plan = Plan(SEED, numbers[-1], 1, parse_faults("none"), 500, frozenset(numbers))
    played = Run(plan)
    world = played.world
    asked = []

    def hear(_: Actor, __: Actor, message: Message, ___: Flow | None) -> None:
        if isinstance(message, OpenGates) and not asked:
            asked.append(message)
            for number in range(1, 7):  # an SPU fails, or only drains
                world.at(world.now + number, None, Incident(number, world.now, fault), None)

    world.hear = hear
    played.run()
    assert asked
    assert world.tally.faults[fault]["crashed" if fault is Fault.CONTROLLER else "failed"]
