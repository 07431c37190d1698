"""Ingress and egress: the graph of tables and conditions as a C function with labels."""

from __future__ import annotations

from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.codegen.ahead import Ahead, successors
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.expressions import Expressions
from p4embed.switch.codegen.values import Unsupported
from p4embed.switch.codegen.walk import walk


def function(
    context: Context, pipeline: p.Pipeline, name: str, ahead: Ahead | None = None
) -> list[str]:
    """``control_<name>(p)``; with places to stop at, ``control_<name>(p, from)``.

    From 0 it runs from its start up to a stop, whose number it returns; 0 at its end. From a stop
    it runs to its end.
    """
    order = _order(context.program, pipeline)
    stops = [] if ahead is None else [node for node in order if ahead.stop(node)]
    if ahead is None or not stops:
        head = [f"static void control_{name}(struct packet *p)", "{"]
    else:
        head = [
            f"static uint32_t control_{name}(struct packet *p, uint32_t from)",
            "{",
            "    switch (from) {",
            *(f"    case {ahead.stop(node)}: goto from_{_label(context, node)};" for node in stops),
            "    }",
        ]
    lines = [f"/* control {pipeline.name} */", *head]
    for node in order:
        lines.append(f"{_label(context, node)}:;")
        if ahead is not None and node in stops:
            lines.append("    if (!from) {")
            if isinstance(node, p.TableNode) and node.table in ahead.tables:
                lines.append(f"        fetch_{context.names.tables[node.table]}(p);")
            lines += [f"        return {ahead.stop(node)};", "    }"]
            lines.append(f"from_{_label(context, node)}:;")
        lines += _node(context, node)
    return [*lines, "done:", "    p->exited = 0;", *(["    return 0;"] if stops else []), "}", ""]


def _order(program: p.Program, pipeline: p.Pipeline) -> list[p.Node]:
    """Nodes so that each stands before its successors; refuses a graph with a cycle."""
    finished: dict[p.Node, bool] = {}
    result: list[p.Node] = []
    if pipeline.start is None:
        return result
    stack: list[tuple[p.Node, list[p.Node | None]]] = []

    def enter(node: p.Node) -> None:
        finished[node] = False
        stack.append((node, list(successors(program, node))))

    enter(pipeline.start)
    while stack:
        node, left = stack[-1]
        if not left:
            stack.pop()
            finished[node] = True
            result.append(node)
            continue
        # The last one first: reversed, the order then follows the program's.
        following = left.pop()
        if following is None:
            continue
        if following not in finished:
            enter(following)
        elif not finished[following]:
            raise Unsupported(f"control '{pipeline.name}' runs in a circle")
    return result[::-1]


def _label(context: Context, node: p.Node) -> str:
    names = context.names
    match node:
        case p.TableNode(index):
            return f"table_{names.tables[index]}"
        case p.BranchNode(index):
            return f"if_{names.branches[index]}"
        case p.CallNode(index):
            return f"call_{names.calls[index]}"
    assert_never(node)


def _goto(context: Context, node: p.Node | None) -> str:
    return "goto done;" if node is None else f"goto {_label(context, node)};"


def _node(context: Context, node: p.Node) -> list[str]:
    program, names = context.program, context.names
    match node:
        case p.BranchNode(index):
            branch = program.branches[index]
            try:
                condition = Expressions(context).boolean(branch.condition)
            except Unsupported as error:
                raise Unsupported(f"condition '{branch.name}': {error}") from None
            return [
                f"    if ({condition}) {_goto(context, branch.if_true)}",
                f"    {_goto(context, branch.if_false)}",
            ]
        case p.CallNode(index):
            call = program.calls[index]
            return [
                f"    action_{names.actions[call.action]}(p);",
                *_exited(program, {call.action}),
                f"    {_goto(context, call.next)}",
            ]
        case p.TableNode(index):
            return _table(context, index)
    assert_never(node)


def _table(context: Context, index: int) -> list[str]:
    table = context.program.tables[index]
    apply = f"apply_{context.names.tables[index]}(p)"
    ids = set(table.actions) | ({table.default.action} if table.default is not None else set())
    exited = _exited(context.program, ids)
    match table.next:
        case p.ByHit(hit, miss):
            return [
                "    {",
                f"        int hit = {apply};",
                *(f"    {line}" for line in exited),
                f"        if (hit) {_goto(context, hit)}",
                f"        {_goto(context, miss)}",
                "    }",
            ]
        case p.ByAction(nodes):
            if set(nodes) == {table.next_without_action} or set(nodes) == set():
                return [
                    f"    {apply};",
                    *exited,
                    f"    {_goto(context, table.next_without_action)}",
                ]
            lines = ["    {", f"        int action = {apply};"]
            lines += [*(f"    {line}" for line in exited), "        switch (action) {"]
            for action, target in zip(table.actions, nodes, strict=True):
                lines.append(f"        case {action}: {_goto(context, target)}")
            lines.append(f"        default: {_goto(context, table.next_without_action)}")
            return [*lines, "        }", "    }"]
    assert_never(table.next)


def _exited(program: p.Program, actions: set[int]) -> list[str]:
    """What ends the control if one of these actions said so; nothing if none can."""
    bodies = tuple(program.actions_by_id[id_].body for id_ in actions)
    if any(isinstance(item, p.Exit | p.Assert) for item in walk(bodies)):
        return ["    if (p->exited) goto done;"]
    return []
