"""Programs between passes as text, for people (`--dump PASS`) and for tests."""

from __future__ import annotations

from collections.abc import Iterator

from p4embed.compiler import ir
from p4embed.compiler.ir import tree

INDENT = "  "


def expression(expr: ir.Expr | ir.StackElement) -> str:
    """An expression, fully parenthesised."""
    match expr:
        case ir.Const(value, type_):
            return f"{type_.width}{'s' if type_.signed else 'w'}{value}"
        case ir.BoolConst(flag):
            return "true" if flag else "false"
        case ir.FieldRef(instance, name):
            return f"{instance}.{name}"
        case ir.ParamRef(_, name):
            return f"${name}"
        case ir.Valid(instance):
            return f"{instance}.isValid()"
        case ir.StackElement(stack, index, member):
            return f"{stack}[{expression(index)}]" + ("" if member is None else f".{member}")
        case ir.ElementField(element, name):
            return f"{expression(element)}.{name}"
        case ir.ElementValid(element):
            return f"{expression(element)}.isValid()"
        case ir.LastField(stack, name, _, member):
            return f"{stack}.last.{name}" if member is None else f"{stack}.last.{member}.{name}"
        case ir.LastIndex(stack):
            return f"{stack}.lastIndex"
        case ir.Lookahead(offset, type_):
            return f"lookahead({offset}, {type_.width})"
        case ir.Unary(op, operand):
            return f"{op}({expression(operand)})"
        case ir.Binary(op, left, right):
            return f"({expression(left)} {op} {expression(right)})"
        case ir.Choice(condition, yes, no):
            return f"({expression(condition)} ? {expression(yes)} : {expression(no)})"
        case ir.Cast(operand, type_):
            return f"({type_})({expression(operand)})"
        case ir.Slice(operand, high, low):
            return f"{expression(operand)}[{high}:{low}]"


def argument(arg: ir.Arg) -> str:
    """An argument of a primitive."""
    match arg:
        case ir.Ref(kind, name):
            return repr(name) if kind == "string" else name
        case ir.Number(value):
            return str(value)
        case ir.Vector(items):
            return f"[{', '.join(expression(i) for i in items)}]"
        case _:
            return expression(arg)


def primitive(item: ir.Primitive) -> str:
    """A primitive as a call."""
    return f"{item.op}({', '.join(argument(a) for a in item.args)})"


# --- structured --------------------------------------------------------------------


def dump_tree(program: tree.Program) -> str:
    """A program of structured statements."""
    lines: list[str] = []
    lines += _graph(program.parser, "parser")
    for name, body in (("ingress", program.ingress), ("egress", program.egress)):
        lines += [f"{name} {{", *_indented(_statements(body)), "}"]
    for table in program.tables:
        lines += [f"table {table.name} {{"]
        lines += [f"{INDENT}key {_key(k)}" for k in table.keys]
        for action in table.actions:
            params = ", ".join(f"bit<{p.width}> {p.name}" for p in action.params)
            lines += [f"{INDENT}action {action.name}({params}) {{"]
            lines += _indented(_indented(_statements(action.body)))
            lines += [f"{INDENT}}}"]
        lines += ["}"]
    lines.append(f"deparser {', '.join(program.lowered.deparser)}")
    return "\n".join(lines) + "\n"


def _key(key: ir.Key) -> str:
    return f"{key.name} = {expression(key.target)} : {key.kind}"


def _indented(lines: list[str]) -> list[str]:
    return [INDENT + line for line in lines]


def _graph(graph: tree.ParserGraph, name: str) -> list[str]:
    lines = [f"{name} {{"]
    for state in graph.states:
        keys = ", ".join(expression(k) for k in state.keys)
        lines += _indented(
            [
                f"state {state.name} {{",
                *_indented(_statements(state.body)),
                *_indented([f"select({keys}) {_transition(t)}" for t in state.transitions]),
                "}",
            ]
        )
    return [*lines, "}"]


def _transition(transition: ir.Transition) -> str:
    target = transition.target or "accept"
    match transition:
        case ir.Default():
            return f"default: {target}"
        case ir.ValueSetCase(name):
            return f"{name}: {target}"
        case ir.Case(values, masks):
            shown = [hex(v) for v in values]
            if masks is not None:
                shown = [f"{v} &&& {hex(m)}" for v, m in zip(shown, masks, strict=True)]
            return f"{', '.join(shown)}: {target}"


