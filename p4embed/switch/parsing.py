"""The parser and the deparser.

A parser walks its states over the frame with a bit cursor. An error (a frame too short, a stack
that is full, a failed ``verify``) ends it with the error's code; what was extracted stays valid and
the packet goes on to ingress, as v1model has it.
"""

from __future__ import annotations

from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.expressions import Evaluator
from p4embed.switch.packet import Packet, fit
from p4embed.switch.primitives import run_primitive
from p4embed.switch.state import State
from p4embed.switch.trace import Extracted, ParserState, ParserStopped

MAX_STATES = 4096
"""States a packet may pass; a parser that loops without consuming would never end."""


class ParserError(Exception):
    """Ends the parser with an error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Cursor:
    """Bits of the frame, from first to last."""

    def __init__(self, frame: bytes, errors: p.Errors) -> None:
        self._frame = frame
        self._errors = errors
        self.at = 0
        """Bits consumed."""

    def peek(self, offset: int, width: int) -> int:
        """Bits that lie ahead; PacketTooShort beyond the end."""
        first, last = self.at + offset, self.at + offset + width
        if last > 8 * len(self._frame):
            raise ParserError(self._errors.packet_too_short)
        start, end = first // 8, (last + 7) // 8
        number = int.from_bytes(self._frame[start:end], "big")
        return number >> (8 * end - last) & ((1 << width) - 1)

    def advance(self, bits: int) -> None:
        """Consume whole bytes; PacketTooShort beyond the end."""
        if bits % 8:
            raise ParserError(self._errors.invalid_argument)
        if bits < 0 or self.at + bits > 8 * len(self._frame):
            raise ParserError(self._errors.packet_too_short)
        self.at += bits

    @property
    def rest(self) -> bytes:
        """What is not consumed."""
        return self._frame[self.at // 8 :]


def parse(packet: Packet, state: State) -> None:
    """Run the program's parser; sets headers, payload and ``packet.error``."""
    program = packet.program
    cursor = Cursor(packet.frame, program.errors)
    try:
        _walk(packet, state, cursor)
        packet.error = program.errors.no_error
    except ParserError as error:
        packet.error = error.code
        if packet.trace is not None:
            names = {code: name for name, code in program.errors.names}
            packet.trace(ParserStopped(names.get(error.code, str(error.code))))
    packet.payload = cursor.rest


def _walk(packet: Packet, state: State, cursor: Cursor) -> None:
    parser = packet.program.parser
    evaluator = Evaluator(packet, state)
    index = parser.start
    for _ in range(MAX_STATES):
        if index is None:
            return
        current = parser.states[index]
        if packet.trace is not None:
            packet.trace(ParserState(current.name))
        for op in current.ops:
            _run(op, packet, evaluator, cursor)
        index = _next(current, state, evaluator, cursor)
    packet.log(f"the parser passed {MAX_STATES} states; it is stopped here")


def _run(op: p.ParserOp, packet: Packet, evaluator: Evaluator, cursor: Cursor) -> None:
    program = packet.program
    match op:
        case p.ExtractHeader(header, length):
            _extract(header, length, packet, evaluator, cursor)
        case p.ExtractNext(stack, length):
            elements, at = program.stacks[stack].headers, packet.next[stack]
            if at >= len(elements):
                raise ParserError(program.errors.stack_out_of_bounds)
            _extract(elements[at], length, packet, evaluator, cursor)
            packet.next[stack] += 1
        case p.ExtractNextUnion(stack, member, length):
            unions, at = program.union_stacks[stack].unions, packet.union_next[stack]
            if at >= len(unions):
                raise ParserError(program.errors.stack_out_of_bounds)
            header = program.unions[unions[at]].headers[member]
            _extract(header, length, packet, evaluator, cursor)
            packet.union_next[stack] += 1
        case p.SetField(target, p.Lookahead(offset, width)):
            evaluator.store(target, cursor.peek(offset, width))
        case p.SetField(target, p.FieldOf(header_expr) as source):
            _check_last(header_expr, packet)
            evaluator.store(target, evaluator.data(source))
        case p.SetField(target, value):
            assert not isinstance(value, p.Lookahead)
            evaluator.store(target, evaluator.data(value))
        case p.Verify(cond, error):
            if not evaluator.truth(cond):
                raise ParserError(evaluator.data(error))
        case p.Advance(bits):
            cursor.advance(evaluator.data(bits))
        case p.ParserCall(primitive):
            run_primitive(primitive, packet, evaluator)
        case _:
            assert_never(op)


def _check_last(header: p.HeaderExpr, packet: Packet) -> None:
    """``stack.last`` of an empty stack is an error in a parser."""
    if isinstance(header, p.LastElement) and packet.next[header.stack] == 0:
        raise ParserError(packet.program.errors.stack_out_of_bounds)


def _extract(
    header: int, length: p.DataExpr | None, packet: Packet, evaluator: Evaluator, cursor: Cursor
) -> None:
    declared = packet.program.headers[header]
    type_ = declared.type
    variable = 0
    if length is not None and type_.variable is not None:
        variable = evaluator.data(length)
        if variable % 8:
            raise ParserError(packet.program.errors.invalid_argument)
        if not 0 <= variable <= type_.fields[type_.variable].width:
            raise ParserError(packet.program.errors.header_too_short)
    total = type_.fixed_width + variable
    number, below = cursor.peek(0, total), total
    values = packet.values[header]
    for index, field in enumerate(type_.fields):
        width = variable if field.variable else field.width
        below -= width
        raw = number >> below & ((1 << width) - 1)
        values[index] = raw if field.variable else fit(raw, field)
    cursor.advance(total)
    packet.lengths[header] = variable
    if packet.trace is not None:
        shown = tuple((f.name, v) for f, v in zip(type_.fields, values, strict=True))
        packet.trace(Extracted(declared.name, shown))
    packet.set_valid(header, True)


def _next(current: p.ParseState, state: State, evaluator: Evaluator, cursor: Cursor) -> int | None:
    if not current.key:
        return current.default
    key = b""
    for part in current.key:
        match part.source:
            case p.Lookahead(offset, width):
                value = cursor.peek(offset, width)
            case p.FieldOf(header) as source:
                _check_last(header, evaluator.packet)
                value = evaluator.data(source)
            case source:
                value = evaluator.data(source)
        value &= (1 << part.width) - 1
        key += value.to_bytes(p.byte_width(part.width), "big")
    number = int.from_bytes(key, "big")
    for transition in current.transitions:
        mask = int.from_bytes(transition.mask, "big")
        match transition:
            case p.OnValue(value=wanted):
                if number & mask == int.from_bytes(wanted, "big"):
                    return transition.next
            case p.OnSet(value_set=value_set):
                members = state.value_sets[value_set]
                if any((number ^ value) & mask & care == 0 for value, care in members):
                    return transition.next
            case _:
                assert_never(transition)
    return current.default


def deparse(packet: Packet) -> bytes:
    """Valid headers in the deparser's order, then the payload; cut if ``truncate`` was called."""
    parts = [packet.emit(h) for h in packet.program.deparser.order if packet.valid[h]]
    frame = b"".join((*parts, packet.payload))
    return frame if packet.truncate is None else frame[: packet.truncate]
