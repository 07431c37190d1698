"""P4Info of a checked program (P4Runtime specification, "The P4Info Message").

Names, ids, order and annotations are those that p4c gives, so that a controller never
notices who compiled. What a program declares but never uses (a table nobody applies, an
action nobody runs) is left out, as p4c leaves it out; extern instances stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from finsy.proto import p4i

from p4embed.compiler import ast
from p4embed.compiler import p4info_ids as ids
from p4embed.compiler.checked import CheckedProgram, EnumValue
from p4embed.compiler.diagnostics import Diagnostics, Span
from p4embed.compiler.elaborate.context import control_plane_name
from p4embed.compiler.elaborate.tables import DEFAULT_SIZE, key_name
from p4embed.compiler.elaborate.values import Unsupported
from p4embed.compiler.p4info_objects import Found, Kind, Used, find_objects
from p4embed.compiler.p4info_types import TypeInfo, value_bytes
from p4embed.compiler.types import EnumType, SetType, StructType, Type

Message: TypeAlias = Any
"""A protobuf message; finsy's stubs do not cover the fields that several share."""
Annotated = TypeVar("Annotated", bound=ast.Declaration)

MATCH_TYPES = {
    "exact": p4i.MatchField.EXACT,
    "lpm": p4i.MatchField.LPM,
    "ternary": p4i.MatchField.TERNARY,
    "range": p4i.MatchField.RANGE,
    "optional": p4i.MatchField.OPTIONAL,
}
COUNTER_UNITS = {
    "packets": p4i.CounterSpec.PACKETS,
    "bytes": p4i.CounterSpec.BYTES,
    "packets_and_bytes": p4i.CounterSpec.BOTH,
}
METER_UNITS = {"packets": p4i.MeterSpec.PACKETS, "bytes": p4i.MeterSpec.BYTES}
PACKAGE_KEYS = ("name", "version", "organization", "contact", "url", "arch")


def build(checked: CheckedProgram, used: Used, diagnostics: Diagnostics) -> p4i.P4Info:
    """The P4Info; complete only if `diagnostics` has no error then."""
    builder = _Builder(checked, used)
    try:
        builder.run()
    except Unsupported as problem:
        diagnostics.error(problem.message, problem.span, *problem.notes)
    return builder.info


# --- annotations -------------------------------------------------------------------


def _text(annotation: ast.Annotation) -> str:
    """An annotation as P4Info shows it: its tokens with a space between."""
    if annotation.tokens is None:
        return f"@{annotation.name}"
    return f"@{annotation.name}({' '.join(annotation.tokens)})"


def _constant(expr: ast.Expression, into: Message) -> None:
    match expr:
        case ast.IntLiteral(value=value):
            into.int64_value = value
        case ast.BoolLiteral(value=flag):
            into.bool_value = flag
        case ast.StringLiteral(value=text):
            into.string_value = text
        case _:
            raise Unsupported(
                "only literals are supported in a structured annotation in P4Info", expr.span
            )


def _annotate(
    message: Message, annotations: Iterable[ast.Annotation], without: Sequence[str] = ()
) -> None:
    """Annotations that P4Info has no field of its own for."""
    for a in annotations:
        if a.expressions is not None or a.pairs is not None:
            structured = message.structured_annotations.add(name=a.name)
            for expr in a.expressions or ():
                _constant(expr, structured.expression_list.expressions.add())
            for pair in a.pairs or ():
                into = structured.kv_pair_list.kv_pairs.add(key=pair.key)
                _constant(pair.value, into.value)
        elif a.name not in ("name", "id", "brief", "description", *without):
            message.annotations.append(_text(a))


def _document(message: Message, annotations: Iterable[ast.Annotation]) -> None:
    for a in annotations:
        if a.name in ("brief", "description") and a.literals:
            setattr(message.doc, a.name, str(a.literals[0]))


def _given_id(annotations: Iterable[ast.Annotation]) -> int | None:
    for a in annotations:
        if a.name == "id" and a.literals and isinstance(a.literals[0], int):
            return a.literals[0]
    return None


