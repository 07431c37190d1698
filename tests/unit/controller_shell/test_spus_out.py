"""SPUs that fail, go and come in a whole controller, and what operators see of it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from finsy.proto import p4r

from controller.config.schema import SECOND
from controller.messages import CP, SessionClosed, SpuState
from controller.reasons import Close, Drop, Punt
from controller.spu_bay import RESTART_DELAY
from controller_shell.fake_npu import FakeNpu
from controller_shell.lab import Lab, first_packet, udp, with_lab


async def state_is(lab: Lab, spu: int, state: SpuState) -> None:
    await lab.until(lambda: lab.runtime.central_point.members()[spu].state is state)


async def again(lab: Lab, sport: int = 4000) -> p4r.PacketOut:
    """The game's next packet, when all neighbours are known."""
    lab.fakes[1].punt(udp(sport, 27015), reason=Punt.MISS, ingress_port=1, token=1)
    return await lab.sent(2)


def test_an_spu_that_an_operator_takes_out_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        assert await lab.ask("request chassis spu 1 offline") == (
            "SPU 1 offline initiated, 1 sessions are removed\n"
        )
        await state_is(lab, 1, SpuState.OFFLINE)
        assert lab.sessions(1) == lab.sessions(2) == []
        assert lab.runtime.central_point.audit() == []
        assert await lab.ask("request chassis spu 1 offline") == "SPU 1 is offline already"
        assert await lab.ask("request chassis spu 2 online") == "SPU 2 is online already"
        shown = (await lab.ask("show chassis spu")).splitlines()
        assert shown[1].split()[:9] == ["FPC3", "PIC0", "1", "flow", "Offline", "0%", "0", "0",
                                        "1048576"]  # fmt: skip
        assert shown[1].endswith("taken out by an operator")
        assert "FPC3 PIC0 SPU 1 Offline" in await lab.ask("show chassis alarms")
        assert "Flow Sessions on FPC3" not in await lab.ask("show security flow session")

        # The flow goes on, with a session on the other SPU.
        await again(lab)
        await lab.until(lambda: bool(lab.runtime.spus[2].sessions()))
        assert "Session ID: 20000001" in await lab.ask("show security flow session")

        assert await lab.ask("request chassis spu 1 online") == "SPU 1 online initiated\n"
        await state_is(lab, 1, SpuState.ONLINE)
        assert await lab.ask("show chassis alarms") == "No alarms currently active\n"
        await again(lab, 4001)
        await lab.until(lambda: bool(lab.runtime.spus[1].sessions()))
        (view,) = lab.runtime.spus[1].sessions()
        assert view.id == 10000002, "no id of the SPU that was there before"

    with_lab(tmp_path, test)


