"""BMv2 JSON to ``Program``, completely checked.

Whatever is malformed or unknown is refused with its place, as in
``$.pipelines[0].tables[3].key[1].match_type: 'exakt'; expected one of exact, lpm, ternary, range``.
What loads here runs: executors meet no name, type or index that they would have to doubt.
"""

from __future__ import annotations

import json
from pathlib import Path

from p4embed.switch import program as p
from p4embed.switch.json_reader import Json, LoadError
from p4embed.switch.load_actions import read_action
from p4embed.switch.load_expressions import Expressions, Symbols, lookup
from p4embed.switch.load_headers import read_headers
from p4embed.switch.load_parsers import read_deparser, read_parser
from p4embed.switch.load_pipelines import Context, Pipelines, read_calculation, read_pipeline

__all__ = ["LoadError", "load_bytes", "load_file"]

_REQUIRED = ("header_types", "headers", "parsers", "deparsers", "actions", "pipelines")
_OPTIONAL = (
    "__meta__", "program", "header_stacks", "header_union_types", "header_unions",
    "header_union_stacks", "field_lists", "errors", "enums", "parse_vsets", "meter_arrays",
    "counter_arrays", "register_arrays", "calculations", "learn_lists", "checksums", "force_arith",
    "extern_instances", "field_aliases", "config_options",
)  # fmt: skip

_CORE_ERRORS = (
    "NoError", "PacketTooShort", "StackOutOfBounds", "HeaderTooShort", "ParserInvalidArgument",
)  # fmt: skip
_NO_CODE = 2**31 - 1
"""Error code that BMv2 reserves for errors that a program does not declare."""


def load_file(path: str | Path) -> p.Program:
    """Load a file; ``OSError`` if it cannot be read, ``LoadError`` if it is no such program."""
    return load_bytes(Path(path).read_bytes())