def _number(annotations: Iterable[ast.Annotation], name: str) -> int | None:
    for a in annotations:
        if a.name == name and a.literals and isinstance(a.literals[0], int):
            return a.literals[0]
    return None


# --- the message -------------------------------------------------------------------


class _Builder:
    def __init__(self, checked: CheckedProgram, used: Used) -> None:
        self.checked = checked
        self.used = used
        self.objects = find_objects(checked, used)
        self.info = p4i.P4Info()
        self.types = TypeInfo(checked, self.info)
        self.symbols = ids.Symbols()

    def run(self) -> None:
        for found in self.objects:
            self.collect(found)
        self.symbols.assign()
        emitters: dict[Kind, Callable[[Found], None]] = {
            Kind.TABLE: self.table,
            Kind.ACTION: self.action,
            Kind.EXTERN: self.extern,
            Kind.VALUE_SET: self.value_set,
            Kind.DIGEST: self.digest,
            Kind.CONTROLLER_HEADER: self.controller_header,
            Kind.EXTERN_CALL: self.extern_call,
        }
        for found in self.objects:
            emitters[found.kind](found)
        self.package()

    # --- symbols ---

    def collect(self, found: Found) -> None:
        kind = _symbol_kind(found)
        if kind is None:
            return
        given = None if found.declaration is None else _given_id(found.declaration.annotations)
        try:
            self.symbols.add(kind, found.name, given)
        except ids.WrongId as problem:
            raise Unsupported(str(problem), found.span) from None

    def preamble(
        self, message: Message, kind: int, found: Found, without: Sequence[str] = ()
    ) -> None:
        preamble = message.preamble
        preamble.id = self.symbols.id(kind, found.name)
        preamble.name = found.name
        preamble.alias = self.symbols.alias(found.name)
        _annotate(preamble, found.annotations, without)
        _document(preamble, found.annotations)

    def field_ids(self, given: list[int | None], span: Span) -> list[int]:
        try:
            return ids.field_ids(given)
        except ids.WrongId as problem:
            raise Unsupported(str(problem), span) from None

    # --- actions ---

    def action(self, found: Found) -> None:
        declaration = found.declaration
        assert isinstance(declaration, ast.ActionDeclaration)
        if found.hidden:
            return
        message = self.info.actions.add()
        self.preamble(message, ids.ACTION, found)
        if found.name not in self.used.table_actions:
            return  # What only controls call gets its arguments from them.
        # Parameters with a direction are bound in the program, not by the control plane.
        params = [p for p in declaration.parameters if p.direction is ast.Direction.NONE]
        numbers = self.field_ids([_given_id(p.annotations) for p in params], found.span)
        for parameter, number in zip(params, numbers, strict=True):
            param = message.params.add(id=number, name=control_plane_name("", parameter))
            _annotate(param, parameter.annotations)
            _document(param, parameter.annotations)
            type_ = self.checked.declared[parameter]
            self.types.convert(type_)
            if isinstance(type_, EnumType) and type_.underlying is None:
                param.type_name.name = type_.name
            else:
                param.bitwidth = self.types.width(type_)
                self.types.set_name(param.type_name, type_)

    # --- tables ---

    def table(self, found: Found) -> None:
        declaration = found.declaration
        assert isinstance(declaration, ast.TableDeclaration)
        if found.hidden:
            return
        self.types.touch()
        message = self.info.tables.add()
        self.preamble(message, ids.TABLE, found)
        self.match_fields(message, declaration)
        self.action_refs(message, declaration, found)
        self.default_action(message, declaration, found)
        message.size = self.table_size(declaration)
        entries = declaration.entries
        if entries is not None:
            message.is_const_table = entries.constant
            message.has_initial_entries = bool(entries.entries)
        timeout = declaration.find("support_timeout")
        if timeout is not None and self.checked.constants.get(timeout.value) is True:
            message.idle_timeout_behavior = p4i.Table.NOTIFY_CONTROL
        self.resources(message, found)

    def match_fields(self, message: Message, declaration: ast.TableDeclaration) -> None:
        keys = declaration.key or []
        numbers = self.field_ids([_given_id(k.annotations) for k in keys], declaration.span)
        for key, number in zip(keys, numbers, strict=True):
            if key.match_kind == "selector":
                continue
            field = message.match_fields.add(id=number, name=key_name(self.checked, key))
            _annotate(field, key.annotations)
            _document(field, key.annotations)
            type_ = self.checked.type_of(key.expression)
            self.types.convert(type_)
            field.bitwidth = self.types.width(type_)
            self.types.set_name(field.type_name, type_)
            if key.match_kind in MATCH_TYPES:
                field.match_type = MATCH_TYPES[key.match_kind]
            else:
                field.other_match_type = key.match_kind

    def action_refs(
        self, message: Message, declaration: ast.TableDeclaration, found: Found
    ) -> None:
        for reference in declaration.actions or []:
            name = found.action_name(self.checked, self.checked.action_calls[reference])
            ref = message.action_refs.add(id=self.symbols.id(ids.ACTION, name))
            _annotate(ref, reference.annotations)
            present = {a.name for a in reference.annotations}
            if "tableonly" in present and "defaultonly" in present:
                raise Unsupported(
                    "an action cannot be both @tableonly and @defaultonly", reference.span
                )
            if "tableonly" in present:
                ref.scope = p4i.ActionRef.TABLE_ONLY
            elif "defaultonly" in present:
                ref.scope = p4i.ActionRef.DEFAULT_ONLY
        if self.adds_no_action(declaration):
            ref = message.action_refs.add(id=self.symbols.id(ids.ACTION, "NoAction"))
            ref.annotations.append("@defaultonly")
            ref.scope = p4i.ActionRef.DEFAULT_ONLY

    def adds_no_action(self, declaration: ast.TableDeclaration) -> bool:
        """Whether a table runs NoAction on a miss without saying so."""
        return declaration.find("default_action") is None and not any(
            (d := self.checked.action_calls[r].declaration) is not None and d.name == "NoAction"
            for r in declaration.actions or []
        )

    def default_action(
        self, message: Message, declaration: ast.TableDeclaration, found: Found
    ) -> None:
        given = declaration.find("default_action")
        if given is None:
            message.initial_default_action.action_id = self.symbols.id(ids.ACTION, "NoAction")
            return
        info = self.checked.action_calls[given.value]
        number = self.symbols.id(ids.ACTION, found.action_name(self.checked, info))
        if given.constant:
            message.const_default_action_id = number
        message.initial_default_action.action_id = number
        position = 0
        for argument in info.arguments:
            if argument.parameter.direction is not ast.Direction.NONE or argument.value is None:
                continue
            position += 1
            value = self.checked.constants.get(argument.value)
            assert value is not None, "data of a default action is known while compiling"
            message.initial_default_action.arguments.add(
                param_id=_given_id(argument.parameter.annotations) or position,
                value=value_bytes(value, self.types.width(argument.type)),
            )

    def table_size(self, declaration: ast.TableDeclaration) -> int:
        given = declaration.find("size")
        value = None if given is None else self.checked.constants.get(given.value)
        return value if isinstance(value, int) and value else DEFAULT_SIZE

    def resources(self, message: Message, found: Found) -> None:
        table_id = message.preamble.id
        for property_name, kind, emit in (
            ("counters", ids.DIRECT_COUNTER, self.direct_counter),
            ("meters", ids.DIRECT_METER, self.direct_meter),
        ):
            resource = found.property_object(property_name)
            if resource is not None:
                message.direct_resource_ids.append(self.symbols.id(kind, resource.name))
                emit(resource, table_id)
        implementation = found.property_object("implementation")
        if implementation is not None:
            message.implementation_id = self.symbols.id(ids.ACTION_PROFILE, implementation.name)
            if implementation.in_place:
                self.action_profile(implementation)

    # --- externs ---

    def extern(self, found: Found) -> None:
        self.types.touch()
        emitters: dict[str, Callable[[Found], None]] = {
            "counter": self.counter,
            "meter": self.meter,
            "register": self.register,
            "action_profile": self.action_profile,
            "action_selector": self.action_profile,
        }
        emit = emitters.get(found.instance_of)
        if emit is not None and not found.in_place:
            emit(found)

    def counter(self, found: Found) -> None:
        message = self.info.counters.add()
        self.preamble(message, ids.COUNTER, found)
        message.spec.unit = COUNTER_UNITS[_unit(found)]
        message.size = _size(found)

    def direct_counter(self, found: Found, table_id: int) -> None:
        message = self.info.direct_counters.add()
        self.preamble(message, ids.DIRECT_COUNTER, found)
        message.spec.unit = COUNTER_UNITS[_unit(found)]
        message.direct_table_id = table_id

    def meter(self, found: Found) -> None:
        message = self.info.meters.add()
        self.preamble(message, ids.METER, found)
        message.spec.unit = METER_UNITS[_unit(found)]
        message.size = _size(found)

    def direct_meter(self, found: Found, table_id: int) -> None:
        message = self.info.direct_meters.add()
        self.preamble(message, ids.DIRECT_METER, found)
        message.spec.unit = METER_UNITS[_unit(found)]
        message.direct_table_id = table_id

    def register(self, found: Found) -> None:
        message = self.info.registers.add()
        self.preamble(message, ids.REGISTER, found)
        message.size = _size(found)
        instance = found.instance
        assert instance is not None
        element = next(iter(instance.type_arguments.values()))
        message.type_spec.CopyFrom(self.types.convert(element))

    def action_profile(self, found: Found) -> None:
        message = self.info.action_profiles.add()
        self.preamble(
            message,
            ids.ACTION_PROFILE,
            found,
            ("max_group_size", "selector_size_semantics", "max_member_weight"),
        )
        message.with_selector = found.instance_of == "action_selector"
        message.size = _size(found)
        group = _number(found.annotations, "max_group_size")
        if group is not None and message.with_selector:
            message.max_group_size = group
        if message.with_selector:
            _selector_size(message, found.annotations)
        users = sorted(
            table.name
            for table in self.objects
            if table.kind is Kind.TABLE
            and (used := table.property_object("implementation")) is not None
            and used.name == found.name
        )
        message.table_ids.extend(self.symbols.id(ids.TABLE, name) for name in users)

    def extern_call(self, found: Found) -> None:
        """A call of an extern function: p4c looks at each, and makes `type_info` present."""
        del found
        self.types.touch()

    def digest(self, found: Found) -> None:
        self.types.touch()
        message = self.info.digests.add()
        self.preamble(message, ids.DIGEST, found)
        assert found.type is not None
        message.type_spec.CopyFrom(self.types.convert(found.type))

    # --- parser and packets ---

    def value_set(self, found: Found) -> None:
        declaration = found.declaration
        assert isinstance(declaration, ast.ValueSetDeclaration)
        message = self.info.value_sets.add()
        self.preamble(message, ids.VALUE_SET, found)
        size = self.checked.constants.get(declaration.size)
        assert isinstance(size, int)
        message.size = size
        set_type = self.checked.declared[declaration]
        assert isinstance(set_type, SetType)
        element: Type = set_type.element
        if not isinstance(element, StructType):
            message.match.add(
                id=1, bitwidth=self.types.width(element), match_type=p4i.MatchField.EXACT
            )
            return
        fields = element.fields
        numbers = self.field_ids(
            [_given_id(f.declaration.annotations) for f in fields], declaration.span
        )
        for field, number in zip(fields, numbers, strict=True):
            match = message.match.add(id=number, name=control_plane_name("", field.declaration))
            match.bitwidth = self.types.width(field.type)
            match.match_type = _match_annotation(field.declaration)
            _annotate(match, field.declaration.annotations, ("match",))
            _document(match, field.declaration.annotations)

    def controller_header(self, found: Found) -> None:
        if found.hidden:
            return
        declaration, type_ = found.declaration, found.type
        assert isinstance(declaration, ast.StructDeclaration)
        assert isinstance(type_, StructType)
        message = self.info.controller_packet_metadata.add()
        self.preamble(message, ids.CONTROLLER_HEADER, found)
        title = next(a for a in declaration.annotations if a.name == "controller_header")
        message.preamble.name = message.preamble.alias = str(title.literals[0])
        fields = list(_flat_fields(type_, ""))
        numbers = self.field_ids([_given_id(notes) for _, _, notes in fields], declaration.span)
        for (name, field_type, notes), number in zip(fields, numbers, strict=True):
            if any(a.name == "hidden" for a in notes):
                continue
            metadata = message.metadata.add(id=number, name=name)
            _annotate(metadata, notes)
            self.types.convert(field_type)
            self.types.touch()
            metadata.bitwidth = self.types.width(field_type)
            self.types.set_name(metadata.type_name, field_type)

    # --- package ---

    def package(self) -> None:
        package = self.info.pkg_info
        package.arch = "v1model"
        main = self.checked.main
        if main is None or not isinstance(main.node, ast.Instantiation):
            return
        annotations = main.node.annotations
        for a in annotations:
            for key, value in _pairs(a):
                if a.name == "pkginfo" and key in PACKAGE_KEYS and isinstance(value, str):
                    setattr(package, key, value)
                if a.name == "platform_property" and isinstance(value, int):
                    setattr(package.platform_properties, key, value)
        _annotate(
            package,
            [a for a in annotations if a.name not in ("pkginfo", "platform_property")],
        )
        _document(package, annotations)


