"""A whole controller between two NPUs that are servers in this process, and its operator."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from finsy.proto import p4r

from controller.config.build import parse
from controller.config.schema import Chassis
from controller.npu.pipeline import resolve
from controller.operate.operator import Operator
from controller.operate.server import OperatorServer, SocketError
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

    def __init__(self, runtime: Runtime, fakes: dict[int, FakeNpu], path: Path) -> None:
        self.runtime = runtime
        self.fakes = fakes
        self.log: list[str] = []
        log = SessionLog(CONFIGURATION, runtime.session, self.log.append)
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
        tables = [PIPELINE.tables[name].id for name in ("session_v4", "session_v6")]
        return [e for e in self.fakes[npu].entries.values() if e.table_id in tables]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until something holds."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)


def with_lab(tmp_path: Path, test: Callable[[Lab], Awaitable[None]]) -> None:
    """Run ``test`` with everything started."""

    async def run() -> None:
        fakes = {number: FakeNpu() for number in CHASSIS.npus}
        for fake in fakes.values():
            await fake.start()
        npus = {
            number: replace(site, address=fakes[number].address)
            for number, site in CHASSIS.npus.items()
        }
        runtime = Runtime(CONFIGURATION, Chassis(npus, CHASSIS.spus), PIPELINE)
        lab = Lab(runtime, fakes, tmp_path / "s" / "wp.sock")
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


def test_a_first_packet_walks_to_the_other_side_and_both_wings_stand(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        out = await first_packet(lab)
        # Translated to the egress interface's address, one hop less to live.
        assert out.payload[:6] == SERVER_MAC
        assert out.payload[6:12] == UNTRUST_MAC
        assert out.payload[26:34] == OWN + SERVER
        assert out.payload[22] == 63
        (forward,), (reverse,) = lab.sessions(1), lab.sessions(2)
        assert forward.match[0].exact.value == CLIENT
        assert reverse.match[1].exact.value == OWN
        # Policy "fast" says services-offload, the application 30 seconds.
        assert forward.action.action.action_id == PIPELINE.actions["express_v4"].id
        assert forward.idle_timeout_ns == 30_000_000_000

        text = await lab.ask("show security flow walk")
        steps = [line[14:].strip() for line in text.splitlines()[1:]]
        assert steps[0].startswith("NPU 1      session lookup: miss")
        assert "packet released through the egress NPU" in steps[-1]
        order = [text.index(word) for word in ("reverse wing on", "forward wing on", "released")]
        assert order == sorted(order)

    with_lab(tmp_path, test)


def test_the_session_is_shown_with_live_counters_and_cleared(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        for npu, packets in ((1, 7), (2, 5)):
            (entry,) = lab.sessions(npu)
            entry.counter_data.packet_count, entry.counter_data.byte_count = packets, packets * 100
            entry.time_since_last_hit.elapsed_ns = 1_000_000
        brief = (await lab.ask("show security flow session destination-port 27015")).splitlines()
        assert brief[0] == "Flow Sessions on FPC3 PIC0:"
        assert brief[2].startswith("Session ID: 10000001, Policy name: fast/4, Timeout: ")
        assert brief[2].endswith(", Session State: Valid")
        # The first packet found no entry, so no NPU counted it.
        assert brief[3] == (
            "  In: 10.1.1.2/4000 --> 203.0.113.9/27015;udp, Conn Tag: 0x0, If: ge-1/0/0.0, "
            "Pkts: 8, Bytes: 750, "
        )
        assert brief[4].startswith("  Out: 203.0.113.9/27015 --> 203.0.113.1/")
        assert brief[4].endswith(", Conn Tag: 0x0, If: ge-2/0/0.0, Pkts: 5, Bytes: 500, ")
        assert "Total sessions: 1" in brief
        for miss in ("destination-port 1", "protocol tcp", "source-prefix 10.2.0.0/16"):
            shown = await lab.ask(f"show security flow session {miss}")
            assert shown.count("Total sessions: 0") == 2
        assert "Services-offload-sessions: 1" in await lab.ask("show security flow session summary")
        cp = (await lab.ask("show security flow cp-session")).splitlines()
        assert cp[0] == "Session ID: 10000001, SPU: 1, Valid"
        assert cp[1] == "  In: 10.1.1.2/4000 --> 203.0.113.9/27015;udp"
        hits = await lab.ask("show security policies hit-count")
        assert " 1       trust            untrust           fast           1" in hits
        assert "00:00:00:00:00:5e 203.0.113.9" in await lab.ask("show arp")

        cache = "NP-cache/services-offload Wings: 1\nNP-cache/normal Wings: 0\n"
        assert (await lab.ask("show security np-cache summary")).count(cache) == 2

        assert await lab.ask("clear security flow session protocol tcp") == (
            "0 active sessions cleared\n"
        )
        assert await lab.ask("clear security flow session") == "1 active sessions cleared\n"
        await lab.until(lambda: bool(lab.log))
        assert lab.sessions(1) == lab.sessions(2) == []
        assert lab.runtime.central_point.audit() == []
        (line,) = lab.log
        assert line.startswith(
            "RT_FLOW_SESSION_CLOSE: session closed Closed by operator: "
            "10.1.1.2/4000->203.0.113.9/27015 games 203.0.113.1/"
        )
        assert " r1 N/A 17 fast trust untrust 10000001 8(750) 5(500) " in line

    with_lab(tmp_path, test)


def test_a_denied_packet_goes_nowhere_and_is_counted(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        frame = bytearray(udp(4001, 9))
        lab.fakes[1].punt(bytes(frame), reason=Punt.MISS, ingress_port=1, token=1)
        await lab.until(lambda: bool(lab.runtime.observer.drops))
        assert lab.sessions(1) == []
        drops = await lab.ask("show security flow drops")
        assert drops == (
            "Where             Reason                             Packets  Why\n"
            "SPU 1             POLICY_DENY                              1  "
            "a policy, or the default policy, denies it\n"
            "Total drops: 1\n"
        )
        assert "dropped: POLICY_DENY" in await lab.ask("show security flow walk")
        hits = await lab.ask("show security policies hit-count")
        assert "Default policy (deny-all): 1" in hits

    with_lab(tmp_path, test)


def test_screen_statistics_add_up_all_npus_and_can_be_cleared(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        # Zone untrust is 2: its land counter is cell 2 * 64 + 0.
        lab.fakes[1].counters[PIPELINE.counters["egress_screen_hits"], 128] = (2, 0)
        lab.fakes[2].counters[PIPELINE.counters["screen_hits"], 128] = (3, 0)
        shown = await lab.ask("show security screen statistics zone untrust")
        assert f"  {'TCP land attack':<43}5" in shown.splitlines()
        assert await lab.ask("clear security screen statistics") == "IDS statistics cleared\n"
        shown = await lab.ask("show security screen statistics zone untrust")
        assert f"  {'TCP land attack':<43}0" in shown.splitlines()
        assert "zones are: trust, untrust" in await lab.ask(
            "show security screen statistics zone dmz"
        )

    with_lab(tmp_path, test)


def test_a_second_controller_does_not_take_the_socket(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        path = tmp_path / "s" / "wp.sock"
        with pytest.raises(SocketError, match="another wingpath is running"):
            await OperatorServer(Operator(lab.runtime), path).start()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"hello": ""}\n{"complete": "show ar"}\nnonsense\n')
        answers = [json.loads(await reader.readline()) for _ in range(3)]
        assert answers[0] == {"text": "fw1"}
        assert answers[1] == {"words": [["arp", "IPv4 neighbours"]]}
        assert answers[2] == {"error": "the request is no JSON"}
        writer.close()
        await writer.wait_closed()

    with_lab(tmp_path, test)


def test_the_loss_of_an_npu_is_reported(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        lost = asyncio.ensure_future(lab.runtime.lost())
        await lab.fakes[2].stop()
        assert (await asyncio.wait_for(lost, 5)).startswith("NPU 2 at 127.0.0.1:")

    with_lab(tmp_path, test)
