"""What operators see of load and of what runs out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from pathlib import Path

import pytest
from finsy.proto import p4r

from controller.config.schema import SECOND
from controller.messages import (
    CP,
    Actor,
    PacketDropped,
    PendingExpired,
    RanOut,
    Role,
    SpuChanged,
    SpuState,
)
from controller.operate.exhaustion import EXHAUSTIONS, QUIET, REPEAT, SystemLog
from controller.reasons import Drop, Punt
from controller_shell.lab import Lab, first_packet, udp, with_lab


def test_load_of_spus_and_central_point(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        shown = (await lab.ask("show security monitoring")).splitlines()
        assert shown[1].split() == ["FPC", "PIC", "CPU", "Mem", *["current", "maximum"] * 2]
        rows = [row.split() for row in shown[2:4]]
        assert [(*row[:3], *row[4:]) for row in rows] == [
            ("3", "0", "0", "1", "1048576", "0", "0"),
            ("4", "0", "0", "0", "1000", "0", "0"),
        ]
        assert all(0 <= int(row[3]) <= 100 for row in rows)
        assert shown[4:] == [
            "Total Sessions: 1",
            "Central point: 1 of 1049576 sessions",
            "Pending wings: 0, reclaimed so far: 0",
            "First packets refused for want of room: 0",
        ]
        detail = await lab.ask("show security monitoring fpc 3")
        assert "    Current flow session IPv4:       1\n" in detail
        assert "FPC 4" not in detail
        assert "FPC 9 is no services card; services cards are in 3, 4" in (
            await lab.ask("show security monitoring fpc 9")
        )

    with_lab(tmp_path, test)


def test_the_last_minute_second_by_second(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        history = lab.operator.history
        history.sample()
        await first_packet(lab)
        for _ in range(70):
            history.sample()
        shown = (await lab.ask("show security monitoring performance session fpc 3")).splitlines()
        assert shown[0] == "fpc  3 pic  0"
        assert shown[1] == "Last 60 seconds:"
        assert len(shown) == 12
        assert shown[2].split()[:4] == ["0:", "1", "1:", "1"]
        assert history.creations(1) == pytest.approx(1 / 70)
        assert history.creations(2) == 0

    with_lab(tmp_path, test)


def test_the_load_of_an_spu_is_its_share_of_the_thread(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        runtime, load = lab.runtime, lab.operator.history.load
        seen = []
        handle = runtime.spus[1].handle

        def watched(*given: object) -> object:
            load.look()
            seen.append(runtime.at_work)
            return handle(*given)  # type: ignore[arg-type]

        runtime.spus[1].handle = watched  # type: ignore[method-assign, assignment]
        await first_packet(lab)
        assert set(seen) == {Actor(Role.SPU, 1)}
        assert runtime.at_work is None
        for _ in range(3 * len(seen)):
            load.look()
        lab.operator.history.sample()
        shown = await lab.ask("show security monitoring performance spu")
        assert shown.split("\n\n")[0].splitlines()[2] == " 0:        25"
        assert shown.split("\n\n")[1].splitlines()[2] == " 0:         0"
        assert "CPU utilization          :      25 %" in await lab.ask(
            "show security monitoring fpc 3"
        )
        lab.operator.history.sample()
        assert next(iter(lab.operator.history.busy[1])) == 0, "that was a second ago"

    with_lab(tmp_path, test)


def test_looking_begins_and_ends(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        task = asyncio.ensure_future(lab.operator.history.run())
        await lab.until(lambda: bool(lab.operator.history.sessions[1]))
        assert "load" in {thread.name for thread in threading.enumerate()}
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert "load" not in {thread.name for thread in threading.enumerate()}

    with_lab(tmp_path, test)


def test_a_full_npu_is_an_alarm_and_drops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(lab: Lab) -> None:
        lab.fakes[1].capacity = len(lab.fakes[1].entries)
        out: p4r.PacketOut = await first_packet(lab)
        assert out.payload
        assert "Minor  FPC3 PIC0 NP-cache full" in await lab.ask("show chassis alarms")
        drops = await lab.ask("show security flow drops")
        row = r"SPU 1 +NPU_TABLE_FULL +2  wings left out, nothing dropped"
        assert re.search(row, drops), drops
        assert "Total drops: 0" in drops
        listed = await lab.ask("show security flow session not-offloaded table-full")
        assert "Session ID: 10000001" in listed
        log = [r.getMessage() for r in caplog.records if "NPU_TABLE_FULL" in r.getMessage()]
        assert log == [
            "FLOW_NPU_TABLE_FULL: SPU 1: NP-cache full, sessions go on through the SPU: "
            "NPU 1 has no room for a wing; 1x"
        ]

    with caplog.at_level(logging.INFO):
        with_lab(tmp_path, test)


def test_flows_that_find_no_room_are_failed_sessions_of_an_spu(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        for spu in (1, 2):
            await lab.ask(f"request chassis spu {spu} drain")
        for sport in range(4000, 4010):
            lab.fakes[1].punt(udp(sport, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        await lab.until(lambda: lab.runtime.observer.drops[CP, Drop.NO_SPU] == 10)
        summary = await lab.ask("show security flow session summary")
        failed = [int(n) for n in re.findall(r"Failed-sessions: (\d+)", summary)]
        assert sum(failed) == 10

    with_lab(tmp_path, test)


def test_an_npu_that_takes_packets_too_slowly_is_logged_and_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(lab: Lab) -> None:
        connection = lab.runtime.npus[2].connection
        connection.packets_out_dropped = 5
        lab.operator.history.sample()
        lab.operator.history.sample()
        log = [r.getMessage() for r in caplog.records if "QUEUE_FULL" in r.getMessage()]
        assert log == [
            "FLOW_QUEUE_FULL: NPU 2: queue full: packets for it wait, and it takes them too "
            "slowly; 5 packets dropped"
        ]
        assert "Minor  NPU 2 queue full" in await lab.ask("show chassis alarms")
        drops = await lab.ask("show security flow drops")
        assert re.search(r"NPU 2 packet-out +QUEUE_FULL +5  too many packets wait", drops), drops

    with caplog.at_level(logging.INFO):
        with_lab(tmp_path, test)


def test_what_a_log_line_does_not_speak_for_is_logged_later() -> None:
    lines: list[str] = []
    log = SystemLog(str, lines.append)
    for _ in range(17):
        log.ran_out(PacketDropped(SECOND, CP, Drop.PENDING_TIMEOUT, None, "waited"))
    assert [line.rpartition("; ")[2] for line in lines] == ["1 packet dropped"]
    log.tick(SECOND + REPEAT - 1)
    assert len(lines) == 1
    log.tick(SECOND + REPEAT)
    assert lines[1:] == [
        "FLOW_PENDING_TIMEOUT: CP: session set-up timed out: waited; 16 packets dropped"
    ]
    log.tick(SECOND + 9 * REPEAT)
    assert len(lines) == 2


def test_a_full_queue_is_counted_recorded_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One of those that run out, followed through everything that an operator has."""

    async def test(lab: Lab) -> None:
        for _ in range(20):
            lab.fakes[1].punt(udp(4000, 27015), reason=Punt.MISS, ingress_port=1, token=1)
        drops = lab.runtime.observer.drops
        await lab.until(lambda: drops[Actor(Role.SPU, 1), Drop.QUEUE_FULL] == 3)
        told = await lab.ask("show security flow drops")
        assert re.search(r"SPU 1 +QUEUE_FULL +3  too many packets wait", told), told
        assert "Dropped by FLOW:Queue full" in (await lab.ask("show security packet-drop records"))
        (flow,) = lab.runtime.observer.walks
        lab.runtime.deliver((Actor(Role.SPU, 1), PendingExpired(flow)))
        # Packets fell behind the first one, and then the first one with those that waited.
        *_, full, end = (await lab.ask("show security flow walk")).splitlines()
        assert full.endswith("dropped: QUEUE_FULL (16 packets wait already), 3 packets")
        assert end.endswith("dropped: PENDING_TIMEOUT (waited for next hops), 17 packets")
        summary = await lab.ask("show security flow session summary")
        assert summary.splitlines()[4] == "Failed-sessions: 1", "one flow, however many packets"
        assert "Minor  FPC3 PIC0 queue full" in (await lab.ask("show chassis alarms"))
        log = [r.getMessage() for r in caplog.records if "FLOW_QUEUE_FULL" in r.getMessage()]
        assert len(log) == 1

    with caplog.at_level(logging.INFO):
        with_lab(tmp_path, test)


