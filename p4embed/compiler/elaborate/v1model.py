"""v1model's extern functions and methods as BMv2's primitives (simple_switch.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallInfo, EnumValue
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import conversions, expressions, externs, lvalues
from p4embed.compiler.elaborate.context import Context, Site
from p4embed.compiler.elaborate.storage import STANDARD_METADATA, annotation
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderLiteral,
    HeaderPlace,
    InstanceValue,
    IntValue,
    SlicePlace,
    StackPlace,
    StructValue,
    Text,
    Unsupported,
    Value,
    is_scalar,
)
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import StructType, Type

_Make: TypeAlias = Callable[[ir.FieldRef], tuple[str, tuple[ir.Arg, ...]]]

CHECKSUM_FUNCTIONS = frozenset(
    (
        "verify_checksum",
        "update_checksum",
        "verify_checksum_with_payload",
        "update_checksum_with_payload",
    )
)


def function(ctx: Context, expr: ast.Call, info: CallInfo) -> Value | None:
    """A call of an extern function."""
    call = _Call(ctx, expr, info)
    match info.name:
        case "verify":
            condition, error = call.scalars(0, 1)
            _only(ctx, expr, info, Site.PARSER)
            ctx.emit(ir.Verify(condition, error, expr.span))
        case "static_assert":
            # The checker has refused the program if it does not hold.
            return fold.TRUE
        case "mark_to_drop":
            _only(ctx, expr, info, Site.INGRESS, Site.EGRESS)
            _mark_to_drop(call)
        case "random":
            low, high = call.scalars(1, 2)
            call.into(0, lambda target: ("modify_field_rng_uniform", (target, low, high)))
        case "hash":
            _hash(call)
        case "digest":
            _only(ctx, expr, info, Site.INGRESS)
            _digest(call)
        case "clone":
            session = call.scalar(1)
            _clone(call, session, empty_field_list(ctx))
        case "clone_preserving_field_list":
            session = call.scalar(1)
            _clone(call, session, field_list(ctx, call.number(2)))
        case "resubmit_preserving_field_list":
            _only(ctx, expr, info, Site.INGRESS)
            call.do("resubmit", ir.Number(field_list(ctx, call.number(0))))
        case "recirculate_preserving_field_list":
            _only(ctx, expr, info, Site.EGRESS)
            call.do("recirculate", ir.Number(field_list(ctx, call.number(0))))
        case "truncate":
            call.do("truncate", call.scalar(0))
        case "assert" | "assume":
            call.do(info.name, call.scalar(0))
        case "log_msg":
            _log(call)
        case name if name in CHECKSUM_FUNCTIONS:
            raise Unsupported(
                f"'{name}' is not supported on target bmv2 in {ctx.site.title}", expr.span
            )
        case name:
            raise Unsupported(
                f"extern function '{name}' is not supported on target bmv2", expr.span
            )
    return None


def method(ctx: Context, receiver: InstanceValue, expr: ast.Call, info: CallInfo) -> Value | None:
    """A call of a method of an extern object."""
    call = _Call(ctx, expr, info)
    kind = receiver.instance.declaration.name
    match kind, info.name:
        case "counter", "count":
            call.do("count", ir.Ref("counter_array", receiver.path), call.scalar(0))
        case "direct_counter", "count":
            # BMv2 counts each time the table is applied, whatever the action says.
            return None
        case "meter", "execute_meter":
            index = call.scalar(0)
            meter = ir.Ref("meter_array", receiver.path)
            call.into(1, lambda target: ("execute_meter", (meter, index, target)))
        case "direct_meter", "read":
            result = lvalues.lvalue(ctx, call.expression(0))
            type_ = result.type if isinstance(result, ir.FieldRef) else ir.BIT32
            assert isinstance(type_, ir.Bits)
            ctx.world.meter_reads.setdefault(receiver.path, expr.span)
            colour = externs.direct_meter_result(ctx, receiver, type_)
            lvalues.store(ctx, result, fold.cast(colour, type_), expr.span)
        case "register", "read":
            index = call.scalar(1)
            register = ir.Ref("register_array", receiver.path)
            call.into(0, lambda target: ("register_read", (target, register, index)))
        case "register", "write":
            index, value = call.scalars(0, 1)
            call.do("register_write", ir.Ref("register_array", receiver.path), index, value)
        case _:
            raise Unsupported(f"'{kind}.{info.name}' is not supported on target bmv2", expr.span)
    return None


class _Call:
    """One call's arguments, evaluated as they are asked for."""

    def __init__(self, ctx: Context, expr: ast.Call, info: CallInfo) -> None:
        self.ctx = ctx
        self.expr = expr
        self.info = info

    def expression(self, index: int) -> ast.Expression:
        value = self.info.arguments[index].value
        assert value is not None
        return value

    def value(self, index: int) -> Value:
        argument = self.info.arguments[index]
        expr = self.expression(index)
        value = expressions.evaluate(self.ctx, expr)
        return conversions.convert(self.ctx, value, self.ctx.resolve(argument.type), expr)

    def scalar(self, index: int) -> ir.Expr:
        return conversions.as_scalar(self.ctx, self.value(index), self.expression(index))

    def scalars(self, *indices: int) -> tuple[ir.Expr, ...]:
        exprs = [self.expression(i) for i in indices]
        values = expressions.several(self.ctx, exprs)
        result = []
        for i, value, expr in zip(indices, values, exprs, strict=True):
            type_ = self.ctx.resolve(self.info.arguments[i].type)
            converted = conversions.convert(self.ctx, value, type_, expr)
            result.append(conversions.as_scalar(self.ctx, converted, expr))
        return tuple(result)

    def number(self, index: int) -> int:
        value = self.value(index)
        match value:
            case ir.Const(number) | IntValue(number):
                return number
        raise Unsupported("this must be known while compiling", self.expression(index).span)

    def enum(self, index: int) -> str:
        """The member of an enum given by name."""
        known = self.ctx.checked.constants.get(self.expression(index))
        if isinstance(known, EnumValue):
            return known.name
        raise Unsupported("this must be known while compiling", self.expression(index).span)

    def do(self, op: str, *args: ir.Arg) -> None:
        lvalues.do(self.ctx, op, args, self.expr.span)

    def into(self, index: int, make: _Make) -> None:
        """A primitive that writes a field: into the argument, or a temporary copied there."""
        place = lvalues.lvalue(self.ctx, self.expression(index))
        if isinstance(place, ir.FieldRef) and isinstance(place.type, ir.Bits):
            self.do(*_flat(make(place)))
            return
        if isinstance(place, SlicePlace):
            type_: ir.Scalar = ir.Bits(place.high - place.low + 1)
        elif is_scalar(place):
            type_ = place.type
        else:
            raise Unsupported(
                "this result is not supported on target bmv2", self.expression(index).span
            )
        target = self.ctx.temporary(type_, "result")
        self.do(*_flat(make(target)))
        lvalues.store(self.ctx, place, target, self.expr.span)