def _selector_size(message: Message, annotations: list[ast.Annotation]) -> None:
    """`@selector_size_semantics("sum_of_members")` and its like."""
    for a in annotations:
        if a.name != "selector_size_semantics":
            continue
        meaning = str(a.literals[0]).lower() if a.literals else ""
        if meaning == "sum_of_weights":
            message.sum_of_weights.SetInParent()
        elif meaning == "sum_of_members":
            message.sum_of_members.SetInParent()
            weight = _number(annotations, "max_member_weight")
            if weight is not None:
                message.sum_of_members.max_member_weight = weight
        else:
            raise Unsupported(
                '@selector_size_semantics wants "sum_of_weights" or "sum_of_members"', a.span
            )


# --- helpers -----------------------------------------------------------------------

_EXTERN_KINDS = {
    "counter": ids.COUNTER,
    "direct_counter": ids.DIRECT_COUNTER,
    "meter": ids.METER,
    "direct_meter": ids.DIRECT_METER,
    "register": ids.REGISTER,
    "action_profile": ids.ACTION_PROFILE,
    "action_selector": ids.ACTION_PROFILE,
}
_KINDS = {
    Kind.TABLE: ids.TABLE,
    Kind.ACTION: ids.ACTION,
    Kind.VALUE_SET: ids.VALUE_SET,
    Kind.DIGEST: ids.DIGEST,
    Kind.CONTROLLER_HEADER: ids.CONTROLLER_HEADER,
}


