"""What leaves the pipeline beside the packet: digests, clones with their field lists, logs."""

from __future__ import annotations

from collections.abc import Iterator

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import EnumValue
from p4embed.compiler.elaborate import conversions
from p4embed.compiler.elaborate.context import Context, Site
from p4embed.compiler.elaborate.extern_calls import ExternCall
from p4embed.compiler.elaborate.storage import annotation
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderLiteral,
    HeaderPlace,
    StackPlace,
    StructValue,
    Text,
    Unsupported,
    Value,
)
from p4embed.compiler.ir import tree
from p4embed.compiler.types import StructType, Type


def digest(call: ExternCall) -> None:
    """`digest(receiver, data)`."""
    ctx = call.ctx
    argument = call.info.arguments[1]
    type_ = ctx.resolve(argument.type)
    name = type_.name if isinstance(type_, StructType) else f"digest_{len(ctx.world.digests)}"
    values = [
        conversions.as_scalar(ctx, leaf, call.expression(1))
        for leaf in call.leaves(call.value(1), 1)
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


def clone(call: ExternCall, session: ir.Expr, list_id: int) -> None:
    """`clone(type, session)`, keeping the field list of that id."""
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


def log(call: ExternCall) -> None:
    """`log_msg(text, data)`."""
    text = call.value(0)
    assert isinstance(text, Text)
    pieces = text.value.split("{}")
    values: list[ir.Expr] = []
    shown: list[str] = []
    if len(call.info.arguments) > 1:
        data = call.value(1)
        values = call.leaves(data, 1)
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
