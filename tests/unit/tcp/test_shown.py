"""Where an operator sees what is configured of TCP, zones and interfaces."""

from pathlib import Path

from controller_shell.lab import Lab, with_lab
from controller_shell.sample import CHASSIS, CONFIGURATION, SET_LINES

from controller.config.build import parse

FLOW = "set security flow "
SESSION = f"{FLOW}tcp-session "
ZONE = "set security zones security-zone trust "
OTHER = (
    f"{SESSION}strict-syn-check\n{SESSION}no-sequence-check\n{SESSION}rst-sequence-check\n"
    f"{SESSION}rst-invalidate-session\n{SESSION}fin-invalidate-session\n"
    f"{SESSION}tcp-initial-timeout 30\n{SESSION}time-wait-state session-timeout 90\n"
    f"{SESSION}time-wait-state apply-to-half-close-state\n{FLOW}tcp-mss all-tcp mss 1300\n"
    f"{FLOW}pending-sess-queue-length high\n{FLOW}route-change-timeout 60\n"
    f"{ZONE}tcp-rst\n{ZONE}interfaces ge-1/0/0.0 host-inbound-traffic system-services all\n"
    f"{ZONE}host-inbound-traffic system-services ssh\n"
    "set interfaces ge-2/0/0 disable\n"
    "set security flow allow-dns-reply\n"
    "set security forwarding-process application-services session-distribution-mode hash-based\n"
)


def test_what_is_in_force_is_shown(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        status = await lab.ask("show security flow status")
        for line in (
            "    SYN check: on, strict: off",
            "    Sequence check: on, of RSTs: off",
            "    Invalidate session on: none",
            "    Initial timeout: 20 s, time-wait: 2 s, for half-closed: off",
            "    MSS of all TCP: off",
            "    Pending session queue length: normal, 16 packets",
            "    Route change timeout: off",
            "    DNS answers that nobody asked for: dropped",
        ):
            assert line in status.splitlines()
        await lab.runtime.load(parse(SET_LINES + OTHER, "f.set", CHASSIS, previous=CONFIGURATION))
        status = await lab.ask("show security flow status")
        for line in (
            "    SYN check: on, strict: on",
            "    Sequence check: off, of RSTs: on",
            "    Invalidate session on: RST, FIN",
            "    Initial timeout: 30 s, time-wait: 90 s, for half-closed: on",
            "    MSS of all TCP: 1300",
            "    Pending session queue length: high, 256 packets",
            "    Route change timeout: 60 s",
            "    DNS answers that nobody asked for: let in",
        ):
            assert line in status.splitlines()
        assert "Balancing: by hash" in await lab.ask("show chassis spu")
        zones = await lab.ask("show security zones zone trust")
        assert zones.splitlines() == [
            "Security zone: trust",
            "  Zone ID: 1",
            "  Send reset for non-SYN session TCP packets: On",
            "  Policy configurable: Yes",
            "  Interfaces bound: 2",
            "  Interfaces:",
            "    ge-1/0/0.0, Session token: 0x1",
            "      Allowed host-inbound traffic : all",
            "    ge-1/0/1.10, Session token: 0x1",
            "      Allowed host-inbound traffic : ping ssh",
        ]
        assert "no zone 'x'; zones are: trust, untrust" in await lab.ask(
            "show security zones zone x"
        )
        terse = (await lab.ask("show interfaces terse")).splitlines()
        rows = {line.split()[0]: line.split()[1:3] for line in terse if line.startswith("ge")}
        assert rows["ge-2/0/0"] == ["down", "up"]
        assert rows["ge-2/0/0.0"] == ["down", "down"]
        assert rows["ge-1/0/0.0"] == ["up", "up"]

    with_lab(tmp_path, test)
