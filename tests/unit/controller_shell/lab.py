"""A whole controller between NPUs that are servers in this process, and what they take and give."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from finsy.proto import p4r

from controller.config.build import parse
from controller.config.cards import Chassis
from controller.config.schema import Configuration
from controller.npu.contract import SESSION_TABLES
from controller.npu.pipeline import resolve
from controller.operate.operator import Operator
from controller.operate.server import OperatorServer
from controller.operate.session_log import SessionLog
from controller.reasons import Punt
from controller.runtime import Runtime
from controller_shell.fake_npu import FakeNpu, p4info
from controller_shell.sample import CHASSIS, SET_LINES

PIPELINE = resolve(p4info(), b"{}")
CONFIGURATION = parse(SET_LINES, "fw1.set", CHASSIS)
CLIENT_MAC, SERVER_MAC = bytes.fromhex("0000000000c1"), bytes.fromhex("00000000005e")
TRUST_MAC, UNTRUST_MAC = bytes.fromhex("020000010001"), bytes.fromhex("020000020001")
CLIENT, SERVER = ip_address("10.1.1.2").packed, ip_address("203.0.113.9").packed
GATEWAY, OWN = ip_address("10.1.1.1").packed, ip_address("203.0.113.1").packed


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(
        int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp(sport: int, dport: int, payload: bytes = b"question") -> bytes:
    """A frame from the client to the server, without UDP checksum."""
    segment = b"".join(v.to_bytes(2, "big") for v in (sport, dport, 8 + len(payload), 0)) + payload
    head = bytes([0x45, 0]) + (20 + len(segment)).to_bytes(2, "big") + bytes(4)
    tail = CLIENT + SERVER
    total = checksum(head + bytes([64, 17, 0, 0]) + tail)
    packet = head + bytes([64, 17]) + total.to_bytes(2, "big") + tail + segment
    return TRUST_MAC + CLIENT_MAC + b"\x08\x00" + packet


def arp_reply(mac: bytes, address: bytes, to_mac: bytes, to: bytes) -> bytes:
    """``address`` is at ``mac``."""
    head = to_mac + mac + bytes.fromhex("0806 0001 0800 0604 0002")
    return head + mac + address + to_mac + to


class Lab:
    """Two fake NPUs, a started runtime, and a server for operators."""

    def __init__(
        self,
        runtime: Runtime,
        fakes: dict[int, FakeNpu],
        path: Path,
        configuration: Configuration = CONFIGURATION,
    ) -> None:
        self.runtime = runtime
        self.fakes = fakes
        self.log: list[str] = []
        log = SessionLog(configuration, runtime.session, self.log.append)
        runtime.observer.on_close = log.closed
        runtime.observer.on_create = log.created
        runtime.observer.on_nat = log.nat
        self.operator = Operator(runtime)
        self.server = OperatorServer(self.operator, path)

    async def ask(self, command: str) -> str:
        """What an operator sees."""
        answer = await self.server.answer(json.dumps({"command": command}).encode())
        return str(answer.get("text", answer.get("error")))

    async def sent(self, npu: int) -> p4r.PacketOut:
        """The next frame that the controller has an NPU transmit."""
        return await asyncio.wait_for(self.fakes[npu].packets_out.get(), 5)

    async def answer_arp(self, npu: int, mac: bytes, address: bytes, port: int, token: int) -> None:
        """Take an ARP request and answer it."""
        request = (await self.sent(npu)).payload
        assert request[12:14] == b"\x08\x06"
        assert request[38:42] == address
        reply = arp_reply(mac, address, request[6:12], request[28:32])
        self.fakes[npu].punt(reply, reason=Punt.ARP, ingress_port=port, token=token)

    def sessions(self, npu: int) -> list[p4r.TableEntry]:
        """The session entries of an NPU."""
        return self.entries(npu, *SESSION_TABLES)

    def entries(self, npu: int, *tables: str) -> list[p4r.TableEntry]:
        """What these tables of an NPU hold."""
        ids = [PIPELINE.tables[name].id for name in tables]
        return [e for e in self.fakes[npu].entries.values() if e.table_id in ids]

    def count(self, npu: int, alias: str, cell: int, packets: int, size: int = 0) -> None:
        """Have an NPU count."""
        self.fakes[npu].counters[PIPELINE.counters[alias], cell] = (packets, size)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until something holds."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)


def with_lab(
    tmp_path: Path,
    test: Callable[[Lab], Awaitable[None]],
    configuration: Configuration = CONFIGURATION,
) -> None:
    """Run ``test`` with everything started."""

    async def run() -> None:
        fakes = {number: FakeNpu() for number in CHASSIS.npus}
        for fake in fakes.values():
            await fake.start()
        npus = {
            number: replace(site, address=fakes[number].address)
            for number, site in CHASSIS.npus.items()
        }
        runtime = Runtime(configuration, Chassis(npus, CHASSIS.spus), PIPELINE)
        lab = Lab(runtime, fakes, tmp_path / "s" / "wp.sock", configuration)
        try:
            await runtime.start()
            await lab.server.start()
            await test(lab)
            assert runtime.faults.failed == 0
        finally:
            await lab.server.close()
            await runtime.close()
            for fake in fakes.values():
                await fake.stop()

    asyncio.run(run())


async def first_packet(lab: Lab) -> p4r.PacketOut:
    """Send the first packet of a game, answer all ARP requests; what leaves."""
    lab.fakes[1].punt(udp(4000, 27015), reason=Punt.MISS, ingress_port=1, token=1)
    await lab.answer_arp(2, SERVER_MAC, SERVER, port=1, token=2)
    await lab.answer_arp(1, CLIENT_MAC, CLIENT, port=1, token=1)
    return await lab.sent(2)
