"""Tables: a function that applies each, and the definitions that the runtime reads."""

from __future__ import annotations

from p4embed.switch import program as p
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.names import identifier
from p4embed.switch.codegen.values import Unsupported, c_type


def match_name(table: p.Table) -> str:
    """Which of the runtime's lookups a table uses."""
    if table.prioritized:
        return "WP_RANGE" if any(f.match is p.MatchKind.RANGE for f in table.key) else "WP_TERNARY"
    return "WP_LPM" if table.masked else "WP_EXACT"


def function(context: Context, index: int) -> list[str]:
    """``apply_<name>(p)``: looks up, runs the action.

    Returns what the control goes on by: whether it hit, or the action's id (-1: none). A table
    that packets of a burst prepare for has ``fetch_<name>(p)``, too.
    """
    program, names = context.program, context.names
    table, name = program.tables[index], names.tables[index]
    if table.fixed:
        return _fixed(context, table, name)
    fetched = index in context.ahead.tables
    lines = [
        f"/* table {table.name} */",
        *(_fetch(context, table, name, index) if fetched else ()),
        f"static int apply_{name}(struct packet *p)",
        "{",
        f"    const struct wp_table *table = &p->run->engine->tables[{index}];",
        "    struct wp_entry *entry = NULL;",
        *_lookup(context, table, fetched),
        "    int action = table->default_action;",
        "    const uint8_t *params = table->default_params;",
        "    if (entry) {",
        "        wp_hit(entry, p->run->now_ns, p->ingress_length);",
        "        action = entry->action;",
        "        params = wp_entry_params(table, entry);",
        *_direct_meter(context, table),
        "    }",
        *_profile(context, table),
        "    (void)params;",
        "    switch (action) {",
    ]
    for action_id in _actions(table):
        action = program.actions_by_id[action_id]
        lines.append(f"    case {action_id}: {_call(context, action)} break;")
    result = "entry != NULL" if isinstance(table.next, p.ByHit) else "action"
    return [*lines, "    }", f"    return {result};", "}", ""]


def _fixed(context: Context, table: p.Table, name: str) -> list[str]:
    assert table.default is not None
    params = []
    if table.default.params:
        literal = ", ".join(str(byte) for byte in table.default.params)
        params = [f"    static const uint8_t params[] = {{{literal}}};"]
    result = 0 if isinstance(table.next, p.ByHit) else table.default.action
    return [
        f"/* table {table.name} */",
        f"static inline int apply_{name}(struct packet *p)",
        "{",
        *params,
        f"    {_call(context, context.program.actions_by_id[table.default.action])}",
        f"    return {result};",
        "}",
        "",
    ]


def _fetch(context: Context, table: p.Table, name: str, index: int) -> list[str]:
    return [
        f"static void fetch_{name}(struct packet *p)",
        "{",
        *_key(context, table),
        f"    wp_fetch_bucket(&p->ahead, &p->run->engine->tables[{index}], key, {table.key_size});",
        "}",
        "",
    ]


def _actions(table: p.Table) -> tuple[int, ...]:
    """Ids of all actions that may run."""
    default = table.default
    if default is None or default.action in table.actions:
        return table.actions
    return (*table.actions, default.action)


def _key(context: Context, table: p.Table) -> list[str]:
    lines = [f"    uint8_t key[{table.key_size}];"]
    at = 0
    for part in table.key:
        place = f"key + {at}" if at else "key"
        lines.append(
            f"    {_store(place, part.size, _key_text(context, part), part.width)}"
            f" /* {part.name} */"
        )
        at += part.size
    return lines


def _lookup(context: Context, table: p.Table, fetched: bool) -> list[str]:
    if not table.key:
        return []
    ahead = "&p->ahead" if fetched else "NULL"
    call = {
        "WP_EXACT": f"wp_lookup_exact(table, key, {table.key_size}, {ahead})",
        "WP_LPM": "wp_lookup_lpm(table, key)",
    }.get(match_name(table), "wp_lookup_ordered(table, key)")
    return [*_key(context, table), f"    entry = {call};"]


def _store(place: str, size: int, text: str, width: int) -> str:
    if width > 128:
        return f"wide_store({place}, {size}, {text});"
    call = "wp_store128" if size > 8 else "wp_store"
    return f"{call}({place}, {size}, {text});"


