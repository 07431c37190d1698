"""Operators, casts and their operands (specification, section 8)."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import castable, comparable, merge
from p4embed.compiler.check.conversions import ConversionChecker
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, Note
from p4embed.compiler.syntax.expression_parser import MAX_WIDTH
from p4embed.compiler.types import (
    BOOL,
    INT,
    STRING,
    UNKNOWN,
    BitType,
    DefaultsType,
    EnumType,
    IntType,
    RecordType,
    TupleType,
    Type,
    UnknownType,
    VoidType,
)

_BITWISE = ("&", "|", "^")


class OperatorChecker(ConversionChecker):
    """The rules for operators and casts."""

    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        super().__init__(checked, diagnostics)
        self.rule(ast.Unary, self._unary)
        self.rule(ast.Binary, self._binary)
        self.rule(ast.Ternary, self._ternary)
        self.rule(ast.Cast, self._cast)

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
        folded = e.left in self.checked.constants and e.right in self.checked.constants
        if op in ("/", "%") and isinstance(common, BitType) and common.signed and not folded:
            self.error(f"operator '{op}' is not defined for {common}", e)
            return UNKNOWN
        if op in ("/", "%"):
            self.divisor(op, e, e.left, e.right)
            divisor = self.checked.constants.get(e.right)
            if isinstance(divisor, int) and divisor <= 0:
                shown = "division by zero" if divisor == 0 else f"division by {divisor}"
                self.error(shown, e.right)
                return UNKNOWN
        return common

    def divisor(
        self, op: str, whole: ast.Node, left: ast.Expression, right: ast.Expression
    ) -> None:
        """Division is for compile-time numbers (P4_16, sections 8.5 and 8.8); as p4c has it, also
        by a power of two, and of 0."""
        if self.checked.constants.get(left) == 0:
            return
        value = self.checked.constants.get(right)
        if isinstance(value, int):
            # No positive number is reported elsewhere.
            possible = value <= 0 or value & (value - 1) == 0 or self.is_static(left)
        else:
            possible = self.is_static(left) and self.is_static(right)
        if not possible:
            self.error(
                f"operator '{op}' needs numbers known at compile time",
                whole,
                "at run time a value can be divided by a constant power of two",
            )

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
        if left.width + right.width > MAX_WIDTH:
            self.error(f"the result would be wider than {MAX_WIDTH} bits", e)
            return UNKNOWN
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
        have = self.infer(e.operand)
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
        elif wanted == BOOL and have == INT and self.constant_of(e.operand) not in (0, 1, None):
            self.error("only 0 and 1 can be cast to bool", e)
        return wanted
