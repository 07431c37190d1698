"""Execution of primitives, one case each, and of actions.

Source: behavioral-model ``docs/JSON_format.md`` "actions" and ``docs/simple_switch.md``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.checksum import calculate
from p4embed.switch.expressions import Evaluator
from p4embed.switch.packet import Packet
from p4embed.switch.state import State

MAX_STEPS = 1 << 16
"""Primitives that one call of an action may run; loops beyond are stopped."""


def run_action(action: p.Action, params: Sequence[int], packet: Packet, state: State) -> None:
    """Run an action's primitives with parameters as integers."""
    evaluator = Evaluator(packet, state, params)
    at, body = 0, action.body
    for _ in range(MAX_STEPS):
        if at >= len(body):
            return
        primitive = body[at]
        at += 1
        match primitive:
            case p.Jump(to):
                at = to
            case p.JumpIfZero(cond, to):
                if evaluator.data(cond) == 0:
                    at = to
            case _:
                run_primitive(primitive, packet, evaluator)
    packet.log(f"action {action.name} ran {MAX_STEPS} primitives; it is stopped here")


def run_primitive(op: p.Primitive, packet: Packet, evaluator: Evaluator) -> None:
    """Run one primitive."""
    state = evaluator.state
    match op:
        case p.Assign(target, value):
            evaluator.store(target, evaluator.data(value))
        case p.AssignVariable(target, source):
            _assign_variable(target, source, packet, evaluator)
        case p.AssignHeader(header_target, header_source):
            _copy_headers(
                [evaluator.header(header_target)], [evaluator.header(header_source)], packet
            )
        case p.AssignUnion(union_target, union_source):
            to, from_ = evaluator.union_headers(union_target), evaluator.union_headers(union_source)
            if to is not None and from_ is not None:
                _copy_headers(to, from_, packet)
        case p.AssignStack(stack, other):
            stacks = packet.program.stacks
            _copy_headers(stacks[stack].headers, stacks[other].headers, packet)
            packet.next[stack] = packet.next[other]
        case p.AssignUnionStack(stack, other):
            for to_union, from_union in zip(
                _union_members(packet, stack), _union_members(packet, other), strict=True
            ):
                _copy_headers(to_union, from_union, packet)
            packet.union_next[stack] = packet.union_next[other]
        case p.AddHeader(header_expr):
            _add_header(evaluator.header(header_expr), packet)
        case p.RemoveHeader(header_expr):
            _remove_header(evaluator.header(header_expr), packet)
        case p.PushFront(stack, count):
            headers = [(h,) for h in packet.program.stacks[stack].headers]
            packet.next[stack] = min(packet.next[stack] + count, len(headers))
            _shift(headers, count, packet)
        case p.PopFront(stack, count):
            headers = [(h,) for h in packet.program.stacks[stack].headers]
            packet.next[stack] = max(packet.next[stack] - count, 0)
            _shift(headers, -count, packet)
        case p.PushUnions(stack, count):
            unions = _union_members(packet, stack)
            packet.union_next[stack] = min(packet.union_next[stack] + count, len(unions))
            _shift(unions, count, packet)
        case p.PopUnions(stack, count):
            unions = _union_members(packet, stack)
            packet.union_next[stack] = max(packet.union_next[stack] - count, 0)
            _shift(unions, -count, packet)
        case p.MarkToDrop(spec, group):
            packet.assign(spec.header, spec.field, state.drop_port)
            if group is not None:
                packet.assign(group.header, group.field, 0)
        case p.HashTo(target, base, calculation, size):
            result = calculate(packet.program.calculations[calculation], packet)
            modulus = evaluator.data(size) or 1
            evaluator.store(target, result % modulus + evaluator.data(base))
        case p.RandomTo(target, low, high):
            lowest, highest = evaluator.data(low), evaluator.data(high)
            if lowest <= highest:
                evaluator.store(target, random.randint(lowest, highest))
        case p.Digest(_, digest):
            packet.digest = digest
        case p.Clone(session, field_list):
            packet.clone = (evaluator.data(session), field_list)
        case p.Resubmit(field_list):
            packet.resubmit = field_list
        case p.Recirculate(field_list):
            packet.recirculate = field_list
        case p.Truncate(length):
            packet.truncate = evaluator.data(length)
        case p.ExecuteMeter(meter, index, target):
            color = state.color(meter, evaluator.data(index), packet.ingress_length, packet.now_ns)
            if color is not None:
                evaluator.store(target, color)
        case p.CountIn(counter, index):
            state.count(counter, evaluator.data(index), packet.ingress_length)
        case p.RegisterRead(target, register, index):
            cell = state.register(register, evaluator.data(index))
            if cell is not None:
                evaluator.store(target, cell)
        case p.RegisterWrite(register, index, value):
            state.set_register(register, evaluator.data(index), evaluator.data(value))
        case p.Exit():
            packet.exited = True
        case p.Assert(cond, assume):
            if not evaluator.truth(cond):
                packet.failed = packet.exited = True
                packet.log(f"{'assume' if assume else 'assert'} does not hold; packet dropped")
        case p.LogMessage(format_, values):
            text = format_
            for expr in values:
                text = text.replace("{}", str(evaluator.data(expr)), 1)
            packet.log(text)
        case p.NoOp() | p.Jump() | p.JumpIfZero():
            pass
        case _:
            assert_never(op)


