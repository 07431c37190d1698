"""Scripts against a target that notes what it is told and answers as it is told."""

from collections.abc import Sequence

import pytest

from conformance import commands, stf
from conformance.naming import Action, Match, Names, TableEntry, UnknownName
from conformance.replay import Outcome, Rejected, Unsupported, Verdict, replay

PROGRAM = {
    "actions": [
        {"id": 0, "name": "c.out", "runtime_data": [{"name": "port", "bitwidth": 9}]},
        {"id": 1, "name": "c.none", "runtime_data": []},
    ],
    "pipelines": [
        {
            "tables": [
                {
                    "name": "c.exact",
                    "key": [
                        {"match_type": "exact", "target": ["h", "a"], "name": "hdr.h.a"},
                        {"match_type": "exact", "target": ["s[0]", "b"], "name": "hdr.s[0].b"},
                    ],
                    "action_ids": [0, 1],
                },
                {
                    "name": "c.masked",
                    "key": [
                        {"match_type": "ternary", "target": ["h", "a"]},
                        {"match_type": "exact", "target": ["h", "$valid$"]},
                    ],
                    "action_ids": [0],
                },
            ]
        },
        {
            "tables": [
                {
                    "name": "e.prefix",
                    "key": [{"match_type": "lpm", "target": ["h", "a"], "name": "h.a"}],
                    "action_ids": [1],
                },
                {
                    "name": "e.range",
                    "key": [{"match_type": "range", "target": ["h", "a"], "name": "h.a"}],
                    "action_ids": [1],
                },
                {"name": "p.x", "key": [], "action_ids": [1]},
                {"name": "q.x", "key": [], "action_ids": [1]},
            ]
        },
    ],
    "counter_arrays": [{"name": "c.count"}],
    "register_arrays": [{"name": "c.state"}],
}


