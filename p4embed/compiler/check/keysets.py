"""Keysets of select cases and table entries."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import bits_of
from p4embed.compiler.check.statements import StatementChecker
from p4embed.compiler.check.types import plural
from p4embed.compiler.types import (
    INT,
    UNKNOWN,
    BitType,
    IntType,
    NewType,
    SetType,
    StructType,
    TupleType,
    Type,
    UnknownType,
)


class KeysetChecker(StatementChecker):
    """Checks a keyset against the types of what it is matched with (section 13.6)."""

    def keyset(self, keyset: ast.Expression, wanted: list[Type], what: str) -> None:
        """`what` names the keyset's owner in messages."""
        if isinstance(keyset, ast.DefaultKeyset | ast.DontCare):
            self.checked.types[keyset] = SetType(UNKNOWN)
            return
        if isinstance(keyset, ast.TupleKeyset | ast.ListExpression):
            if len(keyset.elements) != len(wanted):
                self.error(
                    f"{what} has {plural(len(wanted), 'value')} to match, but this keyset has "
                    f"{len(keyset.elements)}",
                    keyset,
                )
                return
            for element, type_ in zip(keyset.elements, wanted, strict=True):
                self._simple(element, type_)
            self.checked.types[keyset] = SetType(TupleType(tuple(wanted)))
            return
        if len(wanted) == 1:
            self._simple(keyset, wanted[0])
            return
        type_ = self.infer(keyset) if not isinstance(keyset, ast.Mask | ast.Range) else UNKNOWN
        if isinstance(type_, SetType):
            parts = _parts(type_.element)
            if parts is not None and parts == wanted:
                return
        if isinstance(type_, UnknownType) and not isinstance(keyset, ast.Mask | ast.Range):
            return
        self.error(
            f"{what} has {plural(len(wanted), 'value')} to match, but this keyset has 1", keyset
        )

    def _simple(self, keyset: ast.Expression, wanted: Type) -> None:
        what = "key"
        match keyset:
            case ast.DefaultKeyset() | ast.DontCare():
                self.checked.types[keyset] = SetType(wanted)
            case ast.Mask(value=low, mask=high) | ast.Range(low=low, high=high):
                self.checked.types[keyset] = SetType(wanted)
                under = wanted
                while isinstance(under, NewType):
                    under = under.underlying
                under = bits_of(under)
                if not isinstance(under, BitType | IntType | UnknownType):
                    op = "&&&" if isinstance(keyset, ast.Mask) else ".."
                    self.infer(low)
                    self.infer(high)
                    self.error(f"'{op}' works on integers, not on {wanted}", keyset)
                    return
                for part in (low, high):
                    have = self.infer(part)
                    # A mask is a number also where the value is of an enum or a new type.
                    target = wanted if have == wanted else under
                    self.coerce(part, have, target, what)
            case ast.TupleKeyset() | ast.ListExpression():
                inner = _parts(wanted) or [wanted]
                if len(inner) != len(keyset.elements):
                    self.error("this keyset has several values to match with one", keyset)
                    return
                for element, type_ in zip(keyset.elements, inner, strict=True):
                    self._simple(element, type_)
                self.checked.types[keyset] = SetType(wanted)
            case _:
                have = self.infer(keyset)
                if isinstance(have, SetType):
                    parts = _parts(have.element)
                    if have.element != wanted and (parts is None or parts != [wanted]):
                        self.error(f"expected {wanted} as key, found {have}", keyset)
                    return
                if have == INT and bits_of(wanted) != wanted:
                    # An enum's number: converted only to the underlying type.
                    self.error(
                        f"expected {wanted} as key, found int",
                        keyset,
                        f"a cast would be explicit: ({wanted}) ...",
                    )
                    return
                self.coerce(keyset, have, wanted, what)


def _parts(type_: Type) -> list[Type] | None:
    """Types of the values that a value set of this type matches with."""
    match type_:
        case StructType(fields=fields):
            inner = [f.type for f in fields]
        case TupleType(elements=elements):
            inner = list(elements)
        case _:
            return None
    found: list[Type] = []
    for part in inner:
        found += _parts(part) or [part]
    return found