def _flat(made: tuple[str, tuple[ir.Arg, ...]]) -> tuple[str, *tuple[ir.Arg, ...]]:
    return made[0], *made[1]


def _only(ctx: Context, expr: ast.Call, info: CallInfo, *sites: Site) -> None:
    if ctx.site not in sites:
        raise Unsupported(
            f"'{info.name}' is not supported on target bmv2 in {ctx.site.title}", expr.span
        )


def _mark_to_drop(call: _Call) -> None:
    """BMv2's primitive knows the standard metadata only; a copy of it gets what that got."""
    ctx, span = call.ctx, call.expr.span
    real = ctx.world.standard_metadata
    assert isinstance(real, StructValue)
    given = real if not call.info.arguments else lvalues.lvalue(ctx, call.expression(0))
    assert isinstance(given, StructValue)
    names = ("egress_spec", "mcast_grp")
    is_copy = any(given.fields[n] != real.fields[n] for n in names)
    kept = {n: expressions.keep(ctx, real.fields[n]) for n in names} if is_copy else {}
    call.do("mark_to_drop", ir.Ref("header", STANDARD_METADATA))
    for name, value in kept.items():
        lvalues.store(ctx, given.fields[name], real.fields[name], span)
        lvalues.store(ctx, real.fields[name], value, span)


