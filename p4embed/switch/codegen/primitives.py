"""Actions: each primitive as C statements, each action as a function."""

from __future__ import annotations

from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.expressions import Expressions
from p4embed.switch.codegen.headers import size_text
from p4embed.switch.codegen.values import (
    C64,
    C128,
    WIDE,
    Unsupported,
    Value,
    c_type,
    container_for,
    convert,
)


def action_function(context: Context, action: p.Action) -> list[str]:
    """An action as a C function ``action_<name>(p, parameters)``."""
    expressions = Expressions(context, action.params)
    try:
        body = _body(expressions, action.body)
    except Unsupported as error:
        raise Unsupported(f"action '{action.name}': {error}") from None
    params = "".join(
        f", {c_type(param.width)} {name}"
        for param, name in zip(action.params, expressions.param_names, strict=True)
    )
    return [
        f"/* action {action.name} */",
        f"static void action_{context.names.actions[action.id]}(struct packet *p{params})",
        "{",
        "    (void)p;",
        *(f"    (void){name};" for name in expressions.param_names),
        *body,
        "}",
        "",
    ]


def _body(expressions: Expressions, body: tuple[p.Primitive, ...]) -> list[str]:
    targets = {op.to for op in body if isinstance(op, p.Jump | p.JumpIfZero)}
    backwards = any(
        op.to <= at for at, op in enumerate(body) if isinstance(op, p.Jump | p.JumpIfZero)
    )
    lines = ["    uint32_t steps = 0;"] if backwards else []
    for at, op in enumerate(body):
        if at in targets:
            lines.append(f"step_{at}:;")
        if backwards:
            lines.append("    if (steps++ == WP_STEPS_MAX) return;")
        if isinstance(op, p.Jump | p.JumpIfZero):
            lines.append(f"    {_jump(expressions, op)}")
        else:
            lines += [f"    {line}" for line in primitive(expressions, op)]
    if len(body) in targets:
        lines.append(f"step_{len(body)}:;")
    return lines


def _jump(expressions: Expressions, op: p.Jump | p.JumpIfZero) -> str:
    if isinstance(op, p.Jump):
        return f"goto step_{op.to};"
    return f"if (!{expressions.boolean(p.DataToBool(op.cond))}) goto step_{op.to};"