# -- the log alone ------------------------------------------------------------------------------


def full(at: int, reason: Drop = Drop.SESSION_TABLE_FULL) -> PacketDropped:
    return PacketDropped(at, CP, reason, None, "the chassis has 7 sessions, its maximum")


def test_one_line_at_once_and_one_in_ten_seconds() -> None:
    lines: list[str] = []
    log = SystemLog(str, lines.append)
    for n in range(21):
        log.ran_out(full(n * SECOND))
    text = "FLOW_SESSION_TABLE_FULL: CP: CP/Flow session table full: the chassis has 7 sessions, "
    assert lines == [
        f"{text}its maximum; 1 packet dropped",
        f"{text}its maximum; 10 packets dropped",
        f"{text}its maximum; 10 packets dropped",
    ]
    assert REPEAT == 10 * SECOND


def test_an_alarm_ends_after_a_minute_and_begins_anew() -> None:
    lines: list[str] = []
    log = SystemLog(str, lines.append)
    log.ran_out(full(SECOND))
    log.ran_out(full(2 * SECOND, Drop.NAT_EXHAUSTED))
    assert [alarm.reason for alarm in log.alarms(3 * SECOND)] == [
        Drop.SESSION_TABLE_FULL,
        Drop.NAT_EXHAUSTED,
    ]
    assert [alarm.reason for alarm in log.alarms(2 * SECOND + QUIET)] == [Drop.NAT_EXHAUSTED]
    assert list(log.alarms(4 * SECOND + QUIET)) == []
    log.ran_out(full(5 * SECOND + QUIET))
    (alarm,) = log.alarms(5 * SECOND + QUIET)
    assert (alarm.since, alarm.count) == (5 * SECOND + QUIET, 1)
    assert len(lines) == 3


