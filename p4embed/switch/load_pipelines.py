"""Pipelines of BMv2 JSON: tables, conditionals, action calls, and how they follow each other.

Source: behavioral-model ``docs/JSON_format.md``, "pipelines" and "match-action entry format".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from p4embed.switch import program as p
from p4embed.switch.engine import Entry, EntryKey
from p4embed.switch.json_reader import Json
from p4embed.switch.load_expressions import Expressions, Symbols, lookup


@dataclass
class Pipelines:
    """What the pipelines hold between them, in the order of ``Program``."""

    tables: list[p.Table] = field(default_factory=list)
    branches: list[p.Branch] = field(default_factory=list)
    calls: list[p.Call] = field(default_factory=list)
    profiles: list[p.Profile] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """What a pipeline refers to."""

    symbols: Symbols
    actions: dict[int, p.Action]
    """By id."""
    bound_counters: dict[str, int]
    """Direct counters by the name of their table."""
    meters: Sequence[p.Meter]


def read_pipeline(at: Json, context: Context, into: Pipelines) -> p.Pipeline:
    """One element of ``pipelines``; its parts are appended to ``into``."""
    at.keys(
        ("name", "id", "init_table", "tables", "conditionals"),
        ("action_profiles", "action_calls", "field_list"),
    )
    reader = _PipelineReader(at, context, into)
    for profile in at.elements("action_profiles"):
        into.profiles.append(reader.profile(profile))
    for table in at["tables"].array():
        into.tables.append(reader.table(table))
    for branch in at["conditionals"].array():
        into.branches.append(reader.branch(branch))
    for call in at.elements("action_calls"):
        into.calls.append(reader.call(call))
    return p.Pipeline(at["name"].text(), reader.node(at["init_table"]))


class _PipelineReader:
    def __init__(self, at: Json, context: Context, into: Pipelines) -> None:
        self.context = context
        self.symbols = context.symbols
        self.scope = Expressions(context.symbols)
        self.nodes: dict[str, p.Node] = {}
        self.profiles: dict[str, int] = {}
        self.by_profile: dict[int, dict[str, p.Action]] = {}
        for offset, profile in enumerate(at.elements("action_profiles")):
            self.profiles[profile["name"].text()] = len(into.profiles) + offset
        for offset, table in enumerate(at["tables"].array()):
            self._declare(table, p.TableNode(len(into.tables) + offset))
        for offset, branch in enumerate(at["conditionals"].array()):
            self._declare(branch, p.BranchNode(len(into.branches) + offset))
        for offset, call in enumerate(at.elements("action_calls")):
            self._declare(call, p.CallNode(len(into.calls) + offset))

    def _declare(self, at: Json, node: p.Node) -> None:
        name = at["name"].text()
        if name in self.nodes:
            raise at["name"].fail(f"'{name}' is declared twice in this pipeline")
        self.nodes[name] = node

    def node(self, at: Json) -> p.Node | None:
        if at.is_null:
            return None
        if at.text() not in self.nodes:
            raise at.fail(f"no table, conditional or action call '{at.text()}' in this pipeline")
        return self.nodes[at.text()]

    def action(self, at: Json) -> p.Action:
        number = at.integer()
        if number not in self.context.actions:
            raise at.fail(f"no action has id {number}")
        return self.context.actions[number]

    def branch(self, at: Json) -> p.Branch:
        at.keys(("name", "id", "expression"), ("true_next", "false_next"))
        if "true_next" not in at.value and "false_next" not in at.value:  # type: ignore[operator]
            raise at.fail("expected attribute 'true_next', 'false_next' or both")
        if_true, if_false = at.get("true_next"), at.get("false_next")
        return p.Branch(
            at["name"].text(),
            self.scope.bool(at["expression"]),
            None if if_true is None else self.node(if_true),
            None if if_false is None else self.node(if_false),
        )

    def call(self, at: Json) -> p.Call:
        at.keys(("name", "id", "action_id", "next_node"))
        action = self.action(at["action_id"])
        if action.params:
            raise at["action_id"].fail(f"action '{action.name}' has parameters; expected none")
        return p.Call(at["name"].text(), action.id, self.node(at["next_node"]))

    def profile(self, at: Json) -> p.Profile:
        at.keys(("name", "id", "max_size"), ("selector",))
        selector = at.get("selector")
        calculation = None
        if selector is not None:
            selector.keys(("algo", "input"))
            name = f"{at['name'].text()} selector"
            calculation = read_calculation(name, selector["algo"], selector["input"], self.symbols)
        return p.Profile(at["name"].text(), at["max_size"].integer(), calculation)

    def table(self, at: Json) -> p.Table:
        at.keys(
            ("name", "id", "match_type", "type", "key", "next_tables"),
            (
                "max_size", "with_counters", "support_timeout", "direct_meters", "action_ids",
                "actions", "base_default_next", "default_entry", "entries", "action_profile",
            ),
        )  # fmt: skip
        key = tuple(self.key_field(part) for part in at["key"].array())
        match = _match_kind(at["match_type"])
        _check_match(at["match_type"], match, key)
        implementation, profile = self.implementation(at)
        actions = self.shared(profile, self.table_actions(at), at)
        default_at = at.get("default_entry")
        default = None if default_at is None else self.default(default_at, actions)
        entries = self.entries(at, key, actions)
        if entries and implementation is not p.Implementation.SIMPLE:
            raise at["entries"].fail("only a table of type 'simple' can have entries")
        size = at["max_size"].integer() if at.has("max_size") else len(entries)
        following = at.get("base_default_next")
        return p.Table(
            name=at["name"].text(),
            id=at["id"].integer(),
            match=match,
            key=key,
            implementation=implementation,
            profile=profile,
            size=max(size, len(entries)),
            counter=self.direct_counter(at),
            meter=self.direct_meter(at),
            support_timeout=at.flag("support_timeout"),
            actions=tuple(action.id for action in actions),
            next=self.next(at["next_tables"], actions),
            next_without_action=None if following is None else self.node(following),
            default=default,
            const_entries=entries,
        )

    def implementation(self, at: Json) -> tuple[p.Implementation, int | None]:
        try:
            implementation = p.Implementation(at["type"].text())
        except ValueError:
            raise at["type"].expected("one of simple, indirect, indirect_ws") from None
        if implementation is p.Implementation.SIMPLE:
            return implementation, None
        return implementation, lookup(self.profiles, at["action_profile"], "action profile")

    def shared(self, profile: int | None, actions: list[p.Action], at: Json) -> list[p.Action]:
        """The actions of a table, those of the first with this profile where it has one.

        A compiler makes copies of an action, one per table, but a member has one action only.
        """
        if profile is None:
            return actions
        first = self.by_profile.setdefault(profile, {action.name: action for action in actions})
        for action in actions:
            if action.name not in first or first[action.name].params != action.params:
                raise at["actions"].fail(
                    f"action '{action.name}': all tables of an action profile must have the same"
                )
        return [first[action.name] for action in actions]

    def direct_counter(self, at: Json) -> int | None:
        counter = self.context.bound_counters.get(at["name"].text())
        if at.flag("with_counters") and counter is None:
            raise at["with_counters"].fail(
                f"no direct counter array is bound to '{at['name'].text()}'"
            )
        return counter

    def direct_meter(self, at: Json) -> int | None:
        name = at.get("direct_meters")
        if name is None:
            return None
        meter = lookup(self.symbols.meters, name, "meter array")
        if not self.context.meters[meter].direct:
            raise name.fail(f"meter array '{name.text()}' is not direct")
        return meter

    def key_field(self, at: Json) -> p.KeyField:
        at.keys(("match_type", "target"), ("name", "mask"))
        kind, target = at["match_type"].text(), at["target"]
        source: p.FieldRef | p.ValidBit
        if kind == "valid":
            match, source = p.MatchKind.EXACT, p.ValidBit(self.symbols.header(target))
        else:
            match, source = _match_kind(at["match_type"]), self.symbols.field(target)
        width, default_name = 1, "valid"
        if isinstance(source, p.FieldRef):
            declared = self.symbols.headers[source.header].type.fields[source.field]
            if declared.variable:
                raise target.fail(f"'{declared.name}' has variable length; expected a fixed field")
            width, default_name = declared.width, declared.name
        mask_at, name_at = at.get("mask"), at.get("name")
        ones = (1 << width) - 1
        return p.KeyField(
            name=default_name if name_at is None else name_at.text(),
            match=match,
            source=source,
            width=width,
            mask=ones if mask_at is None else _bits(mask_at, width),
        )

    def table_actions(self, at: Json) -> list[p.Action]:
        if at.has("action_ids"):
            return [self.action(number) for number in at["action_ids"].array()]
        by_name = {action.name: action for action in self.context.actions.values()}
        actions = []
        for name in at["actions"].array():
            if name.text() not in by_name:
                raise name.fail(f"no action '{name.text()}' is declared")
            actions.append(by_name[name.text()])
        return actions

    def next(self, at: Json, actions: list[p.Action]) -> p.ByAction | p.ByHit:
        names = [name for name, _ in at.items()]
        if "__HIT__" in names or "__MISS__" in names:
            at.keys(("__HIT__", "__MISS__"))
            return p.ByHit(self.node(at["__HIT__"]), self.node(at["__MISS__"]))
        known = {action.name for action in actions}
        for name, child in at.items():
            if name not in known:
                raise child.fail(f"'{name}' is not an action of this table")
        return p.ByAction(tuple(self.node(at[action.name]) for action in actions))

    def default(self, at: Json, actions: list[p.Action]) -> p.DefaultEntry:
        at.keys(("action_id", "action_data"), ("action_const", "action_entry_const"))
        action, params = self.action_entry(at, actions)
        return p.DefaultEntry(
            action, params, at.flag("action_const"), at.flag("action_entry_const")
        )

    def action_entry(self, at: Json, actions: list[p.Action]) -> tuple[int, bytes]:
        declared = self.action(at["action_id"])
        action = next((one for one in actions if one.name == declared.name), None)
        if action is None:
            raise at["action_id"].fail(f"'{declared.name}' is not an action of this table")
        data = at["action_data"].array(len(action.params))
        packed = b"".join(
            _bits(value, param.width).to_bytes(p.byte_width(param.width), "big")
            for value, param in zip(data, action.params, strict=True)
        )
        return action.id, packed

    def entries(
        self, at: Json, key: tuple[p.KeyField, ...], actions: list[p.Action]
    ) -> tuple[Entry, ...]:
        rows = at.elements("entries")
        prioritized = any(f.match in (p.MatchKind.TERNARY, p.MatchKind.RANGE) for f in key)
        masked = any(f.match is not p.MatchKind.EXACT for f in key)
        # BMv2's low number wins, P4Runtime's high one: count down from the last.
        last = max((row["priority"].integer() for row in rows if row.has("priority")), default=0)
        entries, seen = [], set()
        for row in rows:
            row.keys(("match_key", "action_entry"), ("priority",))
            value = mask = b""
            parts = row["match_key"].array(len(key))
            for part, declared in zip(parts, key, strict=True):
                low, high = _match_values(part, declared)
                value += low.to_bytes(declared.size, "big")
                mask += high.to_bytes(declared.size, "big")
            priority = last + 1 - row["priority"].integer() if prioritized else 0
            entry_key = EntryKey(value, mask if masked else b"", priority)
            if entry_key in seen:
                raise row.fail("another entry has the same key")
            seen.add(entry_key)
            row["action_entry"].keys(("action_id", "action_data"))
            action, params = self.action_entry(row["action_entry"], actions)
            entries.append(Entry(entry_key, action, params, is_const=True))
        return tuple(entries)


def _match_kind(at: Json) -> p.MatchKind:
    try:
        return p.MatchKind(at.text())
    except ValueError:
        raise at.expected("one of exact, lpm, ternary, range") from None


def _check_match(at: Json, match: p.MatchKind, key: tuple[p.KeyField, ...]) -> None:
    """A table's kind must be able to hold its fields' kinds."""
    kinds = [part.match for part in key]
    allowed: tuple[p.MatchKind, ...]
    if p.MatchKind.RANGE in kinds:
        allowed = (p.MatchKind.RANGE,)
    elif p.MatchKind.TERNARY in kinds:
        allowed = (p.MatchKind.TERNARY, p.MatchKind.RANGE)
    elif p.MatchKind.LPM in kinds:
        allowed = (p.MatchKind.LPM, p.MatchKind.TERNARY, p.MatchKind.RANGE)
    else:
        allowed = tuple(p.MatchKind)
    if match not in allowed:
        raise at.expected(" or ".join(f"'{kind.value}'" for kind in allowed) + " for this key")
    if kinds.count(p.MatchKind.LPM) > 1:
        raise at.fail("more than one lpm field in the key; expected at most one")


def _bits(at: Json, width: int) -> int:
    """A constant of at most ``width`` bits; negative in two's complement."""
    number = at.hexadecimal()
    if -(1 << (width - 1)) <= number < 0:
        number += 1 << width
    if number < 0 or number.bit_length() > width:
        raise at.expected(f"a value of at most {width} bits")
    return number


