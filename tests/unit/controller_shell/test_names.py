"""Completion with the names that the configuration in force has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.config.build import parse
from controller.operate.commands import complete
from controller.operate.table import ROOT
from controller_shell.lab import Lab, with_lab
from controller_shell.sample import CHASSIS, SET_LINES

MORE = """
set security nat source pool outside address 203.0.113.40/32
set security nat source rule-set out from zone trust
set security nat source rule-set out to zone untrust
set security nat source rule-set out rule lan match source-address 10.1.0.0/16
set security nat source rule-set out rule lan then source-nat pool outside
set security nat destination pool web address 10.1.1.80/32
set security nat destination rule-set in from zone untrust
set security nat destination rule-set in rule site match destination-address 203.0.113.81/32
set security nat destination rule-set in rule site then destination-nat pool web
set security nat static rule-set fix from zone untrust
set security nat static rule-set fix rule one match destination-address 203.0.113.82/32
set security nat static rule-set fix rule one then static-nat prefix 10.1.1.82/32
set firewall family inet filter edge term all then accept
set security flow traceoptions packet-filter seen protocol udp
set security flow traceoptions flag basic-datapath
set routing-instances blue instance-type virtual-router
"""
LINES = "\n".join(line for line in SET_LINES.splitlines() if " nat source " not in line) + MORE
CONFIGURATION = parse(LINES, "fw1.set", CHASSIS)


def offered(line: str) -> list[str]:
    """Words that may be completed to; what stands for other things left out."""
    words = [word for word, _ in complete(ROOT, line, CONFIGURATION)]
    return [word for word in words if word[0] not in "<|"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("show security policies from-zone ", ["trust", "untrust"]),
        ("show security policies from-zone t", ["trust"]),
        ("show security match-policies from-zone u", ["untrust"]),
        ("show security screen statistics zone ", ["trust", "untrust"]),
        ("show security screen ids-option ", ["edge"]),
        ("show security policies policy-name f", ["fast"]),
        ("show security flow session interface ge-2", ["ge-2/0/0.0", "ge-2/0/1.0"]),
        ("show security flow session policy-id ", ["4", "5"]),
        ("clear security flow session application ga", ["games"]),
        ("show security flow session application junos-https", ["junos-https"]),
        ("show security nat source pool ", ["all", "outside"]),
        ("show security nat source rule ", ["all", "lan"]),
        ("show security nat source paired-address pool-name ", ["outside"]),
        ("clear security nat source persistent-nat-table pool ", ["outside"]),
        ("show security nat destination pool ", ["all", "web"]),
        ("show security nat destination rule s", ["site"]),
        ("show security nat static rule o", ["one"]),
        ("show firewall filter ", ["edge"]),
        ("clear firewall filter e", ["edge"]),
        ("show security flow trace packet-filter ", ["seen"]),
        ("show route table ", ["inet.0", "inet6.0", "blue.inet.0", "blue.inet6.0"]),
        ("show security zones ", ["trust", "untrust"]),
        ("show security zones un", ["untrust"]),
        ("show security policies from-zone x", []),
    ],
)
def test_names_are_offered_where_one_is_wanted(line: str, names: list[str]) -> None:
    assert [word for word in offered(line) if word != "zone"] == names


def test_without_such_names_the_kind_of_value_is_shown() -> None:
    bare = parse(SET_LINES, "fw1.set", CHASSIS)
    said = complete(ROOT, "show firewall filter ", bare)
    assert said == [("<name>", "Only this filter")]


def test_a_controller_offers_the_names_of_the_configuration_in_force(tmp_path: Path) -> None:
    async def words(lab: Lab, line: str) -> list[str]:
        answer = await lab.server.answer(json.dumps({"complete": line}).encode())
        found = answer["words"]
        assert isinstance(found, list)
        return [word for word, _ in found]

    async def test(lab: Lab) -> None:
        line = "show security policies from-zone "
        assert await words(lab, line) == ["trust", "untrust"]
        file = tmp_path / "other.set"
        file.write_text(SET_LINES.replace("untrust", "wild"))
        said = await lab.ask(f"request configuration load {file}")
        assert said.startswith("load complete"), said
        assert await words(lab, line) == ["trust", "wild"]

    with_lab(tmp_path, test)