def primitive(ex: Expressions, op: p.Primitive) -> list[str]:
    """One primitive, jumps excepted."""
    context = ex.context
    match op:
        case p.Assign(target, value):
            return [ex.store(target, ex.data(value, ex.assigned(target)))]
        case p.AssignVariable(target, source):
            return [_assign_variable(ex, target, source)]
        case p.AssignHeader(target_header, source_header):
            return [_assign_header(ex, target_header, source_header)]
        case p.AssignUnion(target_union, source_union):
            members = zip(ex.members(target_union), ex.members(source_union), strict=True)
            return [_assign_header(ex, a, b) for a, b in members]
        case p.AssignStack(stack, other):
            stacks, names = context.program.stacks, context.names.stacks
            pairs = zip(stacks[stack].headers, stacks[other].headers, strict=True)
            return [
                *(_assign_header(ex, p.HeaderRef(a), p.HeaderRef(b)) for a, b in pairs),
                f"p->next_{names[stack]} = p->next_{names[other]};",
            ]
        case p.AddHeader(header):
            return [_add_header(ex, header)]
        case p.RemoveHeader(header):
            size = size_text(ex.header_type(header), "(*e)")
            return [
                _with(ex, header, f"if (e && e->valid) {{ p->length -= {size}; e->valid = 0; }}")
            ]
        case p.PushFront(stack, count):
            return _shift(context, stack, count)
        case p.PopFront(stack, count):
            return _shift(context, stack, -count)
        case p.MarkToDrop(spec, group):
            return [
                *context.intrinsic(spec, "p->run->engine->drop_port"),
                *context.intrinsic(group, "0"),
            ]
        case p.HashTo(target, base, calculation, size_expr):
            return [_hash(ex, target, base, calculation, size_expr)]
        case p.RandomTo(target, low, high):
            drawn = Value("wp_random(p->run->engine, low, high)", C64, 0, (1 << 64) - 1)
            bounds = f"uint64_t low = {ex.index(low)}, high = {ex.index(high)};"
            return [f"{{ {bounds} if (low <= high) {ex.store(target, drawn)} }}"]
        case p.Clone(session, field_list, egress):
            name = "egress" if egress else "ingress"
            return [
                f"p->clone = {field_list + 1}; /* {name}, field list {field_list} */",
                f"p->clone_session = {ex.index(session)};",
            ]
        case p.Resubmit(field_list):
            return [f"p->resubmit = {field_list + 1}; /* field list {field_list} */"]
        case p.Recirculate(field_list):
            return [f"p->recirculate = {field_list + 1}; /* field list {field_list} */"]
        case p.Truncate(length):
            return [f"p->truncate = {ex.index(length)};"]
        case p.ExecuteMeter(meter, index, target):
            name = context.program.meters[meter].name
            call = f"wp_color_in(p->run, {meter}, {ex.index(index)}, p->ingress_length)"
            store = ex.store(target, Value("(uint64_t)color", C64, 0, 2))
            return [f"{{ int color = {call}; if (color >= 0) {{ {store} }} }} /* {name} */"]
        case p.CountIn(counter, index):
            name = context.program.counters[counter].name
            call = f"wp_count_in(p->run->engine, {counter}, {ex.index(index)}, p->ingress_length);"
            return [f"{call} /* {name} */"]
        case p.RegisterRead(target, register, index):
            cell = f"wp_cell(p->run->engine, {register}, {ex.index(index)})"
            store = ex.store(target, ex.register_cell(register, index))
            return [f"if ({cell}) {{ {store} }} /* {context.program.registers[register].name} */"]
        case p.RegisterWrite(register, index, value):
            return [_register_write(ex, register, index, value)]
        case p.Exit():
            return ["p->exited = 1;"]
        case p.Assert(cond, _):
            return [f"if (!{ex.boolean(cond)}) p->failed = p->exited = 1;"]
        case p.LogMessage(format_, _):
            # Only the reference executor traces; the native one has nobody to tell.
            return [f"/* log_msg {_comment(format_)} */"]
        case p.NoOp():
            return []
        case p.Digest(_, digest):
            name = context.program.digests[digest].name
            return [f"p->digest = {digest + 1}; /* {name} */"]
        case p.AssignUnionStack(stack, other):
            stack_names = context.names.union_stacks
            unions = zip(_union_refs(context, stack), _union_refs(context, other), strict=True)
            return [
                *(line for a, b in unions for line in primitive(ex, p.AssignUnion(a, b))),
                f"p->next_union_{stack_names[stack]} = p->next_union_{stack_names[other]};",
            ]
        case p.PushUnions(stack, count):
            return _shift_unions(context, stack, count)
        case p.PopUnions(stack, count):
            return _shift_unions(context, stack, -count)
        case p.Jump() | p.JumpIfZero():
            raise Unsupported("a jump outside an action")
        case _:
            assert_never(op)


def _comment(text: str) -> str:
    return ascii(text).replace("*/", "* /").replace("/*", "/ *")


def _with(ex: Expressions, header: p.HeaderExpr, body: str) -> str:
    """A block in which ``e`` points to a header, or is NULL."""
    struct = ex.context.names.struct(ex.header_type(header))
    return f"{{ {struct} *e = {ex.header_pointer(header)}; {body} }}"


def invalidate_siblings(ex: Expressions, header: p.HeaderExpr) -> str:
    """Within a union, the other members turn invalid."""
    program, names = ex.context.program, ex.context.names
    match header:
        case p.HeaderRef(index):
            union = program.headers[index].union
            others = () if union is None else program.unions[union].headers
        case p.UnionMember(p.UnionRef(union), member):
            others = program.unions[union].headers
            index = others[member]
        case p.UnionMember(p.UnionElement() | p.LastUnion() as chosen, _):
            stack, index_text = ex.union_index(chosen)
            return f" others_{names.union_stacks[stack]}(p, {index_text}, e);"
        case _:
            return ""
    return "".join(f" {names.headers[other]}.valid = 0;" for other in others if other != index)


def _add_header(ex: Expressions, header: p.HeaderExpr) -> str:
    size = size_text(ex.header_type(header), "(*e)")
    siblings = invalidate_siblings(ex, header)
    body = f"memset(e, 0, sizeof *e); e->valid = 1; p->length += {size};{siblings}"
    return _with(ex, header, f"if (e && !e->valid) {{ {body} }}")


def _assign_header(ex: Expressions, target: p.HeaderExpr, source: p.HeaderExpr) -> str:
    type_ = ex.header_type(target)
    if type_ != ex.header_type(source):
        raise Unsupported(f"assignment of a '{ex.header_type(source).name}' to a '{type_.name}'")
    struct = ex.context.names.struct(type_)
    siblings = invalidate_siblings(ex, target)
    length = " e->variable_bits = from->variable_bits;" if type_.variable is not None else ""
    copy = f"if (from->valid) {{ *e = *from;{siblings} }} else {{ e->valid = 0;{length} }}"
    return _with(
        ex, target, f"{struct} *from = {ex.header_pointer(source)}; if (e && from) {{ {copy} }}"
    )


