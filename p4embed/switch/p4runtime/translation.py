"""Translated types (``@p4runtime_translation``): a controller's numbers for the data plane's.

A number that the controller uses is the data plane's own number, whatever width the controller
writes it in: one that does not fit the data plane is ``INVALID_ARGUMENT``. Strings would need a
table that says what they mean, and are refused with the pipeline; so is a translated type in the
header of packets-in and packets-out, whose width on the wire P4Info does not tell.

Source: P4Runtime specification, "User-defined types" and "PSA Metadata Translation".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from finsy.proto import p4i, p4t

from p4embed.switch.p4runtime.errors import MismatchError
from p4embed.switch.program import Program


class _Typed(Protocol):
    name: str
    bitwidth: int

    @property
    def type_name(self) -> p4t.P4NamedType: ...


def in_own_widths(p4info: p4i.P4Info, program: Program) -> p4i.P4Info:
    """P4Info in which fields of translated types have the program's widths."""
    translated = {
        name: new_type.translated_type
        for name, new_type in p4info.type_info.new_types.items()
        if new_type.WhichOneof("representation") == "translated_type"
    }
    if not translated:
        return p4info
    info = p4i.P4Info()
    info.CopyFrom(p4info)
    tables = {table.name: [field.width for field in table.key] for table in program.tables}
    actions = {action.name: [p.width for p in action.params] for action in program.actions}
    for table in info.tables:
        name = table.preamble.name
        _narrow(table.match_fields, tables.get(name, ()), translated, f"table '{name}'")
    for action in info.actions:
        name = action.preamble.name
        _narrow(action.params, actions.get(name, ()), translated, f"action '{name}'")
    for header in info.controller_packet_metadata:
        for field in header.metadata:
            if field.type_name.name in translated:
                raise MismatchError(
                    f"{header.preamble.name} metadata '{field.name}': translated types are not"
                    " supported in headers to the controller"
                )
    return info


def _narrow(
    fields: Sequence[_Typed],
    widths: Sequence[int],
    translated: dict[str, p4t.P4NewTypeTranslation],
    where: str,
) -> None:
    for field, width in zip(fields, widths, strict=False):
        how = translated.get(field.type_name.name)
        if how is None:
            continue
        if how.WhichOneof("sdn_type") != "sdn_bitwidth":
            raise MismatchError(
                f"{where} '{field.name}': translation from strings is not supported; expected a"
                ' number, as in @p4runtime_translation("", 32)'
            )
        field.bitwidth = width
