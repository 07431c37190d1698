"""Where calls may stand, and what the core library asks for beyond its prototypes."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.arguments import ArgumentChecker
from p4embed.compiler.check.scope import Place
from p4embed.compiler.checked import CallInfo, CallKind
from p4embed.compiler.types import (
    ExternType,
    StructType,
    TypeVariable,
    UnknownType,
    size_in_bits,
)


class RuleChecker(ArgumentChecker):
    """Checks calls that are resolved."""

    # --- where calls may stand ----------------------------------------------------------

    def _check_place(self, info: CallInfo, call: ast.Call) -> None:
        place = self.frame.place
        match info.kind:
            case CallKind.TABLE_APPLY if place not in (Place.CONTROL, Place.TABLE):
                self.error(f"a table cannot be applied in {place.value}", call)
            case CallKind.CONTROL_APPLY if place is not Place.CONTROL:
                self.error(f"a control cannot be applied in {place.value}", call)
            case CallKind.PARSER_APPLY if place is not Place.PARSER:
                self.error(f"a parser cannot be applied in {place.value}", call)
            case CallKind.ACTION if place not in (Place.CONTROL, Place.ACTION):
                self.error(f"an action cannot be called in {place.value}", call)
            case CallKind.CONSTRUCTOR if place in (Place.ACTION, Place.FUNCTION):
                self.error(f"an instance cannot be made in {place.value}", call)

    # --- what the core library's functions ask for ------------------------------------------

    def _check_core(self, info: CallInfo, call: ast.Call) -> None:
        """Rules that the prototypes in core.p4 cannot express (appendix "core library")."""
        if info.kind is CallKind.EXTERN_FUNCTION:
            if info.name == "static_assert":
                values = [a.value and self.constant_of(a.value) for a in info.arguments]
                if values and values[0] is False:
                    text = f": {values[1]}" if len(values) > 1 else ""
                    self.error(f"static_assert failed{text}", call)
            elif info.name == "verify" and self.frame.place is Place.CONTROL:
                self.error("'verify' can be called only in a parser", call)
            return
        if info.kind is not CallKind.EXTERN_METHOD or info.receiver is None:
            return
        extern = self.checked.types.get(info.receiver)
        if not isinstance(extern, ExternType) or extern.name != "packet_in":
            return
        if info.name == "extract" and info.arguments:
            self._check_extract(info, call)
        elif info.name == "lookahead":
            sizes = size_in_bits(info.result)
            if isinstance(info.result, TypeVariable | UnknownType):
                return
            if sizes is None or sizes[0] != sizes[1]:
                self.error(f"'lookahead' needs a type of fixed size, not {info.result}", call)

    def _check_extract(self, info: CallInfo, call: ast.Call) -> None:
        header = info.arguments[0].type
        place = info.arguments[0].value or call
        if isinstance(header, TypeVariable | UnknownType):
            return
        if not isinstance(header, StructType) or header.is_struct:
            self.error(f"'extract' fills a header, not {header}", place)
            return
        sizes = size_in_bits(header)
        varying = sizes is not None and sizes[0] != sizes[1] and header.is_header
        if len(info.arguments) == 1 and varying:
            self.error(
                f"{header} has a varbit field: 'extract' needs its size as second argument", place
            )
        elif len(info.arguments) == 2 and not varying:
            self.error(f"{header} has no varbit field: 'extract' takes no size", place)