def _union_members(packet: Packet, stack: int) -> list[tuple[int, ...]]:
    program = packet.program
    return [program.unions[union].headers for union in program.union_stacks[stack].unions]


def _copy_headers(
    targets: Sequence[int | None], sources: Sequence[int | None], packet: Packet
) -> None:
    """Copy fields and validity, header by header."""
    for target, source in zip(targets, sources, strict=True):
        if target is None or source is None:
            continue
        for index, value in enumerate(packet.values[source]):
            if packet.valid[source]:
                packet.assign(target, index, value)
        packet.lengths[target] = packet.lengths[source]
        packet.set_valid(target, packet.valid[source])


def _assign_variable(
    target: p.LValue, source: p.LValue, packet: Packet, evaluator: Evaluator
) -> None:
    to, from_ = _place(target, evaluator), _place(source, evaluator)
    if to is None or from_ is None:
        return
    packet.assign(to[0], to[1], packet.values[from_[0]][from_[1]])
    packet.lengths[to[0]] = packet.lengths[from_[0]]


def _place(target: p.LValue, evaluator: Evaluator) -> tuple[int, int] | None:
    if isinstance(target, p.FieldRef):
        return target.header, target.field
    header = evaluator.header(target.header)
    return None if header is None else (header, target.field)


def _add_header(header: int | None, packet: Packet) -> None:
    if header is None or packet.valid[header]:
        return
    packet.values[header] = [0] * len(packet.values[header])
    packet.lengths[header] = 0
    packet.set_valid(header, True)
    packet.length += packet.size(header)


def _remove_header(header: int | None, packet: Packet) -> None:
    if header is None or not packet.valid[header]:
        return
    packet.length -= packet.size(header)
    packet.set_valid(header, False)


def _shift(elements: Sequence[tuple[int, ...]], by: int, packet: Packet) -> None:
    """Move a stack's elements up (or down); those that nothing moves into become invalid."""
    snapshot = [
        [(list(packet.values[h]), packet.lengths[h], packet.valid[h]) for h in element]
        for element in elements
    ]
    for at, element in enumerate(elements):
        source = at - by
        for member, header in enumerate(element):
            if 0 <= source < len(elements):
                values, length, valid = snapshot[source][member]
                packet.values[header] = list(values)
                packet.lengths[header] = length
                packet.set_valid(header, valid)
            else:
                packet.set_valid(header, False)
