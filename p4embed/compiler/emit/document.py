"""The lowered program as BMv2 JSON (behavioral-model, docs/JSON_format.md, version 2.23)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import assert_never

from p4embed.compiler import ir
from p4embed.compiler.emit.expressions import (
    Json,
    boolean,
    data,
    field,
    hexstr,
    primitive,
    source_info,
    value,
)
from p4embed.compiler.emit.values import (
    action_data,
    calculation_input,
    match_key,
    table_match_type,
    transition,
    width_of,
)

FORMAT_VERSION = [2, 23]
COMPILER = "p4embed-c"


def dumps(program: ir.Program) -> str:
    """The text of the JSON file."""
    return json.dumps(to_json(program), indent=2) + "\n"


def to_json(program: ir.Program) -> dict[str, Json]:
    """The program as plain dictionaries and lists, ids given in order."""
    return _Emitter(program).root()


class _Emitter:
    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.types = {t.name: t for t in program.header_types}
        self.header_ids = {h.name: i for i, h in enumerate(program.headers)}
        self.union_ids = {u.name: i for i, u in enumerate(program.unions)}
        self.action_ids = {id(a): i for i, a in enumerate(program.actions)}
        self.tables = 0
        self.conditionals = 0
        self.profiles = 0

    def root(self) -> dict[str, Json]:
        p = self.program
        return {
            "header_types": [self.header_type(i, t) for i, t in enumerate(p.header_types)],
            "headers": [self.header(i, h) for i, h in enumerate(p.headers)],
            "header_stacks": [
                {
                    "name": s.name,
                    "id": i,
                    "header_type": s.type,
                    "size": len(s.members),
                    "header_ids": [self.header_ids[m] for m in s.members],
                }
                for i, s in enumerate(p.stacks)
            ],
            "header_union_types": [
                {"name": u.name, "id": i, "headers": [list(m) for m in u.members]}
                for i, u in enumerate(p.union_types)
            ],
            "header_unions": [
                {
                    "name": u.name,
                    "id": i,
                    "union_type": u.type,
                    "header_ids": [self.header_ids[m] for m in u.members],
                }
                for i, u in enumerate(p.unions)
            ],
            "header_union_stacks": [
                {
                    "name": s.name,
                    "id": i,
                    "union_type": s.type,
                    "header_union_ids": [self.union_ids[m] for m in s.members],
                }
                for i, s in enumerate(p.union_stacks)
            ],
            "field_lists": [
                {
                    "id": f.id,
                    "name": f.name,
                    **source_info(f.source),
                    "elements": [field(ref) for ref in f.fields],
                }
                for f in p.field_lists
            ],
            "errors": [[name, number] for name, number in p.errors],
            "enums": [
                {"name": name, "entries": [[n, v] for n, v in entries]} for name, entries in p.enums
            ],
            "parsers": [self.parser(p.parser)],
            "parse_vsets": [
                {
                    "name": v.name,
                    "id": i,
                    **source_info(v.source),
                    "compressed_bitwidth": v.width,
                    "max_size": v.size,
                }
                for i, v in enumerate(p.value_sets)
            ],
            "deparsers": [
                {
                    "name": "deparser",
                    "id": 0,
                    **source_info(p.deparser_source),
                    "order": list(p.deparser),
                    "primitives": [],
                }
            ],
            "meter_arrays": [self.meter(i, m) for i, m in enumerate(p.meters)],
            "counter_arrays": [self.counter(i, c) for i, c in enumerate(p.counters)],
            "register_arrays": [
                {
                    "name": r.name,
                    "id": i,
                    **source_info(r.source),
                    "size": r.size,
                    "bitwidth": r.width,
                }
                for i, r in enumerate(p.registers)
            ],
            "calculations": [
                {
                    "name": c.name,
                    "id": i,
                    **source_info(c.source),
                    "algo": c.algorithm,
                    "input": [calculation_input(item) for item in c.inputs],
                }
                for i, c in enumerate(p.calculations)
            ],
            "learn_lists": [
                {
                    "id": f.id,
                    "name": f.name,
                    **source_info(f.source),
                    "elements": [field(ref) for ref in f.fields],
                }
                for f in p.learn_lists
            ],
            "actions": [self.action(i, a) for i, a in enumerate(p.actions)],
            "pipelines": [self.pipeline(i, pipe) for i, pipe in enumerate((p.ingress, p.egress))],
            "checksums": [self.checksum(i, c) for i, c in enumerate(p.checksums)],
            "force_arith": [],
            "extern_instances": [],
            "field_aliases": list(self.field_aliases()),
            "program": p.source_name,
            "__meta__": {"version": FORMAT_VERSION, "compiler": COMPILER},
        }

    def header_type(self, number: int, type_: ir.HeaderType) -> Json:
        fields: list[Json] = []
        result: dict[str, Json] = {"name": type_.name, "id": number, "fields": fields}
        for f in type_.fields:
            match f.type:
                case ir.Bits(width, signed):
                    fields.append([f.name, width, signed])
                case ir.Bool():
                    fields.append([f.name, 1, False])
                case ir.VarBits(max_width):
                    fields.append([f.name, "*"])
                    fixed = sum(width_of(g.type) for g in type_.fields if g is not f)
                    result["max_length"] = (fixed + max_width + 7) // 8
                case _:
                    assert_never(f.type)
        return result | source_info(type_.source)

    def header(self, number: int, header: ir.HeaderInstance) -> Json:
        return {
            "name": header.name,
            "id": number,
            "header_type": header.type,
            "metadata": header.metadata,
            "pi_omit": True,
            **source_info(header.source),
        }

    def field_aliases(self) -> Iterable[Json]:
        for header in self.program.headers:
            for f in self.types[header.type].fields:
                if f.alias is not None:
                    yield [f.alias, [header.name, f.name]]

    # --- parser ---

    def parser(self, parser: ir.Parser) -> Json:
        return {
            "name": parser.name,
            "id": 0,
            "init_state": parser.states[0].name if parser.states else "start",
            "parse_states": [self.state(i, s) for i, s in enumerate(parser.states)],
        }

    def state(self, number: int, state: ir.ParserState) -> Json:
        widths = [width_of(k.type) for k in state.key]
        return {
            "name": state.name,
            "id": number,
            **source_info(state.source),
            "parser_ops": [self.parser_op(op) for op in state.ops],
            "transitions": [transition(t, widths) for t in state.transitions],
            "transition_key": [
                data(k) if isinstance(k, ir.LastField) else value(k) for k in state.key
            ],
        }

    def parser_op(self, op: ir.ParserOp) -> Json:
        match op:
            case ir.Extract(target, stack, length, _, member):
                parameters: list[Json] = [
                    {"type": "union_stack", "value": [target, member]}
                    if member is not None
                    else {"type": "stack" if stack else "regular", "value": target}
                ]
                if length is None:
                    return {"op": "extract", "parameters": parameters}
                parameters.append({"type": "expression", "value": data(length)})
                return {"op": "extract_VL", "parameters": parameters}
            case ir.Set(target_field, source):
                return {"op": "set", "parameters": [field(target_field), value(source)]}
            case ir.Verify(condition, error):
                return {"op": "verify", "parameters": [boolean(condition), data(error)]}
            case ir.Advance(bits):
                return {"op": "advance", "parameters": [value(bits)]}
            case ir.Primitive():
                return {"op": "primitive", "parameters": [primitive(op)]}
            case _:
                assert_never(op)

    # --- externs ---

    def counter(self, number: int, counter: ir.Counter) -> Json:
        result = {"name": counter.name, "id": number, **source_info(counter.source)}
        if counter.table is not None:
            return result | {"is_direct": True, "binding": counter.table}
        return result | {"size": counter.size, "is_direct": False}

    def meter(self, number: int, meter: ir.Meter) -> Json:
        result = {
            "name": meter.name,
            "id": number,
            **source_info(meter.source),
            "is_direct": meter.table is not None,
            "size": meter.size,
            "rate_count": 2,
            "type": meter.unit,
        }
        if meter.table is not None:
            assert meter.target is not None
            result["binding"] = meter.table
            result["result_target"] = [meter.target.instance, meter.target.field]
        return result

    def checksum(self, number: int, checksum: ir.Checksum) -> Json:
        return {
            "name": checksum.name,
            "id": number,
            **source_info(checksum.source),
            "target": [checksum.target.instance, checksum.target.field],
            "type": "generic",
            "calculation": checksum.calculation,
            "verify": checksum.verify,
            "update": not checksum.verify,
            "if_cond": boolean(checksum.condition),
        }

    # --- match-action ---

    def action(self, number: int, action: ir.Action) -> Json:
        return {
            "name": action.name,
            "id": number,
            "runtime_data": [{"name": p.name, "bitwidth": p.width} for p in action.params],
            "primitives": [primitive(p) for p in action.primitives],
            **source_info(action.source),
        }

    def pipeline(self, number: int, pipeline: ir.Pipeline) -> Json:
        return {
            "name": pipeline.name,
            "id": number,
            **source_info(pipeline.source),
            "init_table": pipeline.first,
            "tables": [self.table(n) for n in pipeline.nodes if isinstance(n, ir.Table)],
            "action_profiles": [self.profile(p) for p in pipeline.profiles],
            "conditionals": [
                self.conditional(n) for n in pipeline.nodes if isinstance(n, ir.Conditional)
            ],
        }

    def profile(self, profile: ir.ActionProfile) -> Json:
        self.profiles += 1
        result: dict[str, Json] = {
            "name": profile.name,
            "id": self.profiles - 1,
            "max_size": profile.size,
        }
        if profile.algorithm is not None:
            result["selector"] = {
                "algo": profile.algorithm,
                "input": [field(f) for f in profile.inputs],
            }
        return result

    def conditional(self, node: ir.Conditional) -> Json:
        self.conditionals += 1
        return {
            "name": node.name,
            "id": self.conditionals - 1,
            **source_info(node.source),
            "expression": boolean(node.condition),
            "true_next": node.true_next,
            "false_next": node.false_next,
        }

    def table(self, table: ir.Table) -> Json:
        self.tables += 1
        kind = "simple"
        if table.profile is not None:
            profiles = (*self.program.ingress.profiles, *self.program.egress.profiles)
            profile = next(p for p in profiles if p.name == table.profile)
            kind = "indirect" if profile.algorithm is None else "indirect_ws"
        result: dict[str, Json] = {
            "name": table.name,
            "id": self.tables - 1,
            **source_info(table.source),
            "key": [self.key(k) for k in table.keys],
            "match_type": table_match_type(k.kind for k in table.keys),
            "type": kind,
            "max_size": table.size,
            "with_counters": table.with_counters,
            "support_timeout": table.support_timeout,
            "direct_meters": table.meter,
            "action_ids": [self.action_ids[id(a)] for a in table.actions],
            "actions": [a.name for a in table.actions],
            "base_default_next": table.default_next,
            "next_tables": self.next_tables(table),
        }
        if table.profile is not None:
            result["action_profile"] = table.profile
        if table.default is not None and table.profile is None:
            result["default_entry"] = {
                "action_id": self.action_ids[id(table.default.action)],
                "action_const": table.default_const,
                "action_data": action_data(table.default),
                "action_entry_const": table.default_const,
            }
        if table.entries is not None:
            result["entries"] = [self.entry(e) for e in table.entries]
        return result

    def next_tables(self, table: ir.Table) -> Json:
        if table.by_hit:
            return {"__HIT__": table.hit_next, "__MISS__": table.miss_next}
        return {a.name: n for a, n in zip(table.actions, table.action_next, strict=True)}

    def key(self, key: ir.Key) -> Json:
        width = width_of(key.target.type)
        return {
            # BMv2 has no optional match: the control plane's entry is a ternary one there.
            "match_type": "ternary" if key.kind == "optional" else key.kind,
            "name": key.name,
            "target": [key.target.instance, key.target.field],
            "mask": None if key.mask is None else hexstr(key.mask, width),
        }

    def entry(self, entry: ir.Entry) -> Json:
        return {
            **source_info(entry.source),
            "match_key": [match_key(m) for m in entry.matches],
            "action_entry": {
                "action_id": self.action_ids[id(entry.call.action)],
                "action_data": action_data(entry.call),
            },
            "priority": entry.priority,
        }
