"""Whom the client of an NPU finds, and loses: programs, other controllers, the NPU itself."""

import asyncio
from dataclasses import replace
from pathlib import Path as FilePath

import pytest
from finsy.proto import p4r, rpc_code

from controller.config.build import parse
from controller.config.schema import Configuration
from controller.flow import Direction
from controller.messages import RemoveWing, WingInstalled, WingRemoved
from controller.npu.client import Npu
from controller.npu.connection import NpuError
from controller.npu.pipeline import Pipeline, PipelineError, load_pipeline, resolve
from controller.reasons import Drop
from controller_shell.fake_npu import FakeNpu, entry_key, p4info
from controller_shell.npu_bench import (
    KEY,
    PIPELINE,
    REQUIRED_TABLES,
    SESSION,
    Bench,
    install,
    static_entries,
    with_npu,
)
from controller_shell.sample import CHASSIS, CONFIGURATION, SET_LINES


def test_a_controller_that_comes_again_finds_the_program_and_empties_the_tables() -> None:
    async def test(bench: Bench) -> None:
        bench.npu.post(install())
        await bench.next()
        await bench.npu.close()
        again = Bench(bench.fake)
        bench.fake.config.p4_device_config = b"kept"
        await again.npu.start(CONFIGURATION, CHASSIS)
        assert bench.fake.config.p4_device_config == b"kept"
        expected = {entry_key(e): e for e in static_entries(1, epoch=2)}
        assert bench.fake.entries == expected
        await again.npu.close()

    with_npu(test)


def test_everything_is_answered_when_the_npu_is_gone() -> None:
    async def test(bench: Bench) -> None:
        await bench.fake.stop()
        why = await asyncio.wait_for(bench.npu.connection.lost(), 5)
        assert why.startswith(f"NPU 1 at {bench.fake.address} is gone: ")
        bench.npu.post(install())
        reply = WingInstalled(SESSION, Direction.FORWARD, Drop.NPU_LOST)
        assert (await bench.next())[1] == reply
        bench.npu.post(RemoveWing(SESSION, Direction.FORWARD, 1, KEY))
        assert (await bench.next())[1] == WingRemoved(SESSION, Direction.FORWARD, 0, 0)

    with_npu(test)


def test_another_primary_is_not_pushed_aside() -> None:
    async def run() -> None:
        fake = FakeNpu()
        fake.primary_taken = True
        await fake.start()
        bench = Bench(fake)
        with pytest.raises(NpuError, match="has another primary controller"):
            await bench.npu.start(CONFIGURATION, CHASSIS)
        await bench.npu.close()
        await fake.stop()

    asyncio.run(run())


def test_losing_the_primary_role_is_losing_the_npu() -> None:
    async def test(bench: Bench) -> None:
        usurped = p4r.StreamMessageResponse()
        usurped.arbitration.status.code = rpc_code.ALREADY_EXISTS
        bench.fake.send(usurped)
        why = await asyncio.wait_for(bench.npu.connection.lost(), 5)
        assert "another controller became its primary" in why

    with_npu(test)


def test_a_program_that_is_no_npu_is_refused_with_all_it_lacks() -> None:
    info = p4info()
    next(c for c in info.counters if c.preamble.alias == "drops").preamble.alias = "falls"
    next(t for t in info.tables if t.preamble.alias == "session_v6").match_fields[0].bitwidth = 32
    with pytest.raises(PipelineError) as caught:
        resolve(info)
    assert "counter drops" in str(caught.value)
    assert "src_addr of 128 bits (it has 32) in table session_v6" in str(caught.value)


def test_a_missing_program_file_is_named(tmp_path: FilePath) -> None:
    with pytest.raises(PipelineError, match=r"cannot read the P4Info file .*compile p4src/npu.p4"):
        load_pipeline(tmp_path / "x.txtpb", tmp_path / "x.json")


def test_equal_programs_have_equal_cookies() -> None:
    other: Pipeline = resolve(p4info(), b"{ }")
    assert resolve(p4info(), b"{}").cookie == PIPELINE.cookie != other.cookie


def test_a_smaller_program_serves_what_does_not_need_more() -> None:
    """Tables, meters and fields that a program may lack are missed only by what needs them."""
    info = p4info()
    kept = [t for t in info.tables if t.preamble.alias in REQUIRED_TABLES]
    del info.tables[:], info.meters[:]
    info.tables.extend(kept)
    action = next(a for a in info.actions if a.preamble.alias == "set_ingress_interface")
    fewer = [p for p in action.params if p.name not in ("vr", "epoch", "features")]
    del action.params[:]
    action.params.extend(fewer)
    small = resolve(info, b"{}")

    async def start(configuration: Configuration) -> None:
        fake = FakeNpu()
        await fake.start()
        npu = Npu(replace(CHASSIS.npus[2], address=fake.address), small, lambda _: None)
        try:
            await npu.start(configuration, CHASSIS)
            assert len(fake.entries) == 2
        finally:
            await npu.close()
            await fake.stop()

    asyncio.run(start(CONFIGURATION))
    spoofing = parse(SET_LINES + "set security screen ids-option edge ip spoofing\n")
    with pytest.raises(NpuError, match="program without it: ip spoofing needs the table reverse"):
        asyncio.run(start(spoofing))