def test_a_wing_that_an_npu_lost_is_repaired_and_that_is_seen(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        fake, runtime = lab.fakes[1], lab.runtime
        (key, entry) = next((k, e) for k, e in fake.entries.items() if e.metadata)
        del fake.entries[key]
        later = runtime.clock() + 2 * SECOND
        runtime.clock = lambda: later
        await again(lab)
        await lab.until(lambda: fake.entries.get(key) == entry)
        shown = (await lab.ask("show security flow statistics")).splitlines()
        assert "    Packets to their SPU by the central point: 1" in shown
        assert "    Packets handed back by SPUs: 0" in shown
        assert "    Wings written again: 1" in shown
        walk = await lab.ask("show security flow walk session-identifier 10000001")
        assert walk.splitlines()[-1].endswith(
            "SPU 1      wing written again: its NPU did not have it (NPU 1, forward wing)"
        )
        await lab.ask("clear security flow statistics")
        assert "Wings written again: 0\n" in await lab.ask("show security flow statistics")

    with_lab(tmp_path, test)


def test_sessions_of_an_spu_that_is_taken_out_end_with_a_record(tmp_path: Path) -> None:
    """What its wings counted is read before they go."""

    async def test(lab: Lab) -> None:
        closed: list[SessionClosed] = []
        lab.runtime.observer.on_close = closed.append
        await first_packet(lab)
        (view,) = lab.runtime.spus[1].sessions()
        for fake, packets in ((lab.fakes[1], 7), (lab.fakes[2], 5)):
            for entry in fake.entries.values():
                if entry.metadata:
                    entry.counter_data.packet_count = packets
                    entry.counter_data.byte_count = 100 * packets
        await lab.ask("request chassis spu 1 offline")
        await state_is(lab, 1, SpuState.OFFLINE)
        (record,) = closed
        assert record.reason is Close.SPU_LOST
        assert (record.session_id, record.policy) == (view.id, view.policy)
        assert (record.forward, record.reverse) == (view.forward, view.reverse)
        assert (record.packets, record.bytes) == ((7, 5), (700, 500))
        shown = await lab.ask("show security flow closed")
        assert f"{'SPU lost':<32}       1" in shown.splitlines()

    with_lab(tmp_path, test)


def test_an_spu_that_fails_is_taken_out_and_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(lab: Lab) -> None:
        runtime = lab.runtime
        await first_packet(lab)
        now = runtime.clock()
        skew = 0
        runtime.clock = lambda: now + skew

        def fail(*_: object) -> None:
            raise ValueError("a fault of ours")

        runtime.spus[1].handle = fail  # type: ignore[assignment, method-assign]
        lab.fakes[1].punt(
            udp(4000, 27015), reason=Punt.SESSION, ingress_port=1, token=1, session_id=10000001,
            spu=1,
        )  # fmt: skip
        await state_is(lab, 1, SpuState.OFFLINE)
        assert runtime.faults.failed == 1
        runtime.faults.failed = 0
        assert lab.sessions(1) == lab.sessions(2) == []
        drops = await lab.ask("show security flow drops")
        assert (
            "SPU 1             SPU_FAILED                               1  its SPU failed\n"
            in drops
        )
        assert "ValueError: a fault of ours (comes back by itself)" in (
            await lab.ask("show chassis spu")
        )
        lines = [record.getMessage() for record in caplog.records]
        assert any(line.startswith("SPU 1 failed on PacketIn(") for line in lines)
        assert "CHASSIS_SPU_CLEARING: SPU 1 (FPC3 PIC0) is gone: ValueError: a fault of ours; " \
               "1 sessions are removed" in lines  # fmt: skip
        # Others go on at once; what it failed on is kept from the other SPU.
        await again(lab, 4002)
        await lab.until(lambda: len(runtime.spus[2].sessions()) == 1)
        lab.fakes[1].punt(udp(4000, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        await lab.until(lambda: bool(runtime.observer.drops[CP, Drop.INTERNAL]))
        assert "INTERNAL" in await lab.ask("show security flow drops")

        assert runtime.bay.deadline() == now + RESTART_DELAY
        skew = RESTART_DELAY
        runtime._ring()
        await state_is(lab, 1, SpuState.ONLINE)
        await again(lab, 4001)
        await lab.until(lambda: bool(runtime.spus[1].sessions()))

    with caplog.at_level(logging.INFO):
        with_lab(tmp_path, test)


def test_an_spu_that_fails_on_its_timer_goes_too(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        runtime = lab.runtime
        await first_packet(lab)

        def fail(*_: object) -> None:
            raise RuntimeError("out of time")

        runtime.spus[1].tick = fail  # type: ignore[assignment, method-assign]
        later = runtime.clock() + 11 * SECOND
        runtime.clock = lambda: later
        runtime._ring()
        await state_is(lab, 1, SpuState.OFFLINE)
        assert runtime.faults.failed == 1
        runtime.faults.failed = 0
        assert lab.sessions(1) == []
        await again(lab)
        await lab.until(lambda: len(runtime.spus[2].sessions()) == 1)

    with_lab(tmp_path, test)


def test_a_draining_spu_empties_and_takes_part_again(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        assert await lab.ask("request chassis spu 1 drain") == ("SPU 1 drains, 1 sessions go on\n")
        for sport in range(4001, 4004):
            await again(lab, sport)
        await lab.until(lambda: len(lab.runtime.spus[2].sessions()) == 3)
        assert len(lab.runtime.spus[1].sessions()) == 1
        await lab.ask("clear security flow session session-identifier 10000001")
        await lab.until(lambda: not lab.runtime.spus[1].sessions())
        assert "drained: no session is left" in await lab.ask("show chassis spu")
        await lab.ask("request chassis spu 1 online")
        await again(lab, 4005)
        await lab.until(lambda: len(lab.runtime.spus[1].sessions()) == 1)

    with_lab(tmp_path, test)


def test_requests_that_make_no_sense(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        assert "there is no SPU 7; the SPUs are 1, 2" in await lab.ask(
            "request chassis spu 7 offline"
        )
        assert "one of offline, drain and online" in await lab.ask("request chassis spu 1")
        assert "one of offline, drain and online" in await lab.ask(
            "request chassis spu 1 offline drain"
        )
        await lab.ask("request chassis spu 1 offline")
        await state_is(lab, 1, SpuState.OFFLINE)
        assert "SPU 1 is offline: nothing to drain" in await lab.ask("request chassis spu 1 drain")

    with_lab(tmp_path, test)


def test_packets_without_any_spu_are_named_logged_and_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(lab: Lab) -> None:
        for spu in (1, 2):
            await lab.ask(f"request chassis spu {spu} offline")
        for sport in (1, 2, 3):
            lab.fakes[1].punt(udp(sport, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        drops = lab.runtime.observer.drops
        await lab.until(lambda: sum(n for (_, r), n in drops.items() if r is Drop.NO_SPU) == 3)
        lines = [r.getMessage() for r in caplog.records if "FLOW_NO_SPU" in r.getMessage()]
        assert lines == [
            "FLOW_NO_SPU: CP: no SPU in service: no SPU is in service; 1 packet dropped"
        ], "one line, however many packets"
        alarms = await lab.ask("show chassis alarms")
        assert alarms.startswith("3 alarms currently active\n")
        assert "Minor  CP no SPU in service" in alarms

    with caplog.at_level(logging.INFO):
        with_lab(tmp_path, test)


def test_an_npu_removes_what_is_still_being_written(tmp_path: Path) -> None:
    """An SPU fails while its wings are on their way into the tables."""

    async def test(lab: Lab) -> None:
        await first_packet(lab)
        gate: FakeNpu = lab.fakes[2]
        gate.write_gate.clear()
        lab.fakes[1].punt(udp(4002, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        lab.fakes[1].punt(udp(4003, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        await lab.until(lambda: lab.runtime.central_point.counts().active == 3)
        await asyncio.sleep(0)
        await lab.ask("request chassis spu 1 offline")
        await lab.ask("request chassis spu 2 offline")
        await asyncio.sleep(0.01)
        members = lab.runtime.central_point.members()
        assert {member.state for member in members.values()} == {SpuState.CLEARING}
        gate.write_gate.set()
        for spu in (1, 2):
            await state_is(lab, spu, SpuState.OFFLINE)
        assert lab.sessions(1) == lab.sessions(2) == []
        assert lab.runtime.central_point.audit() == []

    with_lab(tmp_path, test)
