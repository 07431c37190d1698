"""A whole controller between two NPUs that are servers in this process, and its operator."""

import asyncio
import json
from pathlib import Path

import pytest

from controller.operate.operator import Operator
from controller.operate.server import OperatorServer, SocketError
from controller.reasons import Punt
from controller_shell.lab import (
    CLIENT,
    OWN,
    PIPELINE,
    SERVER,
    SERVER_MAC,
    UNTRUST_MAC,
    Lab,
    first_packet,
    udp,
    with_lab,
)


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
