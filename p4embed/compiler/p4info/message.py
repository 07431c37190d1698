"""P4Info of a checked program (P4Runtime specification, "The P4Info Message").

Names, ids, order and annotations are those that p4c gives, so that a controller never
notices who compiled. What a program declares but never uses (a table nobody applies, an
action nobody runs) is left out, as p4c leaves it out; extern instances stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from finsy.proto import p4i

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, Span
from p4embed.compiler.elaborate.context import control_plane_name
from p4embed.compiler.elaborate.key_names import key_name
from p4embed.compiler.elaborate.values import Unsupported
from p4embed.compiler.p4info import externs, ids, packets
from p4embed.compiler.p4info.annotations import Message, annotate, document, given_id
from p4embed.compiler.p4info.objects import Found, Kind, Used, find_objects
from p4embed.compiler.p4info.types import TypeInfo, value_bytes
from p4embed.compiler.types import EnumType


def build(checked: CheckedProgram, used: Used, diagnostics: Diagnostics) -> p4i.P4Info:
    """The P4Info; complete only if `diagnostics` has no error then."""
    builder = Builder(checked, used)
    try:
        builder.run()
    except Unsupported as problem:
        diagnostics.error(problem.message, problem.span, *problem.notes)
    return builder.info


# --- the message -------------------------------------------------------------------


class Builder:
    """One P4Info message in the making."""

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
            Kind.VALUE_SET: partial(packets.value_set, self),
            Kind.DIGEST: self.digest,
            Kind.CONTROLLER_HEADER: partial(packets.controller_header, self),
            Kind.EXTERN_CALL: self.extern_call,
        }
        for found in self.objects:
            emitters[found.kind](found)
        packets.package(self)

    # --- symbols ---

    def collect(self, found: Found) -> None:
        kind = _symbol_kind(found)
        if kind is None:
            return
        given = None if found.declaration is None else given_id(found.declaration.annotations)
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
        annotate(preamble, found.annotations, self.checked.constants, without)
        document(preamble, found.annotations)

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
        numbers = self.field_ids([given_id(p.annotations) for p in params], found.span)
        for parameter, number in zip(params, numbers, strict=True):
            param = message.params.add(id=number, name=control_plane_name("", parameter))
            annotate(param, parameter.annotations, self.checked.constants)
            document(param, parameter.annotations)
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
        facts = self.used.tables[found.name]
        message.size = facts.size
        entries = declaration.entries
        if entries is not None:
            message.is_const_table = entries.constant
            message.has_initial_entries = bool(entries.entries)
        if facts.support_timeout:
            message.idle_timeout_behavior = p4i.Table.NOTIFY_CONTROL
        self.resources(message, found)

    def match_fields(self, message: Message, declaration: ast.TableDeclaration) -> None:
        keys = declaration.key or []
        numbers = self.field_ids([given_id(k.annotations) for k in keys], declaration.span)
        for key, number in zip(keys, numbers, strict=True):
            if key.match_kind == "selector":
                continue
            field = message.match_fields.add(id=number, name=key_name(self.checked, key))
            annotate(field, key.annotations, self.checked.constants)
            document(field, key.annotations)
            type_ = self.checked.type_of(key.expression)
            self.types.convert(type_)
            field.bitwidth = self.types.width(type_)
            self.types.set_name(field.type_name, type_)
            if key.match_kind in packets.MATCH_TYPES:
                field.match_type = packets.MATCH_TYPES[key.match_kind]
            else:
                field.other_match_type = key.match_kind

    def action_refs(
        self, message: Message, declaration: ast.TableDeclaration, found: Found
    ) -> None:
        for reference in declaration.actions or []:
            name = found.action_name(self.checked, self.checked.action_calls[reference])
            ref = message.action_refs.add(id=self.symbols.id(ids.ACTION, name))
            annotate(ref, reference.annotations, self.checked.constants)
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
        data = [
            a
            for a in info.arguments
            if a.parameter.direction is ast.Direction.NONE and a.value is not None
        ]
        values = self.used.tables[found.name].default_data
        for position, (argument, value) in enumerate(zip(data, values, strict=True), start=1):
            message.initial_default_action.arguments.add(
                param_id=given_id(argument.parameter.annotations) or position,
                value=value_bytes(value, self.types.width(argument.type)),
            )

    def resources(self, message: Message, found: Found) -> None:
        table_id = message.preamble.id
        for property_name, kind, emit in (
            ("counters", ids.DIRECT_COUNTER, externs.direct_counter),
            ("meters", ids.DIRECT_METER, externs.direct_meter),
        ):
            resource = found.property_object(property_name)
            if resource is not None:
                message.direct_resource_ids.append(self.symbols.id(kind, resource.name))
                emit(self, resource, table_id)
        implementation = found.property_object("implementation")
        if implementation is not None:
            message.implementation_id = self.symbols.id(ids.ACTION_PROFILE, implementation.name)
            if implementation.in_place:
                externs.action_profile(self, implementation)

    # --- externs ---

    def extern(self, found: Found) -> None:
        self.types.touch()
        emitters: dict[str, Callable[[Builder, Found], None]] = {
            "counter": externs.counter,
            "meter": externs.meter,
            "register": externs.register,
            "action_profile": externs.action_profile,
            "action_selector": externs.action_profile,
        }
        emit = emitters.get(found.instance_of)
        if emit is not None and not found.in_place:
            emit(self, found)

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
