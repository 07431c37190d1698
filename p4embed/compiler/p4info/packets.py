"""P4Info of what is not match-action: value sets, controller headers, the package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from finsy.proto import p4i

from p4embed.compiler import ast
from p4embed.compiler.elaborate.context import control_plane_name
from p4embed.compiler.p4info import ids
from p4embed.compiler.p4info.annotations import (
    annotate,
    document,
    given_id,
    pairs,
)
from p4embed.compiler.p4info.objects import Found
from p4embed.compiler.types import SetType, StructType, Type

if TYPE_CHECKING:
    from p4embed.compiler.p4info.message import Builder

MATCH_TYPES = {
    "exact": p4i.MatchField.EXACT,
    "lpm": p4i.MatchField.LPM,
    "ternary": p4i.MatchField.TERNARY,
    "range": p4i.MatchField.RANGE,
    "optional": p4i.MatchField.OPTIONAL,
}
PACKAGE_KEYS = ("name", "version", "organization", "contact", "url", "arch")


def value_set(builder: Builder, found: Found) -> None:
    """A parser's value set."""
    declaration = found.declaration
    assert isinstance(declaration, ast.ValueSetDeclaration)
    message = builder.info.value_sets.add()
    builder.preamble(message, ids.VALUE_SET, found)
    size = builder.checked.constants.get(declaration.size)
    assert isinstance(size, int)
    message.size = size
    set_type = builder.checked.declared[declaration]
    assert isinstance(set_type, SetType)
    element: Type = set_type.element
    if not isinstance(element, StructType):
        message.match.add(
            id=1, bitwidth=builder.types.width(element), match_type=p4i.MatchField.EXACT
        )
        return
    fields = element.fields
    numbers = builder.field_ids(
        [given_id(f.declaration.annotations) for f in fields], declaration.span
    )
    for field, number in zip(fields, numbers, strict=True):
        match = message.match.add(id=number, name=control_plane_name("", field.declaration))
        match.bitwidth = builder.types.width(field.type)
        match.match_type = _match_annotation(field.declaration)
        annotate(match, field.declaration.annotations, builder.checked.constants, ("match",))
        document(match, field.declaration.annotations)


def controller_header(builder: Builder, found: Found) -> None:
    """A header between switch and controller."""
    if found.hidden:
        return
    declaration, type_ = found.declaration, found.type
    assert isinstance(declaration, ast.StructDeclaration)
    assert isinstance(type_, StructType)
    message = builder.info.controller_packet_metadata.add()
    builder.preamble(message, ids.CONTROLLER_HEADER, found)
    title = next(a for a in declaration.annotations if a.name == "controller_header")
    message.preamble.name = message.preamble.alias = str(title.literals[0])
    fields = list(_flat_fields(type_, ""))
    numbers = builder.field_ids([given_id(notes) for _, _, notes in fields], declaration.span)
    for (name, field_type, notes), number in zip(fields, numbers, strict=True):
        if any(a.name == "hidden" for a in notes):
            continue
        metadata = message.metadata.add(id=number, name=name)
        annotate(metadata, notes, builder.checked.constants)
        builder.types.convert(field_type)
        builder.types.touch()
        metadata.bitwidth = builder.types.width(field_type)
        builder.types.set_name(metadata.type_name, field_type)


def package(builder: Builder) -> None:
    """What is said of the program as a whole."""
    package = builder.info.pkg_info
    package.arch = "v1model"
    main = builder.checked.main
    if main is None or not isinstance(main.node, ast.Instantiation):
        return
    annotations = main.node.annotations
    own = ("pkginfo", "platform_property")
    for a in annotations:
        for key, value in pairs(a) if a.name in own else ():
            if a.name == "pkginfo" and key in PACKAGE_KEYS and isinstance(value, str):
                setattr(package, key, value)
            if a.name == "platform_property" and isinstance(value, int):
                setattr(package.platform_properties, key, value)
    others = [a for a in annotations if a.name not in own]
    annotate(package, others, builder.checked.constants)
    document(package, annotations)


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
