"""Small BMv2 JSON programs, put together by hand: no compiler stands between test and switch."""

from __future__ import annotations

import json
from typing import Any

from p4embed.switch.load import load_bytes
from p4embed.switch.program import Program

Json = dict[str, Any]

STANDARD_METADATA = [
    ("ingress_port", 9), ("egress_spec", 9), ("egress_port", 9), ("instance_type", 32),
    ("packet_length", 32), ("enq_timestamp", 32), ("enq_qdepth", 19), ("deq_timedelta", 32),
    ("deq_qdepth", 19), ("ingress_global_timestamp", 48), ("egress_global_timestamp", 48),
    ("mcast_grp", 16), ("egress_rid", 16), ("checksum_error", 1), ("parser_error", 32),
    ("priority", 3), ("_padding", 3),
]  # fmt: skip

ERRORS = [
    "NoError", "PacketTooShort", "NoMatch", "StackOutOfBounds", "HeaderTooShort", "ParserTimeout",
    "ParserInvalidArgument", "Custom",
]  # fmt: skip

# -- values ---------------------------------------------------------------------------------------


def field(header: str, name: str) -> Json:
    return {"type": "field", "value": [header, name]}


def const(value: int) -> Json:
    return {"type": "hexstr", "value": hex(value)}


def boolean(value: bool) -> Json:
    return {"type": "bool", "value": value}


def param(index: int) -> Json:
    return {"type": "runtime_data", "value": index}


def header(name: str) -> Json:
    return {"type": "header", "value": name}


def stack(name: str) -> Json:
    return {"type": "header_stack", "value": name}


def op(operator: str, left: Json | None, right: Json, **more: Any) -> Json:
    value = {"op": operator, "left": left, "right": right, **more}
    return {"type": "expression", "value": value}


def meta(name: str) -> Json:
    return field("standard_metadata", name)


# -- statements -----------------------------------------------------------------------------------


def call(primitive: str, *parameters: Json) -> Json:
    return {"op": primitive, "parameters": list(parameters)}


def assign(target: Json, value: Json) -> Json:
    return call("assign", target, value)


def send(port: int) -> Json:
    return assign(meta("egress_spec"), const(port))


def drop() -> Json:
    return call("mark_to_drop", header("standard_metadata"))


def action(name: str, id_: int, *body: Json, params: dict[str, int] | None = None) -> Json:
    data = [{"name": n, "bitwidth": w} for n, w in (params or {}).items()]
    return {"name": name, "id": id_, "runtime_data": data, "primitives": list(body)}


# -- parser ---------------------------------------------------------------------------------------


def extract(name: str, kind: str = "regular") -> Json:
    return {"op": "extract", "parameters": [{"type": kind, "value": name}]}


def state(
    name: str,
    *ops: Json,
    key: list[Json] | None = None,
    to: dict[str, str | None] | None = None,
    default: str | None = None,
) -> Json:
    """``to`` maps ``value`` or ``value&mask`` (hexadecimal) to a state."""
    transitions: list[Json] = []
    for text, following in (to or {}).items():
        value, _, mask = text.partition("&")
        transitions.append(
            {"type": "hexstr", "value": value, "mask": mask or None, "next_state": following}
        )
    transitions.append({"type": "default", "value": None, "mask": None, "next_state": default})
    return {
        "name": name, "id": 0, "parser_ops": list(ops), "transition_key": key or [],
        "transitions": transitions,
    }  # fmt: skip


# -- control --------------------------------------------------------------------------------------


def table(
    name: str,
    key: list[tuple[str, str, str]],
    actions: list[Json],
    *,
    next_: str | None = None,
    hit: str | None = None,
    miss: str | None = None,
    by_hit: bool = False,
    default: tuple[int, list[str]] | None = None,
    default_const: bool = False,
    size: int = 16,
    counters: bool = False,
    timeout: bool = False,
    entries: list[Json] | None = None,
    meter: str | None = None,
) -> Json:
    """``key`` is (match kind, header, field) for each field."""
    kinds = [kind for kind, _, _ in key]
    match = next((k for k in ("range", "ternary", "lpm") if k in kinds), "exact")
    following: Json = {a["name"]: next_ for a in actions}
    if by_hit:
        following = {"__HIT__": hit, "__MISS__": miss}
    made: Json = {
        "name": name, "id": 0, "match_type": match, "type": "simple", "max_size": size,
        "key": [
            {"match_type": kind, "name": f"{h}.{f}", "target": [h, f], "mask": None}
            for kind, h, f in key
        ],
        "with_counters": counters, "support_timeout": timeout, "direct_meters": meter,
        "action_ids": [a["id"] for a in actions], "actions": [a["name"] for a in actions],
        "base_default_next": next_, "next_tables": following,
    }  # fmt: skip
    if default is not None:
        made["default_entry"] = {
            "action_id": default[0], "action_data": default[1],
            "action_const": default_const, "action_entry_const": default_const,
        }  # fmt: skip
    if entries is not None:
        made["entries"] = entries
    return made


