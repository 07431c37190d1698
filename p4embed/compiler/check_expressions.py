"""Types of expressions other than calls (specification, section 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from p4embed.compiler import ast
from p4embed.compiler.check_conversions import ConversionChecker
from p4embed.compiler.check_types import a
from p4embed.compiler.checked import ErrorMember
from p4embed.compiler.convert import castable, comparable, has_unknown, merge
from p4embed.compiler.diagnostics import Note, did_you_mean
from p4embed.compiler.evaluate import EvaluationError, combine
from p4embed.compiler.types import (
    BIT32,
    BOOL,
    ERROR,
    INT,
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
    VoidType,
)

_BITWISE = ("&", "|", "^")


class ExpressionChecker(ConversionChecker):
    """Infers the type of every expression, and its value if that is known."""

    def infer(self, expression: ast.Expression, hint: Type | None = None) -> Type:
        """Natural type of `expression`; `hint` is what its context wants, which helps only
        where type arguments are to be inferred from the result. UNKNOWN after an error."""
        handler = _HANDLERS.get(type(expression))
        if handler is not None:
            type_ = handler(self, expression)
        elif isinstance(expression, ast.Call):
            type_ = self.call(expression, hint)
        else:
            self.error("this can only stand in a keyset", expression)
            type_ = UNKNOWN
        self.checked.types[expression] = type_
        if type_ is not UNKNOWN:
            self.fold(expression)
        return type_

    def call(self, expression: ast.Call, hint: Type | None) -> Type:
        """Type of a call; see `CallChecker`."""
        raise NotImplementedError

    def fold(self, expression: ast.Expression) -> None:
        """Note the value of an expression whose parts are typed, if it can be known."""
        try:
            value = combine(expression, self.checked, self.constant_of)
        except EvaluationError as error:
            self.error(error.message, error.span)
            return
        if value is not None:
            self.checked.constants[expression] = value
        elif self.depends_on_instance(expression):
            self.deferred.add(expression)

    def depends_on_instance(self, expression: ast.Expression) -> bool:
        """Whether all parts are known at compile time once constructor parameters are."""
        match expression:
            case ast.PathExpression():
                declaration = self.checked.names.get(expression)
                if isinstance(declaration, ast.ConstantDeclaration):
                    return self.is_static(declaration.value)
                return declaration in self.constructor_parameters
            case ast.Unary(operand=x) | ast.Cast(operand=x):
                return self.is_static(x)
            case ast.Member(base=x):
                return not isinstance(x, ast.TypeExpression) and self.is_static(x)
            case ast.Binary(left=x, right=y) | ast.Index(base=x, index=y):
                return self.is_static(x) and self.is_static(y)
            case ast.Slice(base=x, high=y, low=z) | ast.Ternary(condition=x, then=y, otherwise=z):
                return self.is_static(x) and self.is_static(y) and self.is_static(z)
            case ast.ListExpression(elements=elements):
                return all(self.is_static(e) for e in elements)
            case ast.StructExpression(fields=fields):
                return all(self.is_static(f.value) for f in fields)
        return False

    def is_static(self, expression: ast.Expression) -> bool:
        """Whether the value is known at compile time, if only for each instance anew."""
        return expression in self.checked.constants or expression in self.deferred

    constructor_parameters: set[ast.Declaration | ErrorMember | None]
    """Those of the parser or control being checked."""

    # --- literals and names --------------------------------------------------------

    def _int(self, e: ast.IntLiteral) -> Type:
        return INT if e.width is None else BitType(e.width, e.signed)

    def _bool(self, _: ast.BoolLiteral) -> Type:
        return BOOL

    def _string(self, _: ast.StringLiteral) -> Type:
        return STRING

    def _path(self, e: ast.PathExpression) -> Type:
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
                if e.member in ("next", "last"):
                    return element
                if e.member in ("lastIndex", "size"):
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

    # --- operators -----------------------------------------------------------------

    def _unary(self, e: ast.Unary) -> Type:
        type_ = self.infer(e.operand)
        if isinstance(type_, UnknownType):
            return UNKNOWN
        if e.op == "!":
            if type_ != BOOL:
                self._operand(e.op, e.operand, type_, "bool")
                return UNKNOWN
            return BOOL
        type_ = self.as_number(e.operand)
        if isinstance(type_, BitType) or (isinstance(type_, IntType) and e.op != "~"):
            return type_
        self._operand(e.op, e.operand, type_, "bit<> or int<>")
        return UNKNOWN

    def _operand(self, op: str, e: ast.Expression, type_: Type, wanted: str) -> None:
        self.error(f"operator '{op}' works on {wanted}, not on {type_}", e)

    def _binary(self, e: ast.Binary) -> Type:
        left, right = self.infer(e.left), self.infer(e.right)
        op = e.op
        if op in ("&&", "||"):
            for part, type_ in ((e.left, left), (e.right, right)):
                if type_ != BOOL and not isinstance(type_, UnknownType):
                    self._operand(op, part, type_, "bool")
            return BOOL
        if isinstance(left, UnknownType) or isinstance(right, UnknownType):
            return BOOL if op in ("==", "!=", "<", ">", "<=", ">=") else UNKNOWN
        if op in ("<<", ">>"):
            return self._shift(e)
        if op == "++":
            return self._concatenate(e)
        common = self.harmonise(e.left, e.right)
        if common is None:
            self.error(f"operator '{op}' cannot combine {left} and {right}", e)
            return BOOL if op in ("==", "!=") else UNKNOWN
        if op in ("==", "!="):
            if not comparable(common):
                self.error(f"values of {common} cannot be compared", e)
            return BOOL
        if isinstance(common, EnumType) and common.underlying is not None:
            self.as_number(e.left)
            common = self.as_number(e.right)
        return self._arithmetic(e, common)

    def _arithmetic(self, e: ast.Binary, common: Type) -> Type:
        op = e.op
        if isinstance(common, UnknownType):
            return UNKNOWN
        if not isinstance(common, BitType | IntType):
            notes: list[Note | str] = []
            if common == BOOL and op in _BITWISE:
                notes.append(f"for bool the operators are && and ||, not {op}")
            self.error(f"operator '{op}' does not work on {common}", e, *notes)
            return UNKNOWN
        if op in ("<", ">", "<=", ">="):
            return BOOL
        if op in ("|+|", "|-|") and isinstance(common, IntType):
            self.error(f"operator '{op}' needs operands of fixed width, not int", e)
            return UNKNOWN
        if op in ("/", "%") and isinstance(common, BitType) and common.signed:
            self.error(f"operator '{op}' is not defined for {common}", e)
            return UNKNOWN
        return common

    def _shift(self, e: ast.Binary) -> Type:
        left, right = self.as_number(e.left), self.as_number(e.right)
        if not isinstance(left, BitType | IntType):
            self._operand(e.op, e.left, left, "bit<> or int<>")
            return UNKNOWN
        if not isinstance(right, BitType | IntType):
            self._operand(e.op, e.right, right, "bit<> or int<>")
            return UNKNOWN
        amount = self.constant_of(e.right)
        if isinstance(amount, int) and amount < 0:
            self.error("a shift by a negative amount", e.right)
            return UNKNOWN
        if isinstance(right, BitType) and right.signed and amount is None:
            self.error(f"the amount of a shift is unsigned, not {right}", e.right)
            return UNKNOWN
        if isinstance(left, IntType) and not self.is_static(e.right):
            self.error(
                "the width of the value shifted is not known",
                e.left,
                "a literal with a width is written as in 8w1",
            )
            return UNKNOWN
        return left

    def _concatenate(self, e: ast.Binary) -> Type:
        left, right = self.as_number(e.left), self.as_number(e.right)
        if left == STRING and right == STRING:
            return STRING
        for part, type_ in ((e.left, left), (e.right, right)):
            if not isinstance(type_, BitType):
                notes = ["a literal with a width is written as in 8w1"] if type_ == INT else []
                self.error(f"operator '++' needs a fixed width, not {type_}", part, *notes)
                return UNKNOWN
        assert isinstance(left, BitType)
        assert isinstance(right, BitType)
        return BitType(left.width + right.width, left.signed)

    def _ternary(self, e: ast.Ternary) -> Type:
        condition = self.infer(e.condition)
        self.infer(e.then)
        self.infer(e.otherwise)
        if condition != BOOL and not isinstance(condition, UnknownType):
            self.error(f"the condition of '?:' is a bool, not {condition}", e.condition)
        then, otherwise = self.checked.types[e.then], self.checked.types[e.otherwise]
        common = self.harmonise(e.then, e.otherwise)
        if common is None:
            merged = merge(then, otherwise)
            if merged is None:
                self.error(f"the branches of '?:' differ: {then} and {otherwise}", e)
                return UNKNOWN
            common = merged
        if isinstance(common, VoidType):
            self.error("the branches of '?:' have no value", e)
            return UNKNOWN
        return common

    def _cast(self, e: ast.Cast) -> Type:
        wanted = self.resolve(e.type)
        have = self.infer(e.operand, wanted)
        if isinstance(wanted, UnknownType) or isinstance(have, UnknownType):
            return wanted
        if isinstance(have, TupleType | RecordType | DefaultsType):
            self.coerce(e.operand, have, wanted, "")
            return wanted
        if not castable(have, wanted):
            notes: list[Note | str] = []
            if isinstance(have, BitType) and isinstance(wanted, BitType):
                first = BitType(wanted.width, have.signed)
                notes.append(f"width and sign change one after the other: ({wanted})({first}) ...")
            self.error(f"{have} cannot be cast to {wanted}", e, *notes)
        return wanted

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
                if isinstance(self.checked.types.get(base), TupleType):
                    return "elements of a tuple cannot be changed"
                return self.is_writable(base)
            case ast.Slice(base=base) | ast.PlusSlice(base=base):
                if self.checked.types.get(base) == INT:
                    return "this is not a variable"
                return self.is_writable(base)
        return "this is not a variable"


_HANDLERS: dict[type[ast.Expression], Callable[[ExpressionChecker, Any], Type]] = {
    ast.IntLiteral: ExpressionChecker._int,
    ast.BoolLiteral: ExpressionChecker._bool,
    ast.StringLiteral: ExpressionChecker._string,
    ast.PathExpression: ExpressionChecker._path,
    ast.TypeExpression: ExpressionChecker._type,
    ast.ThisExpression: ExpressionChecker._this,
    ast.Member: ExpressionChecker._member,
    ast.Index: ExpressionChecker._index,
    ast.Slice: ExpressionChecker._slice,
    ast.PlusSlice: ExpressionChecker._plus_slice,
    ast.Unary: ExpressionChecker._unary,
    ast.Binary: ExpressionChecker._binary,
    ast.Ternary: ExpressionChecker._ternary,
    ast.Cast: ExpressionChecker._cast,
    ast.ListExpression: ExpressionChecker._list_expression,
    ast.StructExpression: ExpressionChecker._struct_expression,
    ast.InvalidHeader: ExpressionChecker._invalid,
    ast.Dots: ExpressionChecker._dots,
}
"""Each class's method takes just that class: the table's key sees to it."""
