"""A client of one NPU, started against a server that applies what it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from finsy.proto import p4r

from controller.flow import Direction, FlowKey, Hop, Path, Port, Tuple5, Wing
from controller.messages import Actor, InstallWing, Outbound, Role
from controller.npu.client import Npu
from controller.npu.contract import SESSION_TABLES
from controller.npu.pipeline import resolve
from controller.npu.program import entries
from controller.npu.tables import table_entry
from controller_shell.fake_npu import FakeNpu, p4info
from controller_shell.sample import CHASSIS, CONFIGURATION

REQUIRED_TABLES = ("ingress_interface", "egress_interface", *SESSION_TABLES)
PIPELINE = resolve(p4info(), b"{}")
SPU1 = Actor(Role.SPU, 1)
SESSION = 10_000_007
KEY = FlowKey(bytes([10, 1, 0, 2]), bytes([0, 0, 113, 9]), 4321, 80, 6, 1)
WING = Wing(
    key=KEY,
    ingress=Port(1, 1),
    translated=Tuple5(bytes([203, 0, 113, 1]), KEY.dst, 20000, 80, 6),
    hop=Hop(Port(2, 1), 0, bytes.fromhex("020000020001"), bytes.fromhex("00aabbccddee")),
)
KEY6 = FlowKey(b"\x20\x01" + bytes(13) + b"\1", b"\x20\x01" + bytes(13) + b"\2", 5, 53, 17, 2)


def install(wing: Wing = WING, path: Path = Path.SPU, session: int = SESSION) -> InstallWing:
    """A message that installs ``wing``."""
    return InstallWing(session, Direction.FORWARD, 1, wing, path, 30_000_000_000, b"record")


class Bench:
    """A client started against a fake NPU, and what it delivered."""

    def __init__(self, fake: FakeNpu) -> None:
        self.fake = fake
        self.delivered: asyncio.Queue[Outbound] = asyncio.Queue()
        site = replace(CHASSIS.npus[1], address=fake.address)
        self.npu = Npu(site, PIPELINE, self.delivered.put_nowait, clock=lambda: 42)

    async def next(self) -> Outbound:
        """The next message delivered."""
        return await asyncio.wait_for(self.delivered.get(), 5)

    def session_entries(self) -> list[p4r.TableEntry]:
        """What the fake's session tables hold."""
        tables = [PIPELINE.tables[name].id for name in SESSION_TABLES]
        return [entry for entry in self.fake.entries.values() if entry.table_id in tables]


def with_npu(test: Callable[[Bench], Awaitable[None]]) -> None:
    """Run ``test`` with a started client."""

    async def run() -> None:
        fake = FakeNpu()
        await fake.start()
        bench = Bench(fake)
        try:
            await bench.npu.start(CONFIGURATION, CHASSIS)
            await test(bench)
        finally:
            await bench.npu.close()
            await fake.stop()

    asyncio.run(run())


def values(entry: p4r.TableEntry) -> dict[str, int]:
    """An entry's action parameters by name."""
    for action in p4info().actions:
        if action.preamble.id == entry.action.action.action_id:
            names = {param.id: param.name for param in action.params}
            return {
                names[p.param_id]: int.from_bytes(p.value, "big")
                for p in entry.action.action.params
            }
    raise AssertionError(entry)


def static_entries(npu: int, epoch: int = 1) -> list[p4r.TableEntry]:
    """What the configuration puts into an NPU's tables."""
    return [table_entry(PIPELINE, e) for e in entries(CONFIGURATION, CHASSIS, npu, epoch)]


def interface_entries(npu: int) -> list[p4r.TableEntry]:
    """Those of the interface tables."""
    tables = [PIPELINE.tables[f"{side}_interface"].id for side in ("ingress", "egress")]
    return [entry for entry in static_entries(npu) if entry.table_id in tables]
