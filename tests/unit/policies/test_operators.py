"""What operators see of policies, and a configuration that they load."""

import asyncio
from pathlib import Path

from controller_shell.lab import Lab, first_packet, with_lab
from controller_shell.sample import SET_LINES

from controller.config.schema import Configuration

MATCH = (
    "show security match-policies from-zone trust to-zone untrust source-ip 10.1.1.2 "
    "destination-ip 203.0.113.80 source-port 4000 destination-port {} protocol udp"
)


def test_policies_in_brief_and_in_detail(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        brief = await lab.ask("show security policies")
        assert brief.splitlines()[:7] == [
            "Default policy: deny-all",
            "From zone: trust, To zone: untrust",
            "  Policy: fast, State: enabled, Index: 4, Scope Policy: 0, Sequence number: 1",
            "    Source addresses: lan",
            "    Destination addresses: any",
            "    Applications: games, junos-http",
            "    Action: permit, services-offload, log",
        ]
        detail = await lab.ask("show security policies policy-name fast detail")
        assert detail.splitlines()[1:] == [
            "Policy: fast, action-type: permit, services-offload:enabled , State: enabled, "
            "Index: 4, Scope Policy: 0",
            "  Policy Type: Configured",
            "  Sequence number: 1",
            "  From zone: trust, To zone: untrust",
            "  Source addresses:",
            "    lan(global): 10.1.0.0/16",
            "  Destination addresses:",
            "    any: 0.0.0.0/0",
            "    any: ::/0",
            "  Application: games",
            "    IP protocol: 17, ALG: 0, Inactivity timeout: 30",
            "      Source port range: [0-65535]",
            "      Destination ports: [27000-27015]",
            "  Application: junos-http",
            "    IP protocol: 6, ALG: 0, Inactivity timeout: 300",
            "      Source port range: [1-65535]",
            "      Destination ports: [80-80]",
            "  Per policy TCP Options: SYN check: No, SEQ check: No, Window scale: No",
            "  Session log: at-close",
        ]

    with_lab(tmp_path, test)


def test_match_policies_names_who_would_decide(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        assert (await lab.ask(MATCH.format(27001))).startswith("Policy: fast, action-type: permit")
        assert (await lab.ask(MATCH.format(53))).startswith("Policy: no, action-type: deny")
        every = await lab.ask(MATCH.format(27001) + " result-count 3")
        heads = [line[:12] for line in every.splitlines() if line[:1] in "PD"]
        assert heads == ["Policy: fast", "Policy: no, ", "Default poli"]
        assert "no zone 'x'" in await lab.ask(MATCH.format(1).replace("untrust", "x"))
        mixed = MATCH.format(1).replace("203.0.113.80", "2001:db8::1")
        assert "different families" in await lab.ask(mixed)

    with_lab(tmp_path, test)


def test_hit_counts_are_picked_and_sorted(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)

        async def names(options: str) -> list[str]:
            text = await lab.ask(f"show security policies hit-count {options}")
            rows = text.splitlines()[2:]
            return [row.split()[3] for row in rows[: rows.index("")]]

        assert await names("ascending") == ["no", "fast"]
        assert await names("descending") == ["fast", "no"]
        assert await names("greater-than 0") == ["fast"]
        assert await names("less-than 1") == ["no"]
        assert await names("unused") == ["no"]
        assert await lab.ask("show security shadow-policies") == (
            "Number of shadowed policies: 0\n"
        )
        reasons = await lab.ask("show security np-cache reasons")
        assert reasons.splitlines()[1].split() == ["yes", "1", "1"]
        for word, count in (("any", 0), ("policy", 0)):
            listed = await lab.ask(f"show security flow session not-offloaded {word}")
            assert f"Total sessions: {count}" in listed
        assert "did you mean 'mtu'" in (
            await lab.ask("show security flow session not-offloaded mtuu")
        )

    with_lab(tmp_path, test)


def test_a_configuration_is_loaded_while_sessions_live(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        file = tmp_path / "new.set"
        log = "set security policies from-zone trust to-zone untrust policy fast then count\n"
        moved = "set interfaces ge-2/0/1 unit 0 family inet address 192.0.2.1/24"
        assert moved in SET_LINES
        file.write_text("set security zones security-zone new interfaces ge-2/0/1.0\n" + SET_LINES
                        + log)  # fmt: skip
        before = len(lab.fakes[2].entries)
        answer = await lab.ask(f"request configuration load {file}")
        assert answer == "load complete: 4 interfaces, 3 zones, 2 policies\n"
        # The session stands, and the zone that came first in the file did not take its token.
        assert len(lab.sessions(1)) == 1
        zones = lab.runtime.configuration.zones
        assert (zones["trust"].id, zones["untrust"].id, zones["new"].id) == (1, 2, 3)
        assert len(lab.fakes[2].entries) == before + 2
        detail = await lab.ask("show security policies policy-name fast detail")
        assert "    Input  packets     :                    1" in detail

        # Without its policy the session goes, entries and all.
        lines = [line for line in SET_LINES.splitlines() if " policy fast " not in line]
        file.write_text("\n".join(lines))
        await lab.ask(f"request configuration load {file}")
        await lab.until(lambda: not lab.sessions(1) and not lab.sessions(2))
        assert len(lab.fakes[2].entries) == before - 1

    with_lab(tmp_path, test)


def test_two_operators_load_one_after_the_other(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        seen: list[Configuration] = []
        lab.runtime.on_configuration.append(seen.append)
        loads = []
        for name in "ab":
            own = f"set security policies from-zone untrust to-zone trust policy {name} "
            file = tmp_path / f"{name}.set"
            file.write_text(
                f"{SET_LINES}{own}match source-address any destination-address any "
                f"application any\n{own}then deny\n"
            )
            loads.append(lab.ask(f"request configuration load {file}"))
        for answer in await asyncio.gather(*loads):
            assert answer.startswith("load complete")
        # Sessions know policies by their indices: the second's own one has not that of the first.
        first, second = (config.policies[-1] for config in seen)
        assert {first.name, second.name} == {"a", "b"}
        assert first.index != second.index

    with_lab(tmp_path, test)


def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        old = lab.runtime.configuration
        file = tmp_path / "new.set"
        file.write_text("set security polcies\n")
        answer = await lab.ask(f"request configuration load {file}")
        assert "new.set:1:14: error: unknown word 'polcies'" in answer
        assert answer.endswith("nothing has changed")
        assert "cannot read" in await lab.ask("request configuration load /nowhere")
        assert lab.runtime.configuration is old

    with_lab(tmp_path, test)


def test_routes_are_listed_by_table(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        text = await lab.ask("show route table inet.0")
        assert text.splitlines()[0].startswith("inet.0: ")
        assert (
            "0.0.0.0/0          *[Static/5]\n                    >  to 203.0.113.254 via " in text
        )
        assert "10.1.1.0/24        *[Direct/0]\n                    >  via ge-1/0/0.0" in text
        assert "10.1.1.1/32        *[Local/0]\n" in text
        assert "inet6.0" not in text
        six = await lab.ask("show route table inet6.0 destination 2001:db8:1::7")
        assert six.count("*[") == 1
        assert "Direct/0" in six
        unknown = await lab.ask("show route table blue.inet.0")
        assert unknown == "no table 'blue.inet.0'; tables are: inet.0, inet6.0"

    with_lab(tmp_path, test)
