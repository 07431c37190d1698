"""Implicit conversions: an expression meets the type its context wants."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import bits_of, castable, has_unknown, implements
from p4embed.compiler.check.evaluate import convert, default_value
from p4embed.compiler.check.types import TypeChecker, a, plural
from p4embed.compiler.checked import InvalidHeaderValue, StructValue, TupleValue, Value
from p4embed.compiler.diagnostics import Note, did_you_mean
from p4embed.compiler.types import (
    INT,
    BitType,
    BlockType,
    DefaultsType,
    EnumType,
    IntType,
    ListType,
    NewType,
    RecordType,
    StackType,
    StructType,
    TupleType,
    Type,
    TypeVariable,
    UnknownType,
)


class ConversionChecker(TypeChecker):
    """Checks and records implicit conversions (section 8.10.2)."""

    def want(self, expression: ast.Expression, wanted: Type, what: str) -> bool:
        """Type an expression where a `wanted` is needed; `what` names the place."""
        have = self.infer(expression)
        return self.coerce(expression, have, wanted, what)

    def coerce(self, expression: ast.Expression, have: Type, wanted: Type, what: str) -> bool:
        """Convert an expression already typed, or report that it does not fit."""
        if self.convert(expression, have, wanted):
            return True
        notes: list[Note | str] = []
        if isinstance(have, BlockType) and isinstance(wanted, BlockType):
            reason = implements(have, wanted)
            if reason is not None:
                notes.append(reason)
        elif castable(have, wanted):
            notes.append(f"a cast would be explicit: ({wanted}) ...")
        elif isinstance(have, BitType) and isinstance(wanted, BitType):
            # Width and sign cannot change in one cast.
            first = BitType(wanted.width, have.signed)
            notes.append(f"width and sign change one after the other: ({wanted})({first}) ...")
        place = f" as {what}" if what else ""
        self.error(f"expected {wanted}{place}, found {have}", expression, *notes)
        return False

    def convert(self, expression: ast.Expression, have: Type, wanted: Type) -> bool:
        """Record the conversion of `expression` to `wanted`; False if there is none. Parts of
        lists that do not fit are reported here."""
        if have == wanted or isinstance(have, UnknownType) or isinstance(wanted, UnknownType):
            return True
        match have, wanted:
            case DefaultsType(text), _:
                return self._defaults(expression, text, wanted)
            case IntType(), BitType():
                self._set(expression, wanted)
                return True
            case IntType(), NewType(underlying=BitType()):
                # Not in the specification, but programs rely on it.
                self._set(expression, wanted)
                return True
            case BitType(), IntType():
                # Where an `int` is wanted, values are known at compile time.
                self._set(expression, wanted)
                return True
            case EnumType(underlying=BitType() as under), BitType():
                if under != wanted:
                    return False
                self._set(expression, wanted)
                return True
            case BlockType(), BlockType():
                return implements(have, wanted) is None
            case TupleType(), (StructType() | TupleType() | StackType() | ListType()):
                return self._list(expression, have, wanted)
            case RecordType(), StructType():
                return self._record(expression, wanted)
        return has_unknown(have) or has_unknown(wanted)

    def _set(self, expression: ast.Expression, wanted: Type) -> None:
        self.checked.coercions[expression] = wanted
        value = self.checked.constants.get(expression)
        if value is None:
            if isinstance(expression, ast.Ternary):
                for branch in (expression.then, expression.otherwise):
                    self.convert(branch, self.checked.types[branch], wanted)
            return
        converted = convert(value, wanted)
        if (
            isinstance(wanted, BitType)
            and isinstance(value, int)
            and not isinstance(value, bool)
            and converted != value
            and not (value < 0 and not wanted.signed and -value <= wanted.maximum)
            and not (wanted.signed and 0 <= value < 1 << wanted.width)
        ):
            self.warning(f"{value} does not fit into {wanted} and becomes {converted}", expression)
        self.checked.constants[expression] = converted

    def _defaults(self, expression: ast.Expression, text: str, wanted: Type) -> bool:
        if text == "{#}":
            if not isinstance(wanted, StructType) or wanted.is_struct:
                if isinstance(wanted, TypeVariable):
                    return True
                self.error(
                    f"{{#}} is an invalid header, but {a(str(wanted))} is wanted", expression
                )
                return True
            self.checked.coercions[expression] = wanted
            self.checked.constants[expression] = InvalidHeaderValue(wanted)
            return True
        value = default_value(wanted)
        if value is None and not isinstance(wanted, TypeVariable):
            self.error(f"{wanted} has no default value", expression)
            return True
        self.checked.coercions[expression] = wanted
        if value is not None:
            self.checked.constants[expression] = value
        return True

    # --- lists ---------------------------------------------------------------------

    def _list(self, expression: ast.Expression, have: TupleType, wanted: Type) -> bool:
        match expression:
            case ast.Ternary(then=then, otherwise=otherwise):
                for branch in (then, otherwise):
                    if not self.convert(branch, self.checked.types[branch], wanted):
                        return False
                self.checked.coercions[expression] = wanted
                return True
            case ast.ListExpression():
                pass
            case _:
                # Not a list as written: the types have to agree but for `int`s inside.
                if isinstance(wanted, TupleType) and len(wanted.elements) == len(have.elements):
                    return all(
                        x == y or has_unknown(x) or {type(x), type(y)} == {IntType, BitType}
                        for x, y in zip(have.elements, wanted.elements, strict=True)
                    )
                return False
        match wanted:
            case StructType(fields=fields):
                if wanted.is_union:
                    return False
                names = [f"field '{f.name}' of {wanted}" for f in fields]
                types = [f.type for f in fields]
            case TupleType(elements=parts):
                names = ["element of the tuple"] * len(parts)
                types = list(parts)
            case StackType(element=element, size=size):
                names, types = ["element of the stack"] * size, [element] * size
            case ListType(element=element):
                count = len(expression.elements)
                names, types = ["element of the list"] * count, [element] * count
            case _:
                return False
        given = len(expression.elements)
        if given > len(types) or (given < len(types) and not expression.dots):
            self.error(
                f"{wanted} has {plural(len(types), 'value')}, but the list has {given}", expression
            )
            return True
        for element_, type_, name in zip(expression.elements, types, names, strict=False):
            self.coerce(element_, self.checked.types[element_], type_, name)
        self.checked.coercions[expression] = wanted
        self._fill(expression, wanted, expression.dots)
        return True

    def _record(self, expression: ast.Expression, wanted: StructType) -> bool:
        if isinstance(expression, ast.Ternary):
            for branch in (expression.then, expression.otherwise):
                if not self.convert(branch, self.checked.types[branch], wanted):
                    return False
            self.checked.coercions[expression] = wanted
            return True
        if not isinstance(expression, ast.StructExpression) or wanted.is_union:
            return False
        names = [f.name for f in wanted.fields]
        given = {named.name for named in expression.fields}
        for named in expression.fields:
            field = wanted.find(named.name)
            if field is None:
                self.error(
                    f"{wanted} has no field '{named.name}'", named, *did_you_mean(named.name, names)
                )
                continue
            have = self.checked.types[named.value]
            self.coerce(named.value, have, field.type, f"field '{named.name}' of {wanted}")
        missing = [name for name in names if name not in given]
        if missing and not expression.dots:
            shown = ", ".join(f"'{name}'" for name in missing)
            self.error(
                f"no value for {'field' if len(missing) == 1 else 'fields'} {shown} of {wanted}",
                expression,
                "a final '...' gives the rest default values",
            )
            return True
        self.checked.coercions[expression] = wanted
        self._fill(expression, wanted, expression.dots)
        return True

    def _fill(self, expression: ast.Expression, wanted: Type, dots: bool) -> None:
        """The value of a list whose parts were converted."""
        constants = self.checked.constants
        match expression:
            case ast.ListExpression(elements=elements):
                parts = [constants.get(e) for e in elements]
                names = [f.name for f in wanted.fields] if isinstance(wanted, StructType) else []
                given: dict[str, Value | None] = dict(zip(names, parts, strict=False))
            case ast.StructExpression(fields=fields):
                parts = [constants.get(f.value) for f in fields]
                given = {f.name: constants.get(f.value) for f in fields}
            case _:
                return
        constants.pop(expression, None)
        if any(p is None for p in parts):
            return
        if isinstance(wanted, StructType):
            pairs: list[tuple[str, Value]] = []
            for field in wanted.fields:
                value = given[field.name] if field.name in given else default_value(field.type)
                if value is None:
                    return
                pairs.append((field.name, value))
            constants[expression] = StructValue(wanted, tuple(pairs))
            return
        known = [p for p in parts if p is not None]
        if dots and isinstance(wanted, TupleType):
            for type_ in wanted.elements[len(known) :]:
                default = default_value(type_)
                if default is None:
                    return
                known.append(default)
        constants[expression] = convert(TupleValue(tuple(known)), wanted)

    # --- two operands ----------------------------------------------------------------

    def harmonise(self, left: ast.Expression, right: ast.Expression) -> Type | None:
        """The common type of two operands, converting one to the other's; None if none."""
        types = self.checked.types
        one, two = types[left], types[right]
        if isinstance(one, UnknownType) or isinstance(two, UnknownType):
            return one if isinstance(two, UnknownType) else two
        if one == two:
            return one
        literal = (TupleType, RecordType, DefaultsType)
        if isinstance(two, literal) and not isinstance(one, literal):
            return one if self.convert(right, two, one) else None
        if isinstance(one, literal) and not isinstance(two, literal):
            return two if self.convert(left, one, two) else None
        # A serialisable enum serves as its number beside anything else.
        wanted = bits_of(one), bits_of(two)
        if wanted[0] == wanted[1] or INT in wanted:
            target = wanted[1] if wanted[0] == INT else wanted[0]
            if self.convert(left, one, target) and self.convert(right, two, target):
                return target
            return None
        if isinstance(one, TupleType) and isinstance(two, TupleType):
            if self.convert(right, two, one):
                return one
            if self.convert(left, one, two):
                return two
        return one if has_unknown(one) or has_unknown(two) else None

    def as_number(self, expression: ast.Expression) -> Type:
        """Type of an operand, a serialisable enum converted to its underlying type."""
        type_ = self.checked.types[expression]
        under = bits_of(type_)
        if under != type_:
            self.convert(expression, type_, under)
        return under
