"""The reader of STF scripts."""

import pytest

from conformance import commands, stf


def only(text: str) -> commands.Command:
    (command,) = stf.parse(text)
    return command


def test_packets_and_comments() -> None:
    script = """
        # nothing here
        packet 3 00 11 2233   # the rest is a comment
        PACKET 12 ff
    """
    assert stf.parse(script) == [
        commands.Packet(3, 3, bytes.fromhex("00112233")),
        commands.Packet(4, 12, b"\xff"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("expect 1 0A*b", commands.Expect(1, 1, "0a*b", False)),
        ("expect 1 0a 0b $", commands.Expect(1, 1, "0a0b", True)),
        ("expect 1 0a0b$", commands.Expect(1, 1, "0a0b", True)),
        ("expect 1 $", commands.Expect(1, 1, "", True)),
        ("expect\t7", commands.Expect(1, 7, None, False)),
    ],
)
def test_expect(text: str, expected: commands.Expect) -> None:
    assert only(text) == expected


@pytest.mark.parametrize(
    ("pattern", "exact", "frame", "matches"),
    [
        ("0a*b", False, "0a0b", True),
        ("0a*b", False, "0a0bff", True),
        ("0a0b", True, "0a0bff", False),
        ("0a0b", True, "0a0b", True),
        ("0a0b", False, "0a", False),
        ("0a0b", False, "0a0c", False),
        (None, False, "", True),
        ("", True, "00", False),
    ],
)
def test_what_an_expectation_accepts(
    pattern: str | None, exact: bool, frame: str, matches: bool
) -> None:
    found = commands.Expect(1, 0, pattern, exact).mismatch(bytes.fromhex(frame))
    assert (found is None) is matches, found


def test_a_mismatch_names_the_byte() -> None:
    found = commands.Expect(1, 0, "00112*", False).mismatch(bytes.fromhex("001132"))
    assert found == "byte 2 is 32 where 2* was expected"


def test_add_with_all_kinds_of_numbers() -> None:
    assert only("add c.t 7 a.b:0x1* st$0.f:0b10 n:12 p:0x0a/8 c.act(x:0xff, y:3)") == commands.Add(
        line=1,
        table="c.t",
        priority=7,
        keys=(
            ("a.b", commands.Number(0x10, 8, 0xF0)),
            ("st$0.f", commands.Number(2, 2, 3)),
            ("n", commands.Number(12, 0, 0)),
            ("p", commands.Number(10, 8, 0xFF, 8)),
        ),
        call=commands.Call("c.act", (("x", 255), ("y", 3))),
    )


def test_add_without_priority_keys_or_arguments() -> None:
    assert only("add t act()") == commands.Add(1, "t", None, (), commands.Call("act", ()))
    assert only('add "my table" s[2].$valid$:1 act() = label') == commands.Add(
        1, "my table", None, (("s[2].$valid$", commands.Number(1, 0, 0)),), commands.Call("act", ())
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("setdefault t a(p:1)", commands.SetDefault(1, "t", commands.Call("a", (("p", 1),)))),
        ("mirroring_add 5 4", commands.CloneToPort(1, 5, 4)),
        ("mirroring_add_mc 5 1", commands.CloneToGroup(1, 5, 1)),
        ("mirroring_delete 5", commands.CloneDelete(1, 5)),
        ("mc_mgrp_create 1", commands.GroupCreate(1, 1)),
        ("mc_node_create 257 6 8", commands.NodeCreate(1, 257, (6, 8))),
        ("mc_node_associate 1 0", commands.NodeAssociate(1, 1, 0)),
        ("register_write c.r 5 100", commands.RegisterWrite(1, "c.r", 5, 100)),
        ("register_reset c.r", commands.RegisterWrite(1, "c.r", None, 0)),
        ("counter_write c.n 1 2 300", commands.CounterWrite(1, "c.n", 1, 2, 300)),
        ("check_counter c.n(3) bytes >= 60", commands.CheckCounter(1, "c.n", 3, "bytes", ">=", 60)),
        ("check_counter c.n(3)", commands.CheckCounter(1, "c.n", 3, "packets", "==", 0)),
        ("meter_set_rates m 2 0.5:4 1:5", commands.MeterRates(1, "m", 2, ((0.5, 4), (1.0, 5)))),
        ("meter_array_set_rates m 1:2", commands.MeterRates(1, "m", None, ((1.0, 2),))),
        ("no_packet", commands.ExpectNone(1)),
        ("wait", commands.Note(1, "wait")),
        ("register_read c.r 5", commands.Note(1, "register_read")),
    ],
)
def test_other_commands(text: str, expected: commands.Command) -> None:
    assert only(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nsend 1 00", "line 2: unknown command 'send'"),
        ("packet 1 0", "line 1: a packet is an even number of hex digits, not '0'"),
        ("packet x 00", "line 1: expected a port number"),
        ("expect 1 0g", "line 1: expected hex digits, '*' and a last '$', not 'g'"),
        ("add t k:1 act", "line 1: expected ':' at the end of the line"),
        ("add t k:x act()", "line 1: expected a number at 'x act()'"),
        ("add t act(a 1)", "line 1: expected ':' at '1)'"),
        ("mirroring_add 5 4 3", "line 1: expected the end of the line at '3'"),
        ("mirroring_add 5 0x*", "line 1: expected a whole number"),
        ("check_counter n(1) frames == 1", "line 1: expected 'packets' or 'bytes'"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(stf.StfError, match=r"^line \d") as caught:
        stf.parse(text)
    assert str(caught.value).startswith(message)