# --- hash --------------------------------------------------------------------------


def _hash(call: _Call) -> None:
    algorithm = call.enum(1)
    base = call.scalar(2)
    data = call.value(3)
    size = call.scalar(4)
    ctx = call.ctx
    inputs: list[ir.CalculationInput] = []
    # BMv2 leaves out the fields of invalid headers; P4 hashes them, whatever they contain.
    for leaf in _leaves(call, data, 3):
        if isinstance(leaf, ir.Const) or (
            isinstance(leaf, ir.FieldRef) and ctx.storage.is_metadata(leaf.instance)
        ):
            inputs.append(leaf)
        else:
            # Of an invalid header BMv2 would leave the field out: fewer bytes, another hash.
            saved = ctx.save(leaf, "hash_input", call.expr.span)
            assert isinstance(saved, ir.FieldRef)
            inputs.append(saved)
    name = calculation(ctx, algorithm, tuple(inputs), call.expr.span)
    ref = ir.Ref("calculation", name)
    call.into(0, lambda target: ("modify_field_with_hash_based_offset", (target, base, ref, size)))


def _leaves(call: _Call, data: Value, index: int) -> list[ir.Expr]:
    return expressions.scalar_leaves(call.ctx, data, call.expression(index))


def calculation(
    ctx: Context, algorithm: str, inputs: tuple[ir.CalculationInput, ...], span: Span
) -> str:
    """Name of a new calculation.

    Raises:
        Unsupported: BMv2 has no such algorithm.
    """
    if algorithm not in externs.ALGORITHMS:
        raise Unsupported(f"algorithm '{algorithm}' is not supported on target bmv2", span)
    number = ctx.world.calculations
    ctx.world.calculations += 1
    name = "calc" if number == 0 else f"calc_{number - 1}"
    ctx.world.program.calculations.append(ir.Calculation(name, algorithm, inputs, span))
    return name


# --- digests, clones, logs ---------------------------------------------------------


def _digest(call: _Call) -> None:
    ctx = call.ctx
    argument = call.info.arguments[1]
    type_ = ctx.resolve(argument.type)
    name = type_.name if isinstance(type_, StructType) else f"digest_{len(ctx.world.digests)}"
    values = [
        conversions.as_scalar(ctx, leaf, call.expression(1))
        for leaf in _leaves(call, call.value(1), 1)
    ]
    # BMv2 reads the fields when ingress ends; P4 wants their values of now.
    learn = ctx.world.digests.get(name)
    if learn is None:
        fields = tuple(ctx.temporary(v.type, f"{name}.{i}") for i, v in enumerate(values))
        learn = ir.FieldList(len(ctx.world.digests) + 1, name, fields, call.expr.span)
        ctx.world.digests[name] = learn
        ctx.world.program.learn_lists.append(learn)
    for target, value in zip(learn.fields, values, strict=True):
        ctx.emit(tree.Assign(target, value, call.expr.span))
    receiver = call.scalar(0)
    call.do("generate_digest", receiver, ir.Number(learn.id))


def _clone(call: _Call, session: ir.Expr, list_id: int) -> None:
    kind = call.enum(0)
    wanted = Site.INGRESS if kind == "I2E" else Site.EGRESS
    if call.ctx.site is not wanted:
        raise Unsupported(
            f"'CloneType.{kind}' is not supported on target bmv2 in {call.ctx.site.title}",
            call.expr.span,
        )
    op = "clone_ingress_pkt_to_egress" if kind == "I2E" else "clone_egress_pkt_to_egress"
    call.do(op, session, ir.Number(list_id))


