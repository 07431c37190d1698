"""Inference: each kind of expression has a rule that gives its type.

The rules stand in the classes that build on this one. They need each other at any depth (a
width in a type is an expression, a cast names a type), so all go through `infer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from p4embed.compiler import ast
from p4embed.compiler.check.evaluate import EvaluationError, combine
from p4embed.compiler.check.names import NameChecker
from p4embed.compiler.checked import CheckedProgram, ErrorMember, Value
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.types import UNKNOWN, Type

Kind = TypeVar("Kind", bound=ast.Expression)


class InferenceChecker(NameChecker):
    """Gives every expression its type, and its value if that is known at compile time."""

    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        super().__init__(checked, diagnostics)
        self._rules: dict[type[ast.Expression], Callable[[Any], Type]] = {}
        self.deferred: set[ast.Expression] = set()
        """Expressions known at compile time, but for each instance anew."""
        self.constructor_parameters: set[ast.Declaration | ErrorMember | None] = set()
        """Those of the parser or control being checked."""

    def rule(self, kind: type[Kind], infer: Callable[[Kind], Type]) -> None:
        """Types expressions of just that class by `infer`, which gives UNKNOWN after an error."""
        self._rules[kind] = infer

    def infer(self, expression: ast.Expression) -> Type:
        """Natural type of `expression`; UNKNOWN after an error."""
        rule = self._rules.get(type(expression))
        if rule is not None:
            type_ = rule(expression)
        else:
            self.error("this can only stand in a keyset", expression)
            type_ = UNKNOWN
        self.checked.types[expression] = type_
        if type_ is not UNKNOWN:
            self._fold(expression)
        return type_

    # --- values --------------------------------------------------------------------

    def constant_of(self, expression: ast.Expression) -> Value | None:
        """Value of an expression, None if it is not known at compile time."""
        return self.checked.constants.get(expression)

    def is_static(self, expression: ast.Expression) -> bool:
        """Whether the value is known at compile time, if only for each instance anew."""
        return expression in self.checked.constants or expression in self.deferred

    def _fold(self, expression: ast.Expression) -> None:
        """Note the value of an expression whose parts are typed, if it can be known."""
        try:
            value = combine(expression, self.checked, self.constant_of)
        except EvaluationError as error:
            self.error(error.message, error.span)
            return
        if value is not None:
            self.checked.constants[expression] = value
        elif self._depends_on_instance(expression):
            self.deferred.add(expression)

    def _depends_on_instance(self, expression: ast.Expression) -> bool:
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
