"""The reader of STF scripts."""

import pytest

from conformance import stf


def only(text: str) -> stf.Command:
    (command,) = stf.parse(text)
    return command


def test_packets_and_comments() -> None:
    script = """
        # nothing here
        packet 3 00 11 2233   # the rest is a comment
        PACKET 12 ff
    """
    assert stf.parse(script) == [
        stf.Packet(3, 3, bytes.fromhex("00112233")),
        stf.Packet(4, 12, b"\xff"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("expect 1 0A*b", stf.Expect(1, 1, "0a*b", False)),
        ("expect 1 0a 0b $", stf.Expect(1, 1, "0a0b", True)),
        ("expect 1 0a0b$", stf.Expect(1, 1, "0a0b", True)),
        ("expect 1 $", stf.Expect(1, 1, "", True)),
        ("expect\t7", stf.Expect(1, 7, None, False)),
    ],
)
def test_expect(text: str, expected: stf.Expect) -> None:
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
    found = stf.Expect(1, 0, pattern, exact).mismatch(bytes.fromhex(frame))
    assert (found is None) is matches, found


def test_a_mismatch_names_the_byte() -> None:
    found = stf.Expect(1, 0, "00112*", False).mismatch(bytes.fromhex("001132"))
    assert found == "byte 2 is 32 where 2* was expected"


def test_add_with_all_kinds_of_numbers() -> None:
    assert only("add c.t 7 a.b:0x1* st$0.f:0b10 n:12 p:0x0a/8 c.act(x:0xff, y:3)") == stf.Add(
        line=1,
        table="c.t",
        priority=7,
        keys=(
            ("a.b", stf.Number(0x10, 8, 0xF0)),
            ("st$0.f", stf.Number(2, 2, 3)),
            ("n", stf.Number(12, 0, 0)),
            ("p", stf.Number(10, 8, 0xFF, 8)),
        ),
        call=stf.Call("c.act", (("x", 255), ("y", 3))),
    )


def test_add_without_priority_keys_or_arguments() -> None:
    assert only("add t act()") == stf.Add(1, "t", None, (), stf.Call("act", ()))
    assert only('add "my table" s[2].$valid$:1 act() = label') == stf.Add(
        1, "my table", None, (("s[2].$valid$", stf.Number(1, 0, 0)),), stf.Call("act", ())
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("setdefault t a(p:1)", stf.SetDefault(1, "t", stf.Call("a", (("p", 1),)))),
        ("mirroring_add 5 4", stf.CloneToPort(1, 5, 4)),
        ("mirroring_add_mc 5 1", stf.CloneToGroup(1, 5, 1)),
        ("mirroring_delete 5", stf.CloneDelete(1, 5)),
        ("mc_mgrp_create 1", stf.GroupCreate(1, 1)),
        ("mc_node_create 257 6 8", stf.NodeCreate(1, 257, (6, 8))),
        ("mc_node_associate 1 0", stf.NodeAssociate(1, 1, 0)),
        ("register_write c.r 5 100", stf.RegisterWrite(1, "c.r", 5, 100)),
        ("register_reset c.r", stf.RegisterWrite(1, "c.r", None, 0)),
        ("counter_write c.n 1 2 300", stf.CounterWrite(1, "c.n", 1, 2, 300)),
        ("check_counter c.n(3) bytes >= 60", stf.CheckCounter(1, "c.n", 3, "bytes", ">=", 60)),
        ("check_counter c.n(3)", stf.CheckCounter(1, "c.n", 3, "packets", "==", 0)),
        ("meter_set_rates m 2 0.5:4 1:5", stf.MeterRates(1, "m", 2, ((0.5, 4), (1.0, 5)))),
        ("meter_array_set_rates m 1:2", stf.MeterRates(1, "m", None, ((1.0, 2),))),
        ("no_packet", stf.ExpectNone(1)),
        ("wait", stf.Note(1, "wait")),
        ("register_read c.r 5", stf.Note(1, "register_read")),
    ],
)
def test_other_commands(text: str, expected: stf.Command) -> None:
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