EMPTY_LIST = -1


def empty_field_list(ctx: Context) -> int:
    """Id of the list that keeps nothing."""
    return _add_list(ctx, EMPTY_LIST, "none", ())


def field_list(ctx: Context, index: int) -> int:
    """Id of the list of metadata fields marked `@field_list(index)`."""
    fields: list[ir.FieldRef] = []
    metadata = ctx.world.metadata
    type_ = ctx.world.metadata_type
    if metadata is not None and type_ is not None:
        _marked(ctx, metadata, type_, index, fields)
    return _add_list(ctx, index, f"field_list_{index}", tuple(fields))


def _add_list(ctx: Context, index: int, name: str, fields: tuple[ir.FieldRef, ...]) -> int:
    known = ctx.world.field_lists.get(index)
    if known is None:
        # 0 says "not asked for" in BMv2's registers, so ids begin at 1.
        known = ir.FieldList(len(ctx.world.field_lists) + 1, name, fields)
        ctx.world.field_lists[index] = known
        ctx.world.program.field_lists.append(known)
    return known.id


def _marked(ctx: Context, value: Value, type_: Type, index: int, fields: list[ir.FieldRef]) -> None:
    if not isinstance(type_, StructType) or not isinstance(value, StructValue):
        return
    for f in type_.fields:
        part = value.fields[f.name]
        mark = annotation(f.declaration, "field_list")
        if mark is None or index not in _numbers(ctx, mark):
            _marked(ctx, part, f.type, index, fields)
            continue
        for leaf in _all_fields(part):
            if leaf is None:
                raise Unsupported(
                    "only scalar metadata can be in a field list on target bmv2",
                    f.declaration.span,
                )
            fields.append(leaf)


def _numbers(ctx: Context, mark: ast.Annotation) -> Iterator[object]:
    """The numbers of the lists that a field is in."""
    if mark.numbers is None:
        yield from mark.literals
    for number in mark.numbers or ():
        value = ctx.checked.constants.get(number)
        yield value.value if isinstance(value, EnumValue) else value


def _all_fields(value: Value) -> list[ir.FieldRef | None]:
    match value:
        case ir.FieldRef():
            return [value]
        case StructValue(fields):
            return [leaf for part in fields.values() for leaf in _all_fields(part)]
    return [None]


def _log(call: _Call) -> None:
    text = call.value(0)
    assert isinstance(text, Text)
    pieces = text.value.split("{}")
    values: list[ir.Expr] = []
    shown: list[str] = []
    if len(call.info.arguments) > 1:
        data = call.value(1)
        values = _leaves(call, data, 1)
        parts = data.fields.values() if isinstance(data, StructValue) else [data]
        shown = [_placeholder(part) for part in parts]
    if len(shown) != len(pieces) - 1:
        # BMv2 would never end with the packet.
        raise Unsupported(
            f"the text has {len(pieces) - 1} '{{}}' for {len(shown)} values", call.expr.span
        )
    message = "".join(a + b for a, b in zip(pieces, [*shown, ""], strict=True))
    call.do("log_msg", ir.Ref("string", message), ir.Vector(tuple(values)))


def _placeholder(value: Value) -> str:
    """What stands in a text for a value: `{}`, or `(a:{},b:{})` for a header or struct."""
    match value:
        case StructValue(fields) | HeaderLiteral(_, fields):
            parts = [f"{name}:{_placeholder(part)}" for name, part in fields.items()]
        case HeaderPlace(_, type_) | ElementPlace(_, type_):
            parts = [f"{name}:{{}}" for name in _leaf_names(type_)]
        case StackPlace(elements=elements):
            parts = [_placeholder(element) for element in elements]
        case _:
            return "{}"
    return f"({','.join(parts)})"


def _leaf_names(type_: StructType) -> Iterator[str]:
    for f in type_.fields:
        if isinstance(f.type, StructType):
            yield from (f"{f.name}.{inner}" for inner in _leaf_names(f.type))
        else:
            yield f.name
