"""Reads STF, the little language of the scripts beside p4c's samples.

A line is a command: ``packet PORT BYTES``; ``expect PORT [BYTES] [$]``, where ``*`` stands for any
hex digit and bytes beyond the pattern are ignored unless it ends in ``$``; ``add TABLE [PRIORITY]
KEY:VALUE ... ACTION(PARAM:VALUE, ...)``; ``setdefault TABLE ACTION(...)``; and the commands of
simple_switch's CLI for clone sessions, multicast, registers, counters and meters. ``#`` starts a
comment.

``parse`` turns text into commands; every error names its line.
"""

from __future__ import annotations

import re

from conformance.commands import (
    Add,
    Call,
    CheckCounter,
    CloneDelete,
    CloneToGroup,
    CloneToPort,
    Command,
    CounterWrite,
    Expect,
    ExpectNone,
    GroupCreate,
    MeterRates,
    NodeAssociate,
    NodeCreate,
    Note,
    Number,
    Packet,
    RegisterWrite,
    SetDefault,
)


class StfError(ValueError):
    """A line that is no STF; the message starts with its number."""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>0[xX][0-9a-fA-F*]+|0[bB][01*]+|0[oO][0-7*]+|[0-9]+(?:\.[0-9]+)?)
      | "(?P<quoted>[^"]+)"
      | (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
      | (?P<mark>==|!=|<=|>=|[:,.()\[\]/=<>])
    )""",
    re.VERBOSE,
)
_DIGIT_BITS = {"x": 4, "b": 1, "o": 3}


def parse(text: str) -> list[Command]:
    """The commands of a script. Raises ``StfError``."""
    commands = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#", 1)[0].strip()
        if content:
            commands.append(_command(number, content))
    return commands


def _command(line: int, text: str) -> Command:
    word, _, rest = text.partition(" ") if "\t" not in text else _split_blank(text)
    keyword = word.lower()
    if keyword == "packet":
        return _packet(line, rest)
    if keyword == "expect":
        return _expect(line, rest)
    return _Line(line, rest).command(keyword)


def _split_blank(text: str) -> tuple[str, str, str]:
    word, *rest = text.split(None, 1)
    return word, " ", rest[0] if rest else ""


def _port(line: int, words: list[str]) -> int:
    if not words or not words[0].isdecimal():
        raise StfError(f"line {line}: expected a port number")
    return int(words[0])


def _packet(line: int, rest: str) -> Packet:
    words = rest.split()
    port = _port(line, words)
    try:
        return Packet(line, port, bytes.fromhex("".join(words[1:])))
    except ValueError:
        raise StfError(
            f"line {line}: a packet is an even number of hex digits, not '{''.join(words[1:])}'"
        ) from None


def _expect(line: int, rest: str) -> Expect:
    words = rest.split()
    port = _port(line, words)
    pattern = "".join(words[1:]).lower()
    exact = pattern.endswith("$")
    pattern = pattern.removesuffix("$")
    if wrong := re.search(r"[^0-9a-f*]", pattern):
        raise StfError(
            f"line {line}: expected hex digits, '*' and a last '$', not '{wrong.group()}'"
        )
    return Expect(line, port, pattern if pattern or exact else None, exact)


def _number(text: str) -> Number:
    base = text[1:2].lower()
    if text.startswith("0") and base in _DIGIT_BITS:
        bits, digits = _DIGIT_BITS[base], text[2:]
        value = int(digits.replace("*", "0"), 1 << bits)
        known = 0
        for digit in digits:
            known = known << bits | (0 if digit == "*" else (1 << bits) - 1)
        return Number(value, bits * len(digits), known)
    return Number(int(text), 0, 0)


class _Line:
    """The tokens of one command, read from left to right."""

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        self.text = text
        self.at = 0

    def fail(self, expected: str) -> StfError:
        rest = self.text[self.at :].strip()
        where = f"'{rest}'" if rest else "the end of the line"
        return StfError(f"line {self.line}: expected {expected} at {where}")

    # -- tokens -------------------------------------------------------------------------------

    def peek(self, kind: str, text: str | None = None) -> str | None:
        """The next token, if it is of that kind (and text)."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            return None
        found: str | None = match.group(kind)
        return found if found is not None and text in (None, found) else None

    def take(self, kind: str, text: str | None = None) -> str | None:
        """As ``peek``, and step over it."""
        found = self.peek(kind, text)
        if found is not None:
            match = _TOKEN.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
        return found

    def mark(self, text: str) -> None:
        if self.take("mark", text) is None:
            raise self.fail(f"'{text}'")

    def done(self) -> bool:
        return not self.text[self.at :].strip()

    def integer(self) -> int:
        text = self.take("number")
        if text is None or "." in text or "*" in text:
            raise self.fail("a whole number")
        return _number(text).value

    def integers(self) -> tuple[int, ...]:
        found = []
        while not self.done():
            found.append(self.integer())
        return tuple(found)

    def name(self) -> str:
        """``a.b[2].c``; parts may be quoted."""
        parts = ""
        while True:
            part = self.take("name") or self.take("quoted")
            if part is None:
                raise self.fail("a name")
            parts += part
            while self.take("mark", "["):
                parts += f"[{self.integer()}]"
                self.mark("]")
            if not self.take("mark", "."):
                return parts
            parts += "."

    # -- phrases ------------------------------------------------------------------------------

    def match(self) -> tuple[str, Number]:
        """``key:value`` or ``key:value/length``."""
        key = self.name()
        self.mark(":")
        text = self.take("number")
        if text is None or "." in text:
            raise self.fail("a number")
        number = _number(text)
        if self.take("mark", "/"):
            number = Number(number.value, number.digits, number.known, self.integer())
        return key, number

    def arguments(self) -> tuple[tuple[str, int], ...]:
        self.mark("(")
        found: list[tuple[str, int]] = []
        while not self.take("mark", ")"):
            if found:
                self.mark(",")
            name = self.name()
            self.mark(":")
            found.append((name, self.integer()))
        return tuple(found)

    def rates(self) -> tuple[tuple[float, int], ...]:
        found = []
        while not self.done():
            rate = self.take("number")
            if rate is None or not re.fullmatch(r"[0-9.]+", rate):
                raise self.fail("a rate")
            self.mark(":")
            found.append((float(rate), self.integer()))
        return tuple(found)

    # -- commands -----------------------------------------------------------------------------

    def command(self, keyword: str) -> Command:
        made = self._command(keyword)
        if not self.done():
            raise self.fail("the end of the line")
        return made

    def _command(self, keyword: str) -> Command:
        line = self.line
        match keyword:
            case "add":
                return self._add()
            case "setdefault":
                return SetDefault(line, self.name(), Call(self.name(), self.arguments()))
            case "no_packet":
                return ExpectNone(line)
            case "mirroring_add":
                return CloneToPort(line, self.integer(), self.integer())
            case "mirroring_add_mc":
                return CloneToGroup(line, self.integer(), self.integer())
            case "mirroring_delete":
                return CloneDelete(line, self.integer())
            case "mc_mgrp_create":
                return GroupCreate(line, self.integer())
            case "mc_node_create":
                return NodeCreate(line, self.integer(), self.integers())
            case "mc_node_associate":
                return NodeAssociate(line, self.integer(), self.integer())
            case "register_write":
                return RegisterWrite(line, self.name(), self.integer(), self.integer())
            case "register_reset":
                return RegisterWrite(line, self.name(), None, 0)
            case "counter_write":
                return CounterWrite(
                    line, self.name(), self.integer(), self.integer(), self.integer()
                )
            case "check_counter":
                return self._check_counter()
            case "meter_set_rates":
                return MeterRates(line, self.name(), self.integer(), self.rates())
            case "meter_array_set_rates":
                return MeterRates(line, self.name(), None, self.rates())
            case "wait" | "mirroring_get" | "counter_read" | "register_read" | "meter_get_rates":
                self.at = len(self.text)
                return Note(line, keyword)
            case _:
                raise StfError(f"line {line}: unknown command '{keyword}'")

    def _add(self) -> Add:
        table = self.name()
        priority = self.integer() if self.peek("number") is not None else None
        keys: list[tuple[str, Number]] = []
        while True:
            start = self.at
            action = self.name()
            if self.peek("mark", "("):
                call = Call(action, self.arguments())
                break
            self.at = start
            keys.append(self.match())
        if self.take("mark", "="):
            self.name()  # A label for a later check_counter; entries are told apart by key here.
        return Add(self.line, table, priority, tuple(keys), call)

    def _check_counter(self) -> CheckCounter:
        counter = self.name()
        self.mark("(")
        index = self.integer()
        self.mark(")")
        if self.done():
            return CheckCounter(self.line, counter, index, "packets", "==", 0)
        unit = self.take("name")
        if unit not in ("packets", "bytes"):
            raise self.fail("'packets' or 'bytes'")
        relation = self.take("mark")
        if relation not in ("==", "!=", "<", "<=", ">", ">="):
            raise self.fail("a comparison")
        return CheckCounter(self.line, counter, index, unit, relation, self.integer())
