"""Types and expressions: each can stand within the other."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.syntax.cursor import Cursor, SyntaxFailure
from p4embed.compiler.syntax.lexer import (
    IDENT,
    INT,
    MAX_DIGITS,
    STRING,
    Token,
    parse_int,
    parse_string,
)

MAX_WIDTH = 2048
"""Widths beyond this are refused, as other compilers for this target do."""

MAX_CHAIN = 1000
"""Operators in one chain `a + b + c ...`."""

_BASE_TYPES = frozenset(
    ("bool", "error", "string", "match_kind", "bit", "int", "varbit", "tuple", "void")
)

_LEVELS = (
    ("||",),
    ("&&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("|",),
    ("^",),
    ("&",),
    ("<<", ">>"),
    ("++", "+", "-", "|+|", "|-|"),
    ("*", "/", "%"),
)
_PRECEDENCE = {op: level for level, ops in enumerate(_LEVELS, start=1) for op in ops}
"""How tightly each binary operator binds."""


class ExpressionParser(Cursor):
    """The part of the grammar that needs no annotations, declarations or statements."""

    # --- types ---------------------------------------------------------------------

    def at_type(self) -> bool:
        """Whether the current token can only begin a type."""
        token = self.token
        if token.kind == IDENT:
            if token.text == "list" and self.peek().kind == "<":
                return True
            return self.is_type(token.text)
        if token.kind == ".":
            return self.peek().kind == IDENT and bool(self.scopes[0].get(self.peek().text))
        return token.kind in _BASE_TYPES

    def type(self, what: str = "a type") -> ast.TypeNode:
        """A type reference; `void` included (the checker knows where it may stand)."""
        with self.nested():
            first = self.token
            node = self.type_without_stack(what)
            while self.token.kind == "[":
                self.advance()
                size = self.expression()
                self.expect("]", "after the size of the header stack")
                node = ast.HeaderStackType(self.since(first), node, size)
            return node

    def type_without_stack(self, what: str) -> ast.TypeNode:
        first = self.token
        match first.kind:
            case "bool" | "error" | "string" | "match_kind" | "void":
                self.advance()
                return ast.BaseType(first.span, first.kind)
            case "bit" | "int" | "varbit":
                self.advance()
                if self.token.kind != "<":
                    if first.kind == "varbit":
                        raise self.fail("expected '<' and a width after 'varbit'")
                    return ast.BaseType(first.span, first.kind)
                self.advance()
                width = self.width()
                self.expect(">", "after the width")
                return ast.BaseType(self.since(first), first.kind, width)
            case "tuple":
                self.advance()
                self.expect("<", "after 'tuple'")
                elements = self.type_arguments_to_angle()
                return ast.TupleTypeNode(self.since(first), elements)
            case _ if first.kind == IDENT and first.text == "list" and self.peek().kind == "<":
                if not self.is_type("list"):
                    self.advance()
                    self.advance()
                    element = self.type()
                    self.expect(">", "after the element type of the list")
                    return ast.ListTypeNode(self.since(first), element)
        absolute = self.accept(".")
        if self.token.kind != IDENT:
            raise self.fail(f"expected {what}")
        name = ast.TypeName(self.since(first), self.advance().text, absolute)
        name.span = self.since(first)
        if self.token.kind != "<":
            return name
        self.advance()
        arguments = self.type_arguments_to_angle()
        return ast.SpecializedType(self.since(first), name, arguments)

    def type_arguments_to_angle(self) -> list[ast.TypeNode]:
        """Type arguments up to the closing angle, which is taken; `<` is taken already."""
        arguments: list[ast.TypeNode] = []
        while self.token.kind != ">":
            if self.token.kind == "_":
                arguments.append(ast.DontCareType(self.advance().span))
            else:
                arguments.append(self.type())
            if not self.accept(","):
                break
        self.expect(">", "after the type arguments")
        return arguments

    def width(self) -> ast.Expression:
        """A width: sums and products stand alone, anything else in parentheses."""
        return self.binary(_PRECEDENCE["+"])

    # --- expressions ---------------------------------------------------------------

    def expression(self) -> ast.Expression:
        """Any expression but the keyset forms."""
        with self.nested():
            first = self.token
            condition = self.binary(1)
            if self.token.kind != "?":
                return condition
            self.advance()
            then = self.expression()
            self.expect(":", "in the conditional expression")
            otherwise = self.expression()
            return ast.Ternary(self.since(first), condition, then, otherwise)

    def binary(self, minimum: int) -> ast.Expression:
        """Precedence climbing; all operators associate to the left."""
        first = self.token
        left = self.unary()
        count = 0
        while True:
            token = self.token
            op = token.kind
            level = _PRECEDENCE.get(op, 0)
            if op == ">":
                after = self.peek()
                # `>>` is two tokens, so that nested type arguments can close.
                if after.kind == ">" and after.start == token.end:
                    third = self.peek(2)
                    if third.kind == ">=" and third.start == after.end:
                        return left
                    op, level = ">>", _PRECEDENCE[">>"]
                elif after.kind == ">=" and after.start == token.end:
                    return left  # the assignment operator `>>=`
            if level < minimum or level == 0:
                return left
            count += 1
            if count > MAX_CHAIN:
                raise self.fail(f"more than {MAX_CHAIN} operators in one expression", found=False)
            self.advance()
            if op == ">>":
                self.advance()
            right = self.binary(level + 1)
            left = ast.Binary(self.since(first), op, left, right)

    def unary(self) -> ast.Expression:
        """Prefix operators and casts."""
        first = self.token
        kind = first.kind
        if kind in ("!", "~", "-", "+"):
            with self.nested():
                self.advance()
                operand = self.unary()
                return ast.Unary(self.since(first), kind, operand)
        if kind == "(" and self.at_cast():
            with self.nested():
                self.advance()
                type_ = self.type()
                self.expect(")", "after the type of the cast")
                operand = self.unary()
                return ast.Cast(self.since(first), type_, operand)
        return self.postfix(self.primary(), first)

    def at_cast(self) -> bool:
        """Whether the parenthesis here opens a cast rather than a subexpression."""
        token = self.peek()
        if token.kind == ".":
            if not self.scopes[0].get(self.peek(2).text):
                return False
            return self.peek(3).kind in (")", "<", "[")
        following = self.peek(2).kind
        if token.kind == IDENT:
            if token.text == "list" and following == "<" and not self.is_type("list"):
                return True
            return self.is_type(token.text) and following in (")", "<", "[")
        return token.kind in _BASE_TYPES and following != "."

    def postfix(self, base: ast.Expression, first: Token) -> ast.Expression:
        """Member accesses, indices, slices and calls behind `base`."""
        while True:
            kind = self.token.kind
            if kind == ".":
                self.advance()
                name = self.token
                if name.kind != IDENT and name.kind not in ("_",):
                    self.expect_name("the name of a member after '.'")
                self.advance()
                base = ast.Member(self.since(first), base, name.text, name.span)
            elif kind == "[":
                base = self.index(base, first)
            elif kind == "(":
                base = self.call(base, [], first)
            elif kind == "<":
                arguments = self.attempt(self.call_type_arguments)
                if arguments is None:
                    return base
                base = self.call(base, arguments, first)
            else:
                return base

    def call_type_arguments(self) -> list[ast.TypeNode]:
        """`<...>` of a call, which a parenthesis must follow; anything else fails."""
        self.advance()
        if not self.at_type() and self.token.kind not in ("_", "void"):
            raise self.fail("expected a type")
        arguments = self.type_arguments_to_angle()
        if self.token.kind != "(":
            raise self.fail("expected '('")
        return arguments

    def index(self, base: ast.Expression, first: Token) -> ast.Expression:
        self.advance()
        index = self.expression()
        if self.accept(":"):
            low = self.expression()
            self.expect("]", "after the slice")
            return ast.Slice(self.since(first), base, index, low)
        if self.accept("+:"):
            width = self.expression()
            self.expect("]", "after the slice")
            return ast.PlusSlice(self.since(first), base, index, width)
        self.expect("]", "after the index")
        return ast.Index(self.since(first), base, index)

    def call(self, callee: ast.Expression, types: list[ast.TypeNode], first: Token) -> ast.Call:
        arguments = self.arguments()
        return ast.Call(self.since(first), callee, types, arguments)

    def arguments(self) -> list[ast.Argument]:
        """`(a, b)` or `(x = a, y = b)`."""
        self.expect("(", "before the arguments")
        arguments: list[ast.Argument] = []
        while self.token.kind != ")":
            first = self.token
            name: str | None = None
            if first.kind == IDENT and self.peek().kind == "=":
                self.advance()
                self.advance()
                name = first.text
            if self.token.kind == "_" and self.peek().kind in (",", ")"):
                value: ast.Expression = ast.DontCare(self.advance().span)
            else:
                value = self.expression()
            arguments.append(ast.Argument(self.since(first), name, value))
            if not self.accept(","):
                break
        self.expect(")", "after the arguments")
        return arguments

    def primary(self) -> ast.Expression:
        """An expression without operators around it."""
        first = self.token
        match first.kind:
            case "identifier":
                if self.is_type(first.text) or (first.text == "list" and self.peek().kind == "<"):
                    return self.type_expression()
                self.advance()
                return ast.PathExpression(first.span, first.text)
            case "integer":
                return self.int_literal()
            case "string literal":
                self.advance()
                parts = [parse_string(first.text)]
                while self.token.kind == STRING:
                    parts.append(parse_string(self.advance().text))
                return ast.StringLiteral(self.since(first), "".join(parts))
            case "true" | "false":
                self.advance()
                return ast.BoolLiteral(first.span, first.kind == "true")
            case "this":
                self.advance()
                return ast.ThisExpression(first.span)
            case "(":
                self.advance()
                inner = self.expression()
                self.expect(")", "after the expression")
                return inner
            case "{":
                return self.braces()
            case "{#}":
                self.advance()
                return ast.InvalidHeader(first.span)
            case "...":
                self.advance()
                return ast.Dots(first.span)
            case ".":
                if self.peek().kind == IDENT and self.scopes[0].get(self.peek().text):
                    return self.type_expression()
                self.advance()
                name = self.expect_name("a name after the leading '.'")
                return ast.PathExpression(self.since(first), name.text, True)
            case "error":
                if self.peek().kind == ".":
                    self.advance()
                    return ast.TypeExpression(first.span, ast.BaseType(first.span, "error"))
        if first.kind in _BASE_TYPES:
            raise self.fail("expected an expression, found a type", found=False)
        raise self.fail("expected an expression")

    def type_expression(self) -> ast.Expression:
        """A type where an expression stands: `E.A`, `C(...)`, `C<T>(...)`."""
        first = self.token
        if self.peek(2 if first.kind == "." else 1).kind == "<":
            specialized = self.attempt(self.specialized_before_use)
            if specialized is not None:
                return ast.TypeExpression(specialized.span, specialized)
        absolute = self.accept(".")
        name = self.advance()
        type_: ast.TypeNode = ast.TypeName(self.since(first), name.text, absolute)
        return ast.TypeExpression(type_.span, type_)

    def specialized_before_use(self) -> ast.TypeNode:
        type_ = self.type_without_stack("a type")
        if self.token.kind not in ("(", "."):
            raise self.fail("expected '('")
        return type_

    def int_literal(self) -> ast.IntLiteral:
        token = self.advance()
        if len(token.text) > MAX_DIGITS:
            raise SyntaxFailure(f"integer of more than {MAX_DIGITS} digits", token.span)
        value, width, signed = parse_int(token.text)
        after = self.token
        if after.kind in (IDENT, INT) and after.start == token.end and token.start != token.end:
            raise SyntaxFailure(
                f"malformed integer '{token.text}{after.text}'",
                token.span.to(after.span),
                "a width and its base are written as in 8w0xFF, 4s7, 16w0b1_0",
            )
        if width is not None:
            self.check_literal(token, value, width, signed)
        return ast.IntLiteral(token.span, value, width, signed)

    def check_literal(self, token: Token, value: int, width: int, signed: bool) -> None:
        if width > MAX_WIDTH:
            raise SyntaxFailure(f"widths beyond {MAX_WIDTH} are not supported", token.span)
        if width == 0 and signed:
            raise SyntaxFailure("a signed integer needs a width of at least 1", token.span)
        if value >> width:
            kind = f"int<{width}>" if signed else f"bit<{width}>"
            self.diagnostics.warning(f"{token.text} does not fit into {kind}", token.span)

    def braces(self) -> ast.Expression:
        """`{a, b}`, `{x = a, y = b}`, each with `...` as its last element if wanted."""
        with self.nested():
            first = self.advance()
            named: list[ast.NamedExpression] = []
            elements: list[ast.Expression] = []
            dots: ast.Dots | None = None
            while self.token.kind != "}":
                start = self.token
                if dots is not None:
                    raise self.fail("'...' must be the last element", found=False)
                if start.kind == "...":
                    dots = ast.Dots(self.advance().span)
                elif start.kind == IDENT and self.peek().kind == "=":
                    self.advance()
                    self.advance()
                    value = self.expression()
                    named.append(ast.NamedExpression(self.since(start), start.text, value))
                else:
                    elements.append(self.expression())
                if named and elements:
                    raise SyntaxFailure(
                        "an initialiser has either plain or named values, not both", start.span
                    )
                if not self.accept(","):
                    break
            self.expect("}", "after the list")
            span = self.since(first)
            if named:
                return ast.StructExpression(span, named, dots is not None)
            return ast.ListExpression(span, elements, dots is not None)