def _key_text(context: Context, part: p.KeyField) -> str:
    """A field of the key; fields of an invalid header count as 0."""
    full = (1 << part.width) - 1
    if isinstance(part.source, p.ValidBit):
        text = f"{context.names.headers[part.source.header]}.valid"
        return text if part.mask & 1 else "0"
    header = context.program.headers[part.source.header]
    text = context.lvalue(part.source)
    if part.mask & full != full:
        if part.width > 64:
            raise Unsupported(f"key '{part.name}': a static mask on more than 64 bits")
        text = f"({text} & 0x{part.mask:x})"
    if header.metadata:
        return text
    zero = "(wide){{0}}" if part.width > 128 else "0"
    return f"{context.names.headers[part.source.header]}.valid ? {text} : {zero}"


def _direct_meter(context: Context, table: p.Table) -> list[str]:
    if table.meter is None:
        return []
    meter = context.program.meters[table.meter]
    tokens = "p->ingress_length" if meter.bytes else "1"
    color = f"wp_meter_color(wp_entry_meter(table, entry), {tokens}, p->run->now_ns)"
    if meter.target is None:
        return [f"        (void){color};"]
    return [f"        {line}" for line in context.intrinsic(meter.target, color)]


def _profile(context: Context, table: p.Table) -> list[str]:
    """The action that a member, or a group's member, stands for."""
    if table.profile is None:
        return []
    profile = f"&p->run->engine->profiles[{table.profile}]"
    lines = [
        "    if (action == WP_TO_MEMBER)",
        f"        action = wp_member_action({profile}, wp_load(params, 4), &params);",
    ]
    if context.program.profiles[table.profile].selector is not None:
        selected = f"calculate_{selector_name(context, table.profile)}(p)"
        lines += [
            "    else if (action == WP_TO_GROUP)",
            f"        action = wp_group_action({profile}, wp_load(params, 4), {selected},",
            "                                 &params);",
        ]
    return lines


def selector_name(context: Context, profile: int) -> str:
    """The calculation by which a profile selects."""
    return f"selector_{profile}_{identifier(context.program.profiles[profile].name)}"


def _call(context: Context, action: p.Action) -> str:
    arguments, at = [], 0
    for param in action.params:
        size = p.byte_width(param.width)
        place = f"params + {at}" if at else "params"
        if param.width > 128:
            context.need_wide(param.width + 1)
            arguments.append(f", wide_load({place}, {size})")
        elif size > 8:
            arguments.append(f", wp_load128({place}, {size})")
        else:
            arguments.append(f", ({c_type(param.width)})wp_load({place}, {size})")
        at += size
    return f"action_{context.names.actions[action.id]}(p{''.join(arguments)});"


def definitions(context: Context) -> list[str]:
    """The table definitions."""
    lines: list[str] = []
    rows: list[str] = []
    for table, name in zip(context.program.tables, context.names.tables, strict=True):
        ranges, at = [], 0
        for part in table.key:
            if part.match is p.MatchKind.RANGE:
                ranges.append(f"{{{at}, {part.size}}}")
            at += part.size
        if ranges:
            lines.append(
                f"static const struct wp_range_field ranges_{name}[] = {{{', '.join(ranges)}}};"
            )
        default = table.default
        params = b"" if default is None else default.params
        if params:
            literal = ", ".join(str(byte) for byte in params)
            lines.append(f"static const uint8_t default_{name}[] = {{{literal}}};")
        # The number of a member or group has four bytes.
        least = 4 if table.profile is not None else 0
        sizes = [context.program.actions_by_id[a].params_size for a in _actions(table)]
        most = max([least, *sizes])
        rows += [
            "    {",
            f'        .name = "{_quoted(table.name)}",',
            f"        .match = {match_name(table)},",
            f"        .key_bytes = {table.key_size},",
            f"        .params_bytes = {most},",
            f"        .size = {table.size},",
            f"        .has_meter = {int(table.meter is not None)},",
            f"        .range_fields = {len(ranges)},",
            f"        .ranges = {f'ranges_{name}' if ranges else 'NULL'},",
            f"        .default_action = {-1 if default is None else default.action},",
            f"        .default_bytes = {len(params)},",
            f"        .default_params = {f'default_{name}' if params else 'no_params'},",
            "    },",
        ]
    return [
        "static const uint8_t no_params[] = {0};",
        *lines,
        "static const struct wp_table_def tables[] = {",
        *(rows or ["    {0},"]),
        "};",
        "",
    ]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