def _match_values(at: Json, declared: p.KeyField) -> tuple[int, int]:
    """Value and mask (range: low and high end) of one field of an entry."""
    width, ones = declared.width, (1 << declared.width) - 1
    kind = at["match_type"].text()
    if kind != declared.match.value and not (
        kind == "valid" and isinstance(declared.source, p.ValidBit)
    ):
        raise at["match_type"].expected(f"'{declared.match.value}', as the table's key says")
    match kind:
        case "valid":
            return int(at["key"].boolean()), ones
        case "exact":
            return _bits(at["key"], width), ones
        case "lpm":
            length = at["prefix_length"].integer(0, width)
            mask = ones ^ (ones >> length)
            return _bits(at["key"], width) & mask, mask
        case "ternary":
            mask = _bits(at["mask"], width)
            return _bits(at["key"], width) & mask, mask
    low, high = _bits(at["start"], width), _bits(at["end"], width)
    if low > high:
        raise at["end"].expected("an end not below 'start'")
    return low, high


def read_calculation(name: str, algorithm: Json, inputs: Json, symbols: Symbols) -> p.Calculation:
    """A named calculation, or a selector's."""
    try:
        algo = p.Algorithm(algorithm.text())
    except ValueError:
        known = ", ".join(a.value for a in p.Algorithm)
        raise algorithm.expected(f"one of {known}") from None
    parts: list[p.CalculationInput] = []
    for part in inputs.array():
        part.keys(("type", "value"), ("bitwidth",))
        match part["type"].text():
            case "field":
                parts.append(symbols.plain_field(part["value"]))
            case "hexstr":
                width = part["bitwidth"].width()
                parts.append(p.InputConst(_bits(part["value"], width), width))
            case "header":
                parts.append(p.InputHeader(symbols.header(part["value"])))
            case "payload":
                parts.append(p.InputPayload())
            case _:
                raise part["type"].expected("one of field, hexstr, header, payload")
    return p.Calculation(name, algo, tuple(parts))