def load_bytes(text: bytes) -> p.Program:
    """Load a JSON document."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError("$", f"not JSON: {error}") from None
    root = Json(document)
    if not root.is_object or not root.has("pipelines"):
        raise root.fail(
            "not a BMv2 program: no object with 'pipelines'; compile one with p4embed-c"
        )
    try:
        return _Loader(root).load()
    except RecursionError:
        raise root.fail("expressions are nested too deeply") from None


class _Loader:
    def __init__(self, root: Json) -> None:
        self.root = root
        self.symbols = Symbols()

    def load(self) -> p.Program:
        root, symbols = self.root, self.symbols
        root.keys(_REQUIRED, _OPTIONAL)
        self._version()
        for instance in root.elements("extern_instances"):
            raise instance.fail(
                f"extern '{instance['name'].text()}' of type '{instance['type'].text()}' is not"
                " supported; expected the externs of v1model"
            )
        types = read_headers(root, symbols)
        intrinsics = self._intrinsics()
        field_lists = self._field_lists()
        digests = self._digests()
        calculations = self._calculations()
        counters, bound_counters = self._counters()
        meters = self._meters()
        registers = self._registers()
        value_sets, value_set_names = self._value_sets()
        errors = self._errors()
        parser = read_parser(self._only("parsers", "parser"), symbols, value_set_names)
        deparser = read_deparser(self._only("deparsers", "deparser"), symbols)
        actions: dict[int, p.Action] = {}
        for at in root["actions"].array():
            action = read_action(at, symbols)
            if action.id in actions:
                raise at["id"].fail(f"action id {action.id} is used twice")
            actions[action.id] = action
        into, context = Pipelines(), Context(symbols, actions, bound_counters, meters)
        pipelines: dict[str, p.Pipeline] = {}
        for at in root["pipelines"].array():
            if at["name"].text() not in ("ingress", "egress"):
                raise at["name"].expected("'ingress' or 'egress'")
            pipelines[at["name"].text()] = read_pipeline(at, context, into)
        for name in ("ingress", "egress"):
            if name not in pipelines:
                raise root["pipelines"].fail(f"pipeline '{name}' is missing")
        program_name = root.get("program")
        return p.Program(
            name="" if program_name is None else program_name.text(),
            header_types=types,
            headers=tuple(symbols.headers),
            stacks=tuple(symbols.stacks),
            unions=tuple(symbols.unions),
            union_stacks=tuple(symbols.union_stacks),
            errors=errors,
            value_sets=value_sets,
            parser=parser,
            deparser=deparser,
            actions=tuple(actions.values()),
            tables=tuple(into.tables),
            branches=tuple(into.branches),
            calls=tuple(into.calls),
            profiles=tuple(into.profiles),
            ingress=pipelines["ingress"],
            egress=pipelines["egress"],
            counters=counters,
            meters=meters,
            registers=registers,
            calculations=calculations,
            checksums=self._checksums(),
            field_lists=field_lists,
            digests=digests,
            intrinsics=intrinsics,
        )

    def _version(self) -> None:
        meta = self.root.get("__meta__")
        if meta is not None and meta.has("version"):
            major, _minor = meta["version"].array(2)
            if major.integer() != 2:
                raise major.expected("major version 2 of the BMv2 JSON format")

    def _only(self, attribute: str, name: str) -> Json:
        """The one parser or deparser that simple_switch runs."""
        found = self.root[attribute].array()
        if len(found) != 1 or found[0]["name"].text() != name:
            raise self.root[attribute].fail(f"expected exactly one, named '{name}'")
        return found[0]

    def _intrinsics(self) -> p.Intrinsics:
        symbols = self.symbols
        for at in self.root.elements("field_aliases"):
            alias, target = at.array(2)
            symbols.aliases[alias.text()] = symbols.plain_field(target)
        for index, header in enumerate(symbols.headers):
            if header.metadata:
                for number, field in enumerate(header.type.fields):
                    name = f"{header.name}.{field.name}"
                    symbols.aliases.setdefault(name, p.FieldRef(index, number))

        def find(*names: str) -> p.FieldRef | None:
            return next((symbols.aliases[n] for n in names if n in symbols.aliases), None)

        def need(name: str) -> p.FieldRef:
            field = find(f"standard_metadata.{name}")
            if field is None:
                raise self.root["headers"].fail(
                    f"no field 'standard_metadata.{name}'; simple_switch needs one"
                )
            return field

        def intrinsic(name: str) -> p.FieldRef | None:
            return find(f"intrinsic_metadata.{name}", f"standard_metadata.{name}")

        def queueing(name: str) -> p.FieldRef | None:
            return find(f"queueing_metadata.{name}", f"standard_metadata.{name}")

        return p.Intrinsics(
            ingress_port=need("ingress_port"),
            packet_length=need("packet_length"),
            instance_type=need("instance_type"),
            egress_spec=need("egress_spec"),
            egress_port=need("egress_port"),
            parser_error=find("standard_metadata.parser_error"),
            checksum_error=find("standard_metadata.checksum_error"),
            ingress_global_timestamp=intrinsic("ingress_global_timestamp"),
            egress_global_timestamp=intrinsic("egress_global_timestamp"),
            mcast_grp=intrinsic("mcast_grp"),
            egress_rid=intrinsic("egress_rid"),
            enq_timestamp=queueing("enq_timestamp"),
            enq_qdepth=queueing("enq_qdepth"),
            deq_timedelta=queueing("deq_timedelta"),
            deq_qdepth=queueing("deq_qdepth"),
            qid=queueing("qid"),
            priority=intrinsic("priority"),
        )

    def _list_fields(self, at: Json, constants: bool) -> tuple[p.FieldRef, ...]:
        fields = []
        for element in at["elements"].array():
            kind = element["type"].text()
            if kind == "field":
                fields.append(self.symbols.plain_field(element["value"]))
            elif not (constants and kind == "hexstr"):
                raise element["type"].expected("'field'")
        return tuple(fields)

    def _field_lists(self) -> tuple[p.FieldList, ...]:
        lists: list[p.FieldList] = []
        for at in self.root.elements("field_lists"):
            at.keys(("id", "name", "elements"))
            self.symbols.field_lists[at["id"].integer()] = len(lists)
            # A constant in a field list has nothing to be copied to.
            lists.append(p.FieldList(at["name"].text(), self._list_fields(at, constants=True)))
        return tuple(lists)

    def _digests(self) -> tuple[p.DigestList, ...]:
        lists: list[p.DigestList] = []
        for at in self.root.elements("learn_lists"):
            at.keys(("id", "name", "elements"))
            self.symbols.digests[at["id"].integer()] = len(lists)
            lists.append(p.DigestList(at["name"].text(), self._list_fields(at, constants=False)))
        return tuple(lists)

    def _calculations(self) -> tuple[p.Calculation, ...]:
        calculations: list[p.Calculation] = []
        for at in self.root.elements("calculations"):
            at.keys(("name", "id", "algo", "input"))
            name = at["name"].text()
            self.symbols.calculations[name] = len(calculations)
            calculations.append(read_calculation(name, at["algo"], at["input"], self.symbols))
        return tuple(calculations)

    def _counters(self) -> tuple[tuple[p.Counter, ...], dict[str, int]]:
        counters: list[p.Counter] = []
        bound: dict[str, int] = {}
        for at in self.root.elements("counter_arrays"):
            at.keys(("name", "id"), ("size", "is_direct", "binding"))
            direct = at.flag("is_direct")
            size = at["size"].integer() if at.has("size") or not direct else 0
            self.symbols.counters[at["name"].text()] = len(counters)
            if direct:
                bound[at["binding"].text()] = len(counters)
            counters.append(p.Counter(at["name"].text(), size, direct))
        return tuple(counters), bound

    def _meters(self) -> tuple[p.Meter, ...]:
        meters: list[p.Meter] = []
        for at in self.root.elements("meter_arrays"):
            at.keys(
                ("name", "id", "type", "rate_count"),
                ("size", "is_direct", "binding", "result_target"),
            )
            if at["type"].text() not in ("packets", "bytes"):
                raise at["type"].expected("'packets' or 'bytes'")
            direct = at.flag("is_direct")
            target = self.symbols.plain_field(at["result_target"]) if direct else None
            size = at["size"].integer() if at.has("size") or not direct else 0
            self.symbols.meters[at["name"].text()] = len(meters)
            in_bytes = at["type"].text() == "bytes"
            meters.append(p.Meter(at["name"].text(), size, direct, in_bytes, target))
        return tuple(meters)

    def _registers(self) -> tuple[p.Register, ...]:
        registers: list[p.Register] = []
        for at in self.root.elements("register_arrays"):
            at.keys(("name", "id", "size", "bitwidth"))
            self.symbols.registers[at["name"].text()] = len(registers)
            size, width = at["size"].integer(), at["bitwidth"].width()
            registers.append(p.Register(at["name"].text(), size, width))
        return tuple(registers)

    def _value_sets(self) -> tuple[tuple[p.ValueSet, ...], dict[str, int]]:
        sets: list[p.ValueSet] = []
        names: dict[str, int] = {}
        for at in self.root.elements("parse_vsets"):
            at.keys(("name", "id", "compressed_bitwidth"), ("max_size",))
            names[at["name"].text()] = len(sets)
            size = at["max_size"].integer() if at.has("max_size") else 0
            width = at["compressed_bitwidth"].width()
            sets.append(p.ValueSet(at["name"].text(), width, size))
        return tuple(sets), names

    def _errors(self) -> p.Errors:
        pairs = [at.array(2) for at in self.root.elements("errors")]
        names = tuple((name.text(), code.integer()) for name, code in pairs)
        codes = dict(names)
        core = [codes.get(name, 0 if name == "NoError" else _NO_CODE) for name in _CORE_ERRORS]
        return p.Errors(names, *core)

    def _checksums(self) -> tuple[p.Checksum, ...]:
        checksums = []
        scope = Expressions(self.symbols)
        for at in self.root.elements("checksums"):
            at.keys(
                ("name", "id", "target", "type", "calculation"), ("update", "verify", "if_cond")
            )
            if at["type"].text() != "generic":
                raise at["type"].expected("'generic'")
            condition = at.get("if_cond")
            checksums.append(
                p.Checksum(
                    name=at["name"].text(),
                    target=self.symbols.plain_field(at["target"]),
                    calculation=lookup(self.symbols.calculations, at["calculation"], "calculation"),
                    verify=at.flag("verify", default=True),
                    update=at.flag("update", default=True),
                    condition=p.BoolConst(True) if condition is None else scope.bool(condition),
                )
            )
        return tuple(checksums)
