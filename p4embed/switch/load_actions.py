"""Action primitives of BMv2 JSON to the typed union of ``program``.

One entry in ``_READERS`` per primitive that simple_switch has for P4_16; anything else is refused
by name. Source: behavioral-model ``docs/JSON_format.md`` "actions", ``docs/simple_switch.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from p4embed.switch import program as p
from p4embed.switch.engine import TO_MEMBER
from p4embed.switch.json_reader import Json
from p4embed.switch.load_expressions import Expressions, StackHandle, Symbols, lookup

MAX_ACTION_ID = TO_MEMBER - 1


def read_action(at: Json, symbols: Symbols) -> p.Action:
    """One element of ``actions``."""
    at.keys(("name", "id", "runtime_data", "primitives"))
    params = []
    for param in at["runtime_data"].array():
        param.keys(("name", "bitwidth"))
        params.append(p.ActionParam(param["name"].text(), param["bitwidth"].width()))
    scope = Expressions(symbols, tuple(params))
    calls = at["primitives"].array()
    body = tuple(read_primitive(call, scope, len(calls)) for call in calls)
    return p.Action(at["name"].text(), at["id"].integer(0, MAX_ACTION_ID), tuple(params), body)


def read_primitive(at: Json, scope: Expressions, length: int | None = None) -> p.Primitive:
    """A primitive call; ``length`` is that of the action's body, or ``None`` in a parser."""
    at.keys(("op", "parameters"))
    op_at, parameters = at["op"], at["parameters"]
    op = op_at.text()
    if op in ("_jump", "_jump_if_zero"):
        return _jump(op, op_at, parameters, scope, length)
    if op not in _READERS:
        close = get_close_matches(op, list(_READERS), 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise op_at.fail(f"primitive '{op}' is not supported{hint}")
    arity, reader = _READERS[op]
    return reader(parameters.array(arity), scope)


def _jump(
    op: str, op_at: Json, parameters: Json, scope: Expressions, length: int | None
) -> p.Jump | p.JumpIfZero:
    if length is None:
        raise op_at.fail(f"'{op}' outside an action; expected another primitive")
    args = parameters.array(1 if op == "_jump" else 2)
    to = _constant(args[-1], scope)
    if not 0 <= to <= length:
        raise args[-1].fail(f"jump to {to}; expected 0..{length}, the length of the action")
    return p.Jump(to) if op == "_jump" else p.JumpIfZero(scope.value(args[0]), to)


def _constant(at: Json, scope: Expressions) -> int:
    value = scope.data(at)
    if not isinstance(value, p.Const):
        raise at.fail("expected a constant")
    return value.value


def _named(at: Json, kind: str, names: dict[str, int]) -> int:
    if at["type"].text() != kind:
        raise at["type"].expected(f"'{kind}'")
    return lookup(names, at["value"], kind.replace("_", " "))


def _list_id(at: Json, scope: Expressions, lists: dict[int, int], kind: str) -> int:
    number = _constant(at, scope)
    if number not in lists:
        raise at.fail(f"no {kind} has id {number}")
    return lists[number]


_Args = list[Json]


def _assign(args: _Args, scope: Expressions) -> p.Primitive:
    return p.Assign(scope.lvalue(args[0]), scope.value(args[1]))


def _assign_variable(args: _Args, scope: Expressions) -> p.Primitive:
    return p.AssignVariable(scope.lvalue(args[0]), scope.lvalue(args[1]))


def _assign_header(args: _Args, scope: Expressions) -> p.Primitive:
    return p.AssignHeader(scope.header(args[0]), scope.header(args[1]))


def _assign_union(args: _Args, scope: Expressions) -> p.Primitive:
    return p.AssignUnion(scope.union(args[0]), scope.union(args[1]))


def _assign_stack(args: _Args, scope: Expressions) -> p.Primitive:
    target, source = scope.stack(args[0]), scope.stack(args[1])
    if isinstance(target, StackHandle) and isinstance(source, StackHandle):
        return p.AssignStack(target.stack, source.stack)
    if isinstance(target, StackHandle) or isinstance(source, StackHandle):
        raise args[1].fail("cannot assign between a header stack and a header union stack")
    return p.AssignUnionStack(target.stack, source.stack)


def _push(args: _Args, scope: Expressions) -> p.Primitive:
    stack, count = scope.stack(args[0]), _count(args[1], scope)
    if isinstance(stack, StackHandle):
        return p.PushFront(stack.stack, count)
    return p.PushUnions(stack.stack, count)


def _pop(args: _Args, scope: Expressions) -> p.Primitive:
    stack, count = scope.stack(args[0]), _count(args[1], scope)
    if isinstance(stack, StackHandle):
        return p.PopFront(stack.stack, count)
    return p.PopUnions(stack.stack, count)


def _count(at: Json, scope: Expressions) -> int:
    count = _constant(at, scope)
    if count < 0:
        raise at.fail(f"{count}; expected a count of at least 0")
    return count


def _arithmetic(op: p.DataOp) -> Callable[[_Args, Expressions], p.Primitive]:
    """``add(target, a, b)`` and its like, from P4_14."""

    def read(args: _Args, scope: Expressions) -> p.Primitive:
        value = p.Arithmetic(op, scope.data(args[1]), scope.data(args[2]))
        return p.Assign(scope.lvalue(args[0]), value)

    return read


def _mark_to_drop(args: _Args, scope: Expressions) -> p.Primitive:
    header = scope.header(args[0])
    if isinstance(header, p.HeaderRef):
        fields = scope.symbols.headers[header.header].type.fields
        refs = {field.name: p.FieldRef(header.header, i) for i, field in enumerate(fields)}
        if "egress_spec" in refs:
            return p.MarkToDrop(refs["egress_spec"], refs.get("mcast_grp"))
    raise args[0].fail("expected standard metadata, a header with a field 'egress_spec'")


def _drop(_args: _Args, scope: Expressions) -> p.Primitive:
    aliases = scope.symbols.aliases
    return p.MarkToDrop(
        aliases["standard_metadata.egress_spec"], aliases.get("intrinsic_metadata.mcast_grp")
    )


def _hash(args: _Args, scope: Expressions) -> p.Primitive:
    calculation = _named(args[2], "calculation", scope.symbols.calculations)
    base, size = scope.data(args[1]), scope.data(args[3])
    return p.HashTo(scope.lvalue(args[0]), base, calculation, size)


def _random(args: _Args, scope: Expressions) -> p.Primitive:
    return p.RandomTo(scope.lvalue(args[0]), scope.data(args[1]), scope.data(args[2]))


def _digest(args: _Args, scope: Expressions) -> p.Primitive:
    digest = _list_id(args[1], scope, scope.symbols.digests, "learn list")
    return p.Digest(scope.data(args[0]), digest)


def _clone(egress: bool) -> Callable[[_Args, Expressions], p.Primitive]:
    def read(args: _Args, scope: Expressions) -> p.Primitive:
        fields = _list_id(args[1], scope, scope.symbols.field_lists, "field list")
        return p.Clone(scope.data(args[0]), fields, egress)

    return read


def _resubmit(args: _Args, scope: Expressions) -> p.Primitive:
    return p.Resubmit(_list_id(args[0], scope, scope.symbols.field_lists, "field list"))


def _recirculate(args: _Args, scope: Expressions) -> p.Primitive:
    return p.Recirculate(_list_id(args[0], scope, scope.symbols.field_lists, "field list"))


def _execute_meter(args: _Args, scope: Expressions) -> p.Primitive:
    meter = _named(args[0], "meter_array", scope.symbols.meters)
    return p.ExecuteMeter(meter, scope.data(args[1]), scope.lvalue(args[2]))


def _count_in(args: _Args, scope: Expressions) -> p.Primitive:
    counter = _named(args[0], "counter_array", scope.symbols.counters)
    return p.CountIn(counter, scope.data(args[1]))


def _register_read(args: _Args, scope: Expressions) -> p.Primitive:
    register = _named(args[1], "register_array", scope.symbols.registers)
    return p.RegisterRead(scope.lvalue(args[0]), register, scope.data(args[2]))


def _register_write(args: _Args, scope: Expressions) -> p.Primitive:
    register = _named(args[0], "register_array", scope.symbols.registers)
    return p.RegisterWrite(register, scope.data(args[1]), scope.data(args[2]))


def _condition(at: Json, scope: Expressions) -> p.BoolExpr:
    """A boolean; p4c also writes an integer, true unless it is 0."""
    operand = scope.operand(at)
    return operand if isinstance(operand, p.BoolExpr) else p.DataToBool(scope.data(at))


def _log_message(args: _Args, scope: Expressions) -> p.Primitive:
    if args[0]["type"].text() != "string":
        raise args[0]["type"].expected("'string'")
    if args[1]["type"].text() != "parameters_vector":
        raise args[1]["type"].expected("'parameters_vector'")
    vector = args[1]["value"]
    # p4c writes an empty object, not an empty array, for a message without values.
    values = [] if vector.value == {} else vector.array()
    return p.LogMessage(args[0]["value"].text(), tuple(scope.value(value) for value in values))


_READERS: dict[str, tuple[int, Callable[[_Args, Expressions], p.Primitive]]] = {
    "assign": (2, _assign),
    "modify_field": (2, _assign),
    "assign_VL": (2, _assign_variable),
    "assign_header": (2, _assign_header),
    "copy_header": (2, _assign_header),
    "assign_union": (2, _assign_union),
    "assign_header_stack": (2, _assign_stack),
    "assign_union_stack": (2, _assign_stack),
    "add_header": (1, lambda args, scope: p.AddHeader(scope.header(args[0]))),
    "remove_header": (1, lambda args, scope: p.RemoveHeader(scope.header(args[0]))),
    "push": (2, _push),
    "pop": (2, _pop),
    "add": (3, _arithmetic(p.DataOp.ADD)),
    "subtract": (3, _arithmetic(p.DataOp.SUB)),
    "bit_and": (3, _arithmetic(p.DataOp.AND)),
    "bit_or": (3, _arithmetic(p.DataOp.OR)),
    "bit_xor": (3, _arithmetic(p.DataOp.XOR)),
    "shift_left": (3, _arithmetic(p.DataOp.SHL)),
    "shift_right": (3, _arithmetic(p.DataOp.SHR)),
    "mark_to_drop": (1, _mark_to_drop),
    "drop": (0, _drop),
    "modify_field_with_hash_based_offset": (4, _hash),
    "modify_field_rng_uniform": (3, _random),
    "generate_digest": (2, _digest),
    "clone_ingress_pkt_to_egress": (2, _clone(egress=False)),
    "clone_egress_pkt_to_egress": (2, _clone(egress=True)),
    "resubmit": (1, _resubmit),
    "recirculate": (1, _recirculate),
    "truncate": (1, lambda args, scope: p.Truncate(scope.data(args[0]))),
    "execute_meter": (3, _execute_meter),
    "count": (2, _count_in),
    "register_read": (3, _register_read),
    "register_write": (3, _register_write),
    "exit": (0, lambda _args, _scope: p.Exit()),
    "assert": (1, lambda args, scope: p.Assert(_condition(args[0], scope), assume=False)),
    "assume": (1, lambda args, scope: p.Assert(_condition(args[0], scope), assume=True)),
    "log_msg": (2, _log_message),
    "no_op": (0, lambda _args, _scope: p.NoOp()),
}