class Told:
    """Sends every packet out of the port after the one it came in by."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.left: list[tuple[int, bytes]] = []
        self.reject = False
        self.counts = {("c.count", 0): (2, 120)}

    def add(self, entry: TableEntry) -> None:
        if self.reject:
            raise Rejected("table is full")
        self.calls.append(entry)

    def set_default(self, table: str, action: Action) -> None:
        self.calls.append((table, action))

    def set_group(self, group: int, copies: Sequence[tuple[int, int]]) -> None:
        self.calls.append(("group", group, list(copies)))

    def set_clone(self, session: int, copies: Sequence[tuple[int, int]]) -> None:
        self.calls.append(("clone", session, list(copies)))

    def set_register(self, register: str, index: int | None, value: int) -> None:
        self.calls.append(("register", register, index, value))

    def set_counter(self, counter: str, index: int, packets: int, size: int) -> None:
        self.calls.append(("counter", counter, index, packets, size))

    def counter(self, counter: str, index: int) -> tuple[int, int]:
        return self.counts[counter, index]

    def set_meter(self, meter: str, index: int | None, rates: commands.MeterRates) -> None:
        raise Unsupported(f"no rates for {meter}[{index}]: {rates.rates}")

    def packet(self, port: int, frame: bytes) -> None:
        self.left.append((port + 1, frame))

    def sent(self) -> Sequence[tuple[int, bytes]]:
        return self.left


def play(script: str, target: Told | None = None) -> Outcome:
    return replay(stf.parse(script), Names(PROGRAM), target or Told())


def entry(script: str) -> TableEntry:
    (command,) = stf.parse(script)
    assert isinstance(command, commands.Add)
    return Names(PROGRAM).entry(command)


def test_as_expected() -> None:
    assert play("packet 0 0102\nexpect 1 01**$\npacket 4 aa\nexpect 5") == Outcome(Verdict.PASSED)


def test_ports_that_no_line_names_do_not_count() -> None:
    assert play("packet 0 0102").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("packet 0 01\nexpect 1 02", "line 2: port 1: byte 0 is 01 where 02 was expected"),
        ("expect 1 02", "line 1: port 1: no packet"),
        ("packet 0 01\npacket 1 02", "port 1: unexpected packet 01"),
        ("packet 0 01\npacket 0 02\nexpect 1 02\nexpect 1 01", "line 3: port 1: byte 0 is 01"),
        ("check_counter count(0) packets > 2", "line 1: counter 'count' cell 0 has 2 packets"),
    ],
)
def test_failures_say_what_and_where(script: str, reason: str) -> None:
    outcome = play(script)
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reason


def test_a_rejected_change_counts_only_by_what_packets_show() -> None:
    target = Told()
    target.reject = True
    assert play("add exact c.none()\npacket 0 01\nexpect 1", target).verdict is Verdict.PASSED
    outcome = play("add exact c.none()\nexpect 3", target)
    assert outcome.reason.startswith("line 1: table is full; line 2: port 3: no packet")


def test_what_a_target_cannot_do_is_refused() -> None:
    assert play("meter_array_set_rates m 1:2").verdict is Verdict.PASSED  # It has no such meter.
    names = Names(PROGRAM | {"meter_arrays": [{"name": "c.m"}]})
    outcome = replay(stf.parse("meter_array_set_rates m 1:2"), names, Told())
    assert outcome == Outcome(Verdict.REFUSED, "no rates for c.m[None]: ((1.0, 2),)")


def test_groups_nodes_and_clone_sessions() -> None:
    target = Told()
    play(
        """
        mc_mgrp_create 9
        mc_node_create 7 1 2
        mc_node_create 8 3
        mc_node_associate 9 1
        mc_node_associate 9 0
        mirroring_add_mc 5 9
        mirroring_add 6 4
        mirroring_delete 6
        register_reset state
        counter_write count 1 2 3
        setdefault masked out(port:4)
        """,
        target,
    )
    assert target.calls == [
        ("group", 9, [(3, 8)]),
        ("group", 9, [(3, 8), (1, 7), (2, 7)]),
        ("clone", 5, [(3, 8), (1, 7), (2, 7)]),
        ("clone", 6, [(4, 0)]),
        ("clone", 6, []),
        ("register", "c.state", None, 0),
        ("counter", "c.count", 1, 2, 3),
        ("c.masked", Action("c.out", 0, (("port", 4),))),
    ]


def test_short_names_stack_elements_and_missing_keys() -> None:
    assert entry("add exact s$0.b:2 out(port:1)") == TableEntry(
        "c.exact",
        (Match("hdr.h.a", "exact", 0), Match("hdr.s[0].b", "exact", 2)),
        0,
        Action("c.out", 0, (("port", 1),)),
    )


def test_masks_follow_the_written_digits_and_priorities_start_at_1() -> None:
    assert entry("add masked 0 h.a:0x1* valid:1 out(port:1)") == TableEntry(
        "c.masked",
        (Match("h.a", "ternary", 0x10, 0xF0), Match("h.$valid$", "exact", 1)),
        1,
        Action("c.out", 0, (("port", 1),)),
    )
    assert entry("add masked 5 a:7 out(port:1)").keys[0] == Match("h.a", "ternary", 7, -1)


@pytest.mark.parametrize(
    ("number", "prefix"), [("0x0a01****", 16), ("0x0a010000/12", 12), ("10", -1), ("0x0a", 8)]
)
def test_prefix_lengths(number: str, prefix: int) -> None:
    assert entry(f"add prefix h.a:{number} none()").keys[0].prefix == prefix


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("add tbl none()", "table 'tbl' is none of c.exact, c.masked, e.prefix, e.range, p.x, q.x"),
        ("add x none()", "table 'x' could be p.x or q.x"),
        ("add exact h.z:1 none()", r"table 'c.exact' has no key 'h.z': hdr.h.a, hdr.s\[0\].b"),
        ("add exact h.a:1 out(p:1)", r"action 'c.out' takes \(port\), not \(p\)"),
        ("add masked none()", "action of table 'c.masked' 'none' is none of c.out"),
        ("add range h.a:1 none()", "scripts cannot say a range match, which key 'h.a' is"),
    ],
)
def test_unknown_names(script: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        entry(script)