def _symbol_kind(found: Found) -> int | None:
    if found.kind is Kind.EXTERN:
        return _EXTERN_KINDS.get(found.instance_of)
    return _KINDS.get(found.kind)


def _unit(found: Found) -> str:
    assert found.instance is not None
    unit = found.instance.constructor_arguments["type"]
    assert isinstance(unit, EnumValue)
    return unit.name


def _size(found: Found) -> int:
    assert found.instance is not None
    size = found.instance.constructor_arguments["size"]
    if isinstance(size, EnumValue):
        size = size.value
    assert isinstance(size, int)
    return size


def _match_annotation(declaration: ast.Declaration) -> p4i.MatchField.MatchType.ValueType:
    for a in declaration.annotations:
        if a.name == "match" and a.literals and str(a.literals[0]) in MATCH_TYPES:
            return MATCH_TYPES[str(a.literals[0])]
    return p4i.MatchField.EXACT


def _flat_fields(
    type_: StructType, prefix: str
) -> Iterator[tuple[str, Type, list[ast.Annotation]]]:
    for f in type_.fields:
        name = prefix + control_plane_name("", f.declaration)
        if isinstance(f.type, StructType):
            yield from _flat_fields(f.type, f"{name}.")
        else:
            yield name, f.type, f.declaration.annotations


def _pairs(annotation: ast.Annotation) -> Iterator[tuple[str, str | int]]:
    """`key = value` in an annotation with unparsed tokens."""
    tokens = [t for t in annotation.tokens or () if t != ","]
    for key, equals, value in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if equals == "=":
            text = value.strip('"')
            yield key, int(text, 0) if not value.startswith('"') else text
