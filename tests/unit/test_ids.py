"""The numbers of the P4 source and those of the controller are the same."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from controller.reasons import (
    FIRST_SCREEN,
    Drop,
    FilterVerdict,
    PolicerAction,
    Punt,
    Send,
    Stage,
    Verdict,
)

P4_SOURCE = Path(__file__).resolve().parents[2] / "p4src"
CONTROL_PLANE = 128
"""``Drop`` values from here on never occur in an NPU."""


def p4_text(name: str) -> str:
    """A P4 source file without its comments."""
    return re.sub(r"//[^\n]*", "", (P4_SOURCE / name).read_text())


def p4_enum(name: str) -> dict[str, int]:
    """Members of a serializable enum of ``ids.p4``, in order of appearance."""
    match = re.search(rf"enum\s+bit<8>\s+{name}\s*\{{(.*?)\}}", p4_text("ids.p4"), re.DOTALL)
    assert match, f"ids.p4 declares no enum bit<8> {name}"
    members = re.findall(r"(\w+)\s*=\s*(\d+)", match[1])
    assert len(members) == len(match[1].split(",")), f"unreadable member in enum {name}"
    assert len({member for member, _ in members}) == len(members)
    return {member: int(value) for member, value in members}


def next_free(name: str) -> list[int]:
    """The "next: N" notes inside an enum of ``ids.p4``."""
    text = (P4_SOURCE / "ids.p4").read_text()
    match = re.search(rf"enum\s+bit<8>\s+{name}\s*\{{(.*?)\}}", text, re.DOTALL)
    assert match
    return [int(number) for number in re.findall(r"// next: (\d+)", match[1])]


@pytest.mark.parametrize("reasons", [Punt, Send, Stage, Verdict, FilterVerdict, PolicerAction])
def test_enum_is_the_same_on_both_sides(reasons: type[IntEnum]) -> None:
    assert p4_enum(reasons.__name__) == {member.name: member.value for member in reasons}


def test_drop_reasons_are_the_same_below_the_control_planes_own() -> None:
    shared = {member.name: member.value for member in Drop if member < CONTROL_PLANE}
    assert p4_enum("Drop") == shared


def test_next_free_numbers_are_free_and_next() -> None:
    assert next_free("Punt") == [max(p4_enum("Punt").values()) + 1]
    drops = p4_enum("Drop").values()
    assert next_free("Drop") == [
        max(value for value in drops if value < FIRST_SCREEN) + 1,
        max(drops) + 1,
    ]


SCREENS = {
    member.name.removeprefix("SCREEN_"): member - FIRST_SCREEN
    for member in Drop
    if member.name.startswith("SCREEN_")
}


def test_every_screen_has_the_bit_of_its_drop_reason() -> None:
    bits = re.findall(r"const\s+bit<64>\s+(\w+)\s*=\s*64w1\s*<<\s*(\d+);", p4_text("screens.p4"))
    assert {name: int(bit) for name, bit in bits} == SCREENS


@pytest.mark.parametrize("counter", ["screen_hits", "egress_screen_hits"])
def test_every_screen_is_counted_in_its_own_cell(counter: str) -> None:
    """Within the group of eight bits that is looked at only if one of them is set."""
    groups = re.findall(
        rf"screen_hits\[(\d+):(\d+)\] != 0\) \{{((?:\s*COUNT_SCREEN\({counter}, \d+\))+)",
        p4_text("accounting.p4"),
    )
    counted = []
    for high, low, body in groups:
        bits = [int(bit) for bit in re.findall(r", (\d+)\)", body)]
        assert all(int(low) <= bit <= int(high) for bit in bits)
        counted += bits
    assert counted == sorted(SCREENS.values())


def test_screens_of_extension_headers_line_up_with_what_the_parser_saw() -> None:
    (first,) = re.findall(r"FIRST_EXTENSION_SCREEN = (\d+);", p4_text("screens.p4"))
    assert int(first) == SCREENS["IPV6_HOP_BY_HOP"]
    states = {
        "hop_by_hop": "HOP_BY_HOP",
        "routing": "ROUTING",
        "ipv6_fragment": "FRAGMENT",
        "esp": "ESP",
        "ah": "AH",
        "no_next": "NO_NEXT",
        "destination": "DESTINATION",
        "mobility": "MOBILITY",
        "hip": "HIP",
        "shim6": "SHIM6",
    }
    parser = p4_text("parser.p4")
    for state, screen in states.items():
        match = re.search(
            rf"state {state} \{{.*?extensions_seen\[(\d+):\1\] = 1;", parser, re.DOTALL
        )
        assert match, state
        assert int(match[1]) + int(first) == SCREENS[f"IPV6_{screen}"]