def _assign_variable(ex: Expressions, target: p.LValue, source: p.LValue) -> str:
    def place(ref: p.LValue) -> tuple[p.HeaderExpr, int]:
        if isinstance(ref, p.FieldRef):
            return p.HeaderRef(ref.header), ref.field
        return ref.header, ref.field

    (to, to_field), (from_, from_field) = place(target), place(source)
    to_type, from_type = ex.header_type(to), ex.header_type(from_)
    if to_type.fields[to_field].width < from_type.fields[from_field].width:
        raise Unsupported("assignment of a variable-length field to a shorter one")
    names = ex.context.names
    a, b = names.fields[to_type.name][to_field], names.fields[from_type.name][from_field]
    copy = f"memmove(e->{a}, from->{b}, sizeof from->{b}); e->variable_bits = from->variable_bits;"
    pointer = f"{names.struct(from_type)} *from = {ex.header_pointer(from_)};"
    return _with(ex, to, f"{pointer} if (e && from) {{ {copy} }}")


def _shift(context: Context, stack: int, by: int) -> list[str]:
    """Move a stack's elements up (or down); what nothing moves into becomes invalid."""
    name, size = context.names.stacks[stack], len(context.program.stacks[stack].headers)
    array, following = f"p->stack_{name}", f"p->next_{name}"
    moved = max(size - abs(by), 0)
    kept = f"{moved} * sizeof *{array}"
    count = min(abs(by), size)
    if by >= 0:
        return [
            f"memmove({array} + {count}, {array}, {kept});",
            f"for (uint32_t i = 0; i < {count}; i++) {array}[i].valid = 0;",
            f"{following} = {following} + {count} < {size} ? {following} + {count} : {size};",
        ]
    return [
        f"memmove({array}, {array} + {count}, {kept});",
        f"for (uint32_t i = {moved}; i < {size}; i++) {array}[i].valid = 0;",
        f"{following} = {following} > {count} ? {following} - {count} : 0;",
    ]


def _union_refs(context: Context, stack: int) -> list[p.UnionRef]:
    return [p.UnionRef(union) for union in context.program.union_stacks[stack].unions]


def _shift_unions(context: Context, stack: int, by: int) -> list[str]:
    """``_shift`` of a union stack: member by member."""
    program, names = context.program, context.names
    unions = [program.unions[union].headers for union in program.union_stacks[stack].unions]
    size, following = len(unions), f"p->next_union_{names.union_stacks[stack]}"
    lines = []
    # Elements are moved so that none is overwritten before it was moved itself.
    for at in range(size)[:: -1 if by >= 0 else 1]:
        for member, header in enumerate(unions[at]):
            if 0 <= at - by < size:
                source = names.headers[unions[at - by][member]]
                lines.append(f"{names.headers[header]} = {source};")
            else:
                lines.append(f"{names.headers[header]}.valid = 0;")
    count = min(abs(by), size)
    if by >= 0:
        more = f"{following} + {count} < {size} ? {following} + {count} : {size}"
        return [*lines, f"{following} = {more};"]
    return [*lines, f"{following} = {following} > {count} ? {following} - {count} : 0;"]


def _hash(
    ex: Expressions, target: p.LValue, base: p.DataExpr, calculation: int, size: p.DataExpr
) -> str:
    name = ex.context.names.calculations[calculation]
    modulus = ex.data(size)
    if modulus.container != C64 or modulus.negative:
        raise Unsupported("hash() with a maximum of more than 64 bits")
    start = ex.data(base)
    hashed = Value(
        "hashed", C64, 0, (1 << 64) - 1 if modulus.high == 0 else max(modulus.high - 1, 0)
    )
    low, high = start.low + hashed.low, start.high + hashed.high
    width = ex.assigned(target)
    container = container_for(max(width, 1))
    add = (
        f"wide_add({convert(hashed, WIDE)}, {convert(start, WIDE)})"
        if container == WIDE
        else f"({convert(hashed, container)} + {convert(start, container)})"
    )
    store = ex.store(target, Value(add, container, low, high))
    return (
        f"{{ uint64_t most = {modulus.text}, hashed = calculate_{name}(p) % (most ? most : 1);"
        f" {store} }}"
    )


def _register_write(ex: Expressions, register: int, index: p.DataExpr, value: p.DataExpr) -> str:
    declared = ex.context.program.registers[register]
    call = {C64: "wp_set_cell64", C128: "wp_set_cell128", WIDE: "wp_set_cell_wide"}[
        container_for(declared.width)
    ]
    cut = ex.cut(ex.data(value, declared.width), declared.width)
    return f"{call}(p->run->engine, {register}, {ex.index(index)}, {cut}); /* {declared.name} */"
