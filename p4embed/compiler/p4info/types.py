"""Types as P4Info has them: data type specifications, widths, names, translations."""

from __future__ import annotations

from typing import Any

from finsy.proto import p4i, p4t

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram, EnumValue, Value
from p4embed.compiler.elaborate.context import control_plane_name
from p4embed.compiler.types import (
    BitType,
    BoolType,
    EnumType,
    ErrorType,
    NewType,
    StackType,
    StructType,
    TupleType,
    Type,
    VarbitType,
    width_of,
)


def value_bytes(value: Value, width: int) -> bytes:
    """A value as P4Info's default actions have it: all bytes of its width."""
    number = value.value if isinstance(value, EnumValue) else value
    assert isinstance(number, int)
    return (number & ((1 << width) - 1)).to_bytes((width + 7) // 8, "big")


class TypeInfo:
    """Fills `type_info` with the types that are met, each under its name once."""

    def __init__(self, checked: CheckedProgram, info: p4i.P4Info) -> None:
        self.checked = checked
        self._info: Any = info

    def touch(self) -> None:
        """Make `type_info` present, be it empty."""
        self._info.type_info.SetInParent()

    @property
    def types(self) -> Any:
        """The message `type_info`."""
        return self._info.type_info

    def width(self, type_: Type) -> int:
        """Bits that the control plane sees; 0 for a string, as of a translated type."""
        if isinstance(type_, NewType):
            translation = _translation(type_)
            if translation is not None:
                return translation[1] or 0
        if isinstance(type_, ErrorType):
            return 0
        return width_of(type_) or 0

    def set_name(self, named: Any, type_: Type) -> None:
        """Name the user-defined type, if it is one."""
        if isinstance(type_, NewType):
            named.name = type_.name

    def convert(self, type_: Type) -> Any:
        """The type's specification; types with names get into `type_info`."""
        spec: Any = p4t.P4DataTypeSpec()
        match type_:
            case BitType(width, signed):
                if signed:
                    spec.bitstring.int.bitwidth = width
                else:
                    spec.bitstring.bit.bitwidth = width
            case VarbitType(width):
                spec.bitstring.varbit.max_bitwidth = width
            case BoolType():
                spec.bool.SetInParent()
            case TupleType(elements):
                spec.tuple.SetInParent()
                for element in elements:
                    spec.tuple.members.add().CopyFrom(self.convert(element))
            case NewType():
                spec.new_type.name = type_.name
                self._new_type(type_)
            case ErrorType():
                spec.error.SetInParent()
                if not self.types.HasField("error"):
                    self.types.error.members.extend(self.checked.errors)
            case EnumType():
                name = control_plane_name("", type_.declaration)
                if type_.underlying is None:
                    spec.enum.name = name
                    self._enum(type_, name)
                else:
                    spec.serializable_enum.name = name
                    self._serializable_enum(type_, name)
            case StructType():
                self._structured(type_, spec)
            case StackType(element, size) if isinstance(element, StructType):
                name = control_plane_name("", element.declaration)
                stack = spec.header_union_stack if element.is_union else spec.header_stack
                (stack.header_union if element.is_union else stack.header).name = name
                stack.size = size
                self.convert(element)
        return spec

    def _new_type(self, type_: NewType) -> None:
        if type_.name in self.types.new_types:
            return
        under: Type = type_
        while isinstance(under, NewType):
            under = under.underlying
        plain = self.convert(under)
        new = self.types.new_types[type_.name]
        for a in type_.declaration.annotations:
            if a.name not in ("p4runtime_translation", "name", "id", "brief", "description"):
                text = f"@{a.name}"
                if a.tokens is not None:
                    text += f"({' '.join(a.tokens)})"
                new.annotations.append(text)
        translation = _translation(type_)
        if translation is None:
            new.original_type.CopyFrom(plain)
            return
        uri, width = translation
        new.translated_type.uri = uri
        if width is None:
            new.translated_type.sdn_string.SetInParent()
        else:
            new.translated_type.sdn_bitwidth = width

    def _enum(self, type_: EnumType, name: str) -> None:
        if name not in self.types.enums:
            members = self.types.enums[name].members
            for m in type_.declaration.members:
                members.add(name=control_plane_name("", m))

    def _serializable_enum(self, type_: EnumType, name: str) -> None:
        if name in self.types.serializable_enums:
            return
        assert type_.underlying is not None
        width = type_.underlying.width
        enum = self.types.serializable_enums[name]
        enum.underlying_type.bitwidth = width
        for m in type_.declaration.members:
            assert m.value is not None
            value = self.checked.constants[m.value]
            enum.members.add(name=control_plane_name("", m), value=value_bytes(value, width))

    def _structured(self, type_: StructType, spec: Any) -> None:
        name = control_plane_name("", type_.declaration)
        if type_.is_header:
            spec.header.name = name
            if name not in self.types.headers:
                members = self.types.headers[name].members
                for f in type_.fields:
                    field_name = control_plane_name("", f.declaration)
                    member = members.add(name=field_name)
                    member.type_spec.CopyFrom(self.convert(f.type).bitstring)
        elif type_.is_union:
            spec.header_union.name = name
            if name not in self.types.header_unions:
                members = self.types.header_unions[name].members
                for f in type_.fields:
                    member = members.add(name=control_plane_name("", f.declaration))
                    member.header.CopyFrom(self.convert(f.type).header)
        else:
            spec.struct.name = name
            if name not in self.types.structs:
                specs = [(f.declaration, self.convert(f.type)) for f in type_.fields]
                members = self.types.structs[name].members
                for declaration, inner in specs:
                    member = members.add(name=control_plane_name("", declaration))
                    member.type_spec.CopyFrom(inner)


def _translation(type_: NewType) -> tuple[str, int | None] | None:
    """`@p4runtime_translation("uri", string | W | bit<W>)`: the URI, and W (None: string)."""
    declaration: ast.TypedefDeclaration = type_.declaration
    for a in declaration.annotations:
        if a.name == "p4runtime_translation" and a.tokens:
            uri = a.tokens[0].strip('"')
            number = next((t for t in a.tokens[1:] if t[:1].isdigit()), None)
            return uri, None if number is None else int(number, 0)
    return None