def _statements(body: list[tree.Statement]) -> list[str]:
    return [line for s in body for line in _statement(s)]


def _branches(statement: tree.Apply) -> Iterator[tuple[str, list[tree.Statement]]]:
    if statement.hit is not None:
        yield "hit", statement.hit
    if statement.miss is not None:
        yield "miss", statement.miss
    for i, body in (statement.by_action or {}).items():
        yield statement.table.actions[i].name, body


def _statement(statement: tree.Statement) -> list[str]:
    match statement:
        case tree.Assign(target, value):
            return [f"{expression(target)} = {expression(value)}"]
        case tree.Do(item):
            return [primitive(item)]
        case tree.If(condition, then, otherwise):
            lines = [f"if {expression(condition)} {{", *_indented(_statements(then))]
            if otherwise:
                lines += ["} else {", *_indented(_statements(otherwise))]
            return [*lines, "}"]
        case tree.Block(label, body):
            return [f"{label.name}: {{", *_indented(_statements(body)), "}"]
        case tree.Leave(label):
            return [f"leave {label.name}"]
        case tree.Repeat(body):
            return ["repeat {", *_indented(_statements(body)), "}"]
        case tree.Exit():
            return ["exit"]
        case tree.CallAction(name, body):
            return [f"action {name} {{", *_indented(_statements(body)), "}"]
        case tree.Apply(table):
            lines = [f"apply {table.name}"]
            for name, branch in _branches(statement):
                lines += [f"{INDENT}{name}: {{", *_indented(_indented(_statements(branch)))]
                lines += [f"{INDENT}}}"]
            return lines
        case tree.CallParser(graph):
            return _graph(graph, "call parser")
        case _:
            return [_parser_op(statement)]


# --- flat --------------------------------------------------------------------------


def _parser_op(op: ir.ParserOp) -> str:
    match op:
        case ir.Extract(target, stack, length, _, member):
            where = f"{target}.next" if stack else target
            if member is not None:
                where += f".{member}"
            return f"extract({where}{'' if length is None else ', ' + expression(length)})"
        case ir.Set(target_field, value):
            return f"{expression(target_field)} = {expression(value)}"
        case ir.Verify(condition, error):
            return f"verify({expression(condition)}, {expression(error)})"
        case ir.Advance(bits):
            return f"advance({expression(bits)})"
        case ir.Primitive():
            return primitive(op)


def _way(target: str | None) -> str:
    return target or "end"


def dump_lowered(program: ir.Program) -> str:
    """A lowered program."""
    lines: list[str] = []
    for type_ in program.header_types:
        lines += [f"header type {type_.name} {{"]
        lines += [f"{INDENT}{f.type} {f.name}" for f in type_.fields]
        lines += ["}"]
    for header in program.headers:
        lines.append(f"{'metadata' if header.metadata else 'header'} {header.type} {header.name}")
    for state in program.parser.states:
        keys = ", ".join(expression(k) for k in state.key)
        lines += [f"state {state.name} {{", *_indented([_parser_op(op) for op in state.ops])]
        lines += _indented([f"select({keys}) {_transition(t)}" for t in state.transitions])
        lines += ["}"]
    for action in program.actions:
        params = ", ".join(f"bit<{p.width}> {p.name}" for p in action.params)
        lines += [f"action {action.name}({params}) {{"]
        lines += [f"{INDENT}{i}: {primitive(p)}" for i, p in enumerate(action.primitives)]
        lines += ["}"]
    for pipeline in (program.ingress, program.egress):
        lines += [f"{pipeline.name} {{ # from {_way(pipeline.first)}"]
        for node in pipeline.nodes:
            lines += _indented(_node(node))
        lines += ["}"]
    lines.append(f"deparser {', '.join(program.deparser)}")
    return "\n".join(lines) + "\n"


def _node(node: ir.Node) -> list[str]:
    if isinstance(node, ir.Conditional):
        ways = f"{_way(node.true_next)} else {_way(node.false_next)}"
        return [f"{node.name}: if {expression(node.condition)} then {ways}"]
    lines = [f"{node.name}: table {{", *[f"{INDENT}key {_key(k)}" for k in node.keys]]
    if node.by_hit:
        lines.append(f"{INDENT}hit: {_way(node.hit_next)}; miss: {_way(node.miss_next)}")
    else:
        for action, way in zip(node.actions, node.action_next, strict=True):
            lines.append(f"{INDENT}{action.name}: {_way(way)}")
    return [*lines, "}"]