def test_what_did_not_run_out_is_no_alarm() -> None:
    lines: list[str] = []
    log = SystemLog(str, lines.append)
    log.ran_out(full(1, Drop.POLICY_DENY))
    assert (lines, list(log.alarms(1))) == ([], [])


def test_everything_that_runs_out_has_words() -> None:
    """Point by point what a user is to be told of."""
    for reason in (
        Drop.SESSION_TABLE_FULL, Drop.SPU_FULL, Drop.NAT_EXHAUSTED, Drop.QUEUE_FULL,
        Drop.PENDING_TIMEOUT, Drop.GATE_TABLE_FULL, Drop.NPU_TABLE_FULL,
    ):  # fmt: skip
        lines: list[str] = []
        SystemLog(str, lines.append).ran_out(RanOut(1, CP, reason, None, "x"))  # type: ignore[arg-type]
        assert lines == [f"FLOW_{reason.name}: CP: {EXHAUSTIONS[reason]}: x; 1x"]


@pytest.mark.parametrize("state", SpuState)
def test_changes_of_spus_are_logged(state: SpuState) -> None:
    lines: list[str] = []
    SystemLog(lambda spu: f"FPC{spu} PIC0", lines.append).spu(SpuChanged(1, 3, state, "why", 9))
    assert lines[0].startswith(f"CHASSIS_SPU_{state.name}: SPU 3 (FPC3 PIC0) ")
