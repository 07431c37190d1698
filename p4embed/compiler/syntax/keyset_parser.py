"""Keysets: what the cases of a select and the entries of a table match."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.syntax.expression_parser import ExpressionParser


class KeysetParser(ExpressionParser):
    """Expressions, and the forms that stand only in keysets."""

    def keyset(self) -> ast.Expression:
        """Key of a select case or table entry; ':' follows."""
        if self.token.kind == "(":
            tuple_ = self.attempt(self.tuple_keyset)
            if tuple_ is not None:
                return tuple_
        return self.simple_keyset()

    def tuple_keyset(self) -> ast.Expression:
        first = self.advance()
        elements = [self.simple_keyset()]
        while self.accept(","):
            elements.append(self.simple_keyset())
        self.expect(")", "after the keyset")
        if self.token.kind != ":":
            raise self.fail("expected ':' after the keyset")
        if len(elements) == 1:
            return elements[0]
        return ast.TupleKeyset(self.since(first), elements)

    def simple_keyset(self) -> ast.Expression:
        """An expression, mask, range, `default` or `_`."""
        first = self.token
        if first.kind == "default":
            return ast.DefaultKeyset(self.advance().span)
        if first.kind == "_":
            return ast.DontCare(self.advance().span)
        value = self.expression()
        if self.accept("&&&"):
            mask = self.expression()
            return ast.Mask(self.since(first), value, mask)
        if self.accept(".."):
            high = self.expression()
            return ast.Range(self.since(first), value, high)
        return value
