"""Types of expressions other than calls (specification, section 8)."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import has_unknown
from p4embed.compiler.check.operators import OperatorChecker
from p4embed.compiler.check.scope import Place
from p4embed.compiler.check.types import a
from p4embed.compiler.checked import CheckedProgram, ErrorMember
from p4embed.compiler.diagnostics import Diagnostics, Note, did_you_mean
from p4embed.compiler.types import (
    BIT32,
    BOOL,
    ERROR,
    INT,
    MATCH_KIND,
    STRING,
    UNKNOWN,
    ActionEnumType,
    ApplyResultType,
    BitType,
    BlockType,
    DefaultsType,
    EnumType,
    ExternType,
    FunctionType,
    IntType,
    PackageType,
    RecordType,
    SetType,
    StackType,
    StructType,
    TableType,
    TupleType,
    Type,
    TypeOfType,
    UnknownType,
    builtin_methods,
)


class ExpressionChecker(OperatorChecker):
    """The rules for names, literals, parts of values and lists."""

    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        super().__init__(checked, diagnostics)
        self.rule(ast.IntLiteral, self._int)
        self.rule(ast.BoolLiteral, self._bool)
        self.rule(ast.StringLiteral, self._string)
        self.rule(ast.PathExpression, self._path)
        self.rule(ast.TypeExpression, self._type)
        self.rule(ast.ThisExpression, self._this)
        self.rule(ast.Member, self._member)
        self.rule(ast.Index, self._index)
        self.rule(ast.Slice, self._slice)
        self.rule(ast.PlusSlice, self._plus_slice)
        self.rule(ast.ListExpression, self._list_expression)
        self.rule(ast.StructExpression, self._struct_expression)
        self.rule(ast.InvalidHeader, self._invalid)
        self.rule(ast.Dots, self._dots)

    # --- literals and names --------------------------------------------------------

    def _int(self, e: ast.IntLiteral) -> Type:
        return INT if e.width is None else BitType(e.width, e.signed)

    def _bool(self, _: ast.BoolLiteral) -> Type:
        return BOOL

    def _string(self, _: ast.StringLiteral) -> Type:
        return STRING

    def _path(self, e: ast.PathExpression) -> Type:
        kind = self.checked.match_kinds.get(e.name)
        if kind is not None and not self.names.current.lookup(e.name):
            self.checked.names[e] = kind
            return MATCH_KIND
        found = self.find(e.name, e.span, e.absolute, "name")
        if not found:
            return UNKNOWN
        declaration = found[0]
        self.checked.names[e] = declaration
        if isinstance(declaration, ast.TypeDeclaration | ast.TypeParameter):
            self.error(
                f"'{e.name}' is a type, not a value",
                e,
                Note("declared here", declaration.name_span),
            )
            return UNKNOWN
        return self.checked.declared.get(declaration, UNKNOWN)

    def _type(self, e: ast.TypeExpression) -> Type:
        type_ = self.resolve(e.type, generic=True)
        return UNKNOWN if isinstance(type_, UnknownType) else TypeOfType(type_)

    def _this(self, e: ast.ThisExpression) -> Type:
        if self.frame.this is None:
            self.error("'this' has a meaning only in implementations of abstract methods", e)
            return UNKNOWN
        return self.frame.this

    # --- parts of values -----------------------------------------------------------

    def _member(self, e: ast.Member) -> Type:
        base = self.infer(e.base)
        match base:
            case UnknownType():
                return UNKNOWN
            case TypeOfType(type=type_):
                return self._member_of_type(e, type_)
            case StructType():
                field = base.find(e.member)
                if field is not None:
                    self.checked.names[e] = field.declaration
                    return field.type
                self._no_member(e, base, [f.name for f in base.fields])
                return UNKNOWN
            case StackType(element=element):
                if e.member in ("next", "last", "lastIndex"):
                    if self.frame.place is not Place.PARSER:
                        self.error(
                            f"'{e.member}' of a stack can be used only in a parser", e.member_span
                        )
                    return BIT32 if e.member == "lastIndex" else element
                if e.member == "size":
                    return BIT32
                self._no_member(e, base, ["next", "last", "lastIndex", "size"])
                return UNKNOWN
            case ApplyResultType(declaration=table):
                if e.member in ("hit", "miss"):
                    return BOOL
                if e.member == "action_run":
                    return ActionEnumType(table)
                self._no_member(e, base, ["hit", "miss", "action_run"])
                return UNKNOWN
            case ExternType() | BlockType() | TableType():
                self.error(f"'{e.member}' of {base} can only be called", e.member_span)
                return UNKNOWN
        self._no_member(e, base, [])
        return UNKNOWN

    def _member_of_type(self, e: ast.Member, type_: Type) -> Type:
        if type_ == ERROR:
            declaration = self.checked.errors.get(e.member)
            if declaration is None:
                near = did_you_mean(e.member, self.checked.errors)
                self.error(f"error '{e.member}' is not declared", e.member_span, *near)
                return UNKNOWN
            self.checked.names[e] = ErrorMember(declaration)
            return ERROR
        if isinstance(type_, EnumType):
            members = type_.declaration.members
            found = next((m for m in members if m.name == e.member), None)
            if found is None:
                near = did_you_mean(e.member, [m.name for m in members])
                self.error(f"enum {type_} has no member '{e.member}'", e.member_span, *near)
                return UNKNOWN
            self.checked.names[e] = found
            return type_
        if not isinstance(type_, UnknownType):
            self.error(f"type {type_} has no member '{e.member}'", e.member_span)
        return UNKNOWN

    def _no_member(self, e: ast.Member, base: Type, known: list[str]) -> None:
        if isinstance(base, StructType):
            kind = base.declaration.keyword.replace("_", " ")
            note = Note(f"{base} is declared here", base.declaration.name_span)
            near: tuple[Note, ...] = did_you_mean(e.member, known) or (note,)
            if e.member in builtin_methods(base):
                near = (Note(f"it is a method: {e.member}()"),)
            self.error(f"{kind} {base} has no field '{e.member}'", e.member_span, *near)
            return
        self.error(
            f"{a(str(base))} has no member '{e.member}'",
            e.member_span,
            *did_you_mean(e.member, known),
        )

    def _index(self, e: ast.Index) -> Type:
        base = self.infer(e.base)
        index = self.infer(e.index)
        if isinstance(index, UnknownType) or isinstance(base, UnknownType):
            return UNKNOWN
        index = self.as_number(e.index)
        if not isinstance(index, BitType | IntType):
            self.error(f"an index is an integer, not {index}", e.index)
            return UNKNOWN
        at = self.constant_of(e.index)
        match base:
            case StackType(element=element, size=size):
                if isinstance(at, int) and not 0 <= at < size:
                    self.error(f"index {at} is outside of {base}", e.index)
                return element
            case TupleType(elements=elements):
                if not isinstance(at, int):
                    self.error("the index of a tuple must be known at compile time", e.index)
                    return UNKNOWN
                if not 0 <= at < len(elements):
                    self.error(f"index {at} is outside of {base}", e.index)
                    return UNKNOWN
                return elements[at]
        self.error(f"{a(str(base))} cannot be indexed", e.base)
        return UNKNOWN

    def _slice(self, e: ast.Slice) -> Type:
        base = self.infer(e.base)
        self.infer(e.high)
        self.infer(e.low)
        if isinstance(base, UnknownType):
            return UNKNOWN
        base = self.as_number(e.base)
        high, low = self._bound(e.high), self._bound(e.low)
        if not isinstance(base, BitType | IntType):
            self.error(f"{a(str(base))} has no bits to slice", e.base)
            return UNKNOWN
        if high is None or low is None:
            return UNKNOWN
        if isinstance(base, BitType) and high >= base.width:
            self.error(f"bit {high} is outside of {base}", e.high)
            return UNKNOWN
        if low > high:
            self.error(f"slice [{high}:{low}] ends before it starts", e, "write [high:low]")
            return UNKNOWN
        return BitType(high - low + 1)

    def _bound(self, e: ast.Expression) -> int | None:
        if self.checked.types[e] is UNKNOWN:
            return None
        self.as_number(e)
        value = self.constant_of(e)
        if not isinstance(value, int) or isinstance(value, bool):
            self.error("the bounds of a slice are integers known at compile time", e)
            return None
        if value < 0:
            self.error(f"bit {value} does not exist", e)
            return None
        return value

    def _plus_slice(self, e: ast.PlusSlice) -> Type:
        base = self.infer(e.base)
        low = self.infer(e.low)
        self.infer(e.width)
        width = self._bound(e.width)
        if isinstance(base, UnknownType) or isinstance(low, UnknownType) or width is None:
            return UNKNOWN
        base = self.as_number(e.base)
        if not isinstance(base, BitType):
            self.error(f"{a(str(base))} has no bits to slice", e.base)
            return UNKNOWN
        if not isinstance(self.as_number(e.low), BitType | IntType):
            self.error(f"the start of a slice is an integer, not {low}", e.low)
            return UNKNOWN
        if not 0 < width <= base.width:
            self.error(f"{base} has no slice of {width} bits", e.width)
            return UNKNOWN
        return BitType(width)

    # --- lists ---------------------------------------------------------------------

    def _list_expression(self, e: ast.ListExpression) -> Type:
        types = tuple(self.infer(x) for x in e.elements)
        for element, type_ in zip(e.elements, types, strict=True):
            if isinstance(type_, FunctionType | TableType | TypeOfType | PackageType | SetType):
                self.error(f"{type_} is not a value", element)
        return TupleType(types)

    def _struct_expression(self, e: ast.StructExpression) -> Type:
        seen: dict[str, Type] = {}
        for named in e.fields:
            type_ = self.infer(named.value)
            if named.name in seen:
                self.error(f"field '{named.name}' is given twice", named)
            seen[named.name] = type_
        return RecordType(tuple(seen.items()))

    def _invalid(self, _: ast.InvalidHeader) -> Type:
        return DefaultsType("{#}")

    def _dots(self, _: ast.Dots) -> Type:
        return DefaultsType()

    # --- l-values --------------------------------------------------------------------

    def is_writable(self, e: ast.Expression) -> str | None:
        """None if `e` can be assigned to, else why not."""
        match e:
            case ast.PathExpression(name=name):
                match self.checked.names.get(e):
                    case ast.VariableDeclaration() | None:
                        return None
                    case ast.Parameter(direction=direction):
                        if direction in (ast.Direction.OUT, ast.Direction.INOUT):
                            return None
                        if direction is ast.Direction.IN:
                            return f"'{name}' is an 'in' parameter"
                        return f"'{name}' is a parameter without direction"
                    case ast.ConstantDeclaration():
                        return f"'{name}' is a constant"
                    case ast.Instantiation():
                        return f"'{name}' is an instance"
                return f"'{name}' is not a variable"
            case ast.Member(base=base, member=member):
                type_ = self.checked.types.get(base, UNKNOWN)
                if has_unknown(type_):
                    return None
                if isinstance(type_, StackType) and member in ("size", "lastIndex"):
                    return f"'{member}' of a stack is computed"
                if not isinstance(type_, StructType | StackType):
                    return "this is not a variable"
                return self.is_writable(base)
            case ast.Index(base=base):
                return self.is_writable(base)
            case ast.Slice(base=base) | ast.PlusSlice(base=base):
                if self.checked.types.get(base) == INT:
                    return "this is not a variable"
                return self.is_writable(base)
        return "this is not a variable"
