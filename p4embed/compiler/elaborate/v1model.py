"""v1model's extern functions and methods as BMv2's primitives (simple_switch.md)."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallInfo
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import expressions, externs, lvalues, reports
from p4embed.compiler.elaborate.context import Context, Site
from p4embed.compiler.elaborate.extern_calls import ExternCall
from p4embed.compiler.elaborate.storage import STANDARD_METADATA
from p4embed.compiler.elaborate.values import (
    InstanceValue,
    StructValue,
    Unsupported,
    Value,
    is_scalar,
)
from p4embed.compiler.ir import fold

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
    call = ExternCall(ctx, expr, info)
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
            reports.digest(call)
        case "clone":
            session = call.scalar(1)
            reports.clone(call, session, reports.empty_field_list(ctx))
        case "clone_preserving_field_list":
            session = call.scalar(1)
            reports.clone(call, session, reports.field_list(ctx, call.number(2)))
        case "resubmit_preserving_field_list":
            _only(ctx, expr, info, Site.INGRESS)
            call.do("resubmit", ir.Number(reports.field_list(ctx, call.number(0))))
        case "recirculate_preserving_field_list":
            _only(ctx, expr, info, Site.EGRESS)
            call.do("recirculate", ir.Number(reports.field_list(ctx, call.number(0))))
        case "truncate":
            call.do("truncate", call.scalar(0))
        case "assert" | "assume":
            call.do(info.name, call.scalar(0))
        case "log_msg":
            reports.log(call)
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
    call = ExternCall(ctx, expr, info)
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


def _only(ctx: Context, expr: ast.Call, info: CallInfo, *sites: Site) -> None:
    if ctx.site not in sites:
        raise Unsupported(
            f"'{info.name}' is not supported on target bmv2 in {ctx.site.title}", expr.span
        )


def _mark_to_drop(call: ExternCall) -> None:
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


def _hash(call: ExternCall) -> None:
    algorithm = call.enum(1)
    base = call.scalar(2)
    data = call.value(3)
    if is_scalar(data):
        raise Unsupported(
            "the data of 'hash' is a list or a struct",
            call.expression(3).span,
            "put it into braces: { ... }",
        )
    size = call.scalar(4)
    ctx = call.ctx
    inputs: list[ir.CalculationInput] = []
    # BMv2 leaves out the fields of invalid headers; P4 hashes them, whatever they contain.
    for leaf in call.leaves(data, 3):
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