def pipeline(
    name: str,
    start: str | None = None,
    tables: list[Json] | None = None,
    conditionals: list[Json] | None = None,
    calls: list[Json] | None = None,
) -> Json:
    return {
        "name": name, "id": 0, "init_table": start, "tables": tables or [],
        "conditionals": conditionals or [], "action_profiles": [], "action_calls": calls or [],
    }  # fmt: skip


def run(name: str, action_id: int, next_: str | None = None) -> Json:
    """A direct call of an action."""
    return {"name": name, "id": 0, "action_id": action_id, "next_node": next_}


def document(
    *,
    types: dict[str, list[Any]] | None = None,
    headers: dict[str, str] | None = None,
    states: list[Json] | None = None,
    order: list[str] | None = None,
    actions: list[Json] | None = None,
    ingress: Json | None = None,
    egress: Json | None = None,
    **more: Any,
) -> Json:
    """A whole program: ``types`` (header types), ``headers`` (instance: type), and the rest.

    A type of the name ``scalars_t`` is metadata. Without ingress, packets leave by port 1.
    """
    all_types: dict[str, list[Any]] = {
        "standard_metadata": [[n, w, False] for n, w in STANDARD_METADATA],
        "scalars_t": [["a", 8, False], ["b", 8, False], ["w", 32, False], ["s", 8, True]],
        **(types or {}),
    }
    instances = {
        "scalars": "scalars_t", "standard_metadata": "standard_metadata", **(headers or {}),
    }  # fmt: skip
    metadata = ("scalars_t", "standard_metadata")
    if ingress is None:
        actions = [*(actions or []), action("to_1", 99, send(1))]
        ingress = pipeline("ingress", "to_1", calls=[run("to_1", 99)])
    types_json = []
    for i, (name, fields) in enumerate(all_types.items()):
        made: Json = {"name": name, "id": i, "fields": fields}
        if any(f[1] == "*" for f in fields):
            made["max_length"] = 8
        types_json.append(made)
    return {
        "__meta__": {"version": [2, 23], "compiler": "by hand"},
        "header_types": types_json,
        "headers": [
            {"name": n, "id": i, "header_type": t, "metadata": t in metadata}
            for i, (n, t) in enumerate(instances.items())
        ],
        "errors": [[name, i] for i, name in enumerate(ERRORS)],
        "parsers": [
            {"name": "parser", "id": 0, "init_state": "start",
             "parse_states": states or [state("start")]}
        ],
        "deparsers": [{"name": "deparser", "id": 0, "order": order or []}],
        "actions": actions or [],
        "pipelines": [ingress, egress or pipeline("egress")],
        **more,
    }  # fmt: skip


def load(made: Json) -> Program:
    return load_bytes(json.dumps(made).encode())


# -- the program that most tests share --------------------------------------------------------

H = {"h_t": [["kind", 8, False], ["value", 16, False], ["low", 4, False], ["high", 4, False]]}
"""A header of four bytes."""


def one_action(*body: Json, **more: Any) -> Json:
    """A program that extracts header ``h``, runs one action on it and sends it on."""
    more.setdefault("types", {}).update(H)
    more.setdefault("headers", {})["h"] = "h_t"
    more.setdefault("states", [state("start", extract("h"))])
    more.setdefault("order", ["h"])
    return document(
        actions=[action("act", 0, send(1), *body)],
        ingress=pipeline("ingress", "act", calls=[run("act", 0)]),
        **more,
    )


def one_table(key: list[tuple[str, str, str]], **options: Any) -> Json:
    """A program that looks header ``h`` up in table ``t``: ``set_port`` sends it to a port, a
    miss drops it."""
    set_port = action("set_port", 3, assign(meta("egress_spec"), param(0)), params={"port": 9})
    miss = action("miss", 4, drop())
    more: Json = {}
    if options.get("counters"):
        more["counter_arrays"] = [
            {"name": "t_counter", "id": 0, "is_direct": True, "binding": "t"}
        ]  # fmt: skip
    if options.get("meter"):
        more["meter_arrays"] = [
            {"name": options["meter"], "id": 0, "type": "packets", "rate_count": 2,
             "is_direct": True, "binding": "t", "result_target": ["h", "kind"]}
        ]  # fmt: skip
    options.setdefault("default", (4, []))
    return document(
        types=dict(H),
        headers={"h": "h_t"},
        states=[state("start", extract("h"))],
        order=["h"],
        actions=[set_port, miss],
        ingress=pipeline("ingress", "t", [table("t", key, [set_port, miss], **options)]),
        **more,
    )
