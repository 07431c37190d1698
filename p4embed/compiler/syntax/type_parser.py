"""Annotations and types."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.syntax.cursor import Cursor, SyntaxFailure
from p4embed.compiler.syntax.lexer import (
    END,
    ERROR,
    IDENT,
    INT,
    STRING,
    Token,
    parse_int,
    parse_string,
)

MAX_DIGITS = 4000

BASE_TYPES = frozenset(
    ("bool", "error", "string", "match_kind", "bit", "int", "varbit", "tuple", "void")
)

_OPENING = {"(": ")", "[": "]", "{": "}"}
_WITH_NUMBERS = frozenset(("field_list",))


class TypeParser(Cursor):
    """The part of the grammar that names types."""

    def expression(self) -> ast.Expression:
        """Any expression but the keyset forms; see `ExpressionParser`."""
        raise NotImplementedError

    def width(self) -> ast.Expression:
        """A width in bits; see `ExpressionParser`."""
        raise NotImplementedError

    # --- annotations ---------------------------------------------------------------

    def annotations(self) -> list[ast.Annotation]:
        """Any number of annotations."""
        found: list[ast.Annotation] = []
        while self.token.kind == "@":
            new = self.annotation()
            if new.tokens is None and any(a.name == new.name and a.tokens is None for a in found):
                structured = new.expressions is not None or new.pairs is not None
                if structured:
                    raise SyntaxFailure(f"annotation '@{new.name}' is given twice", new.span)
            found.append(new)
        return found

    def annotation(self) -> ast.Annotation:
        """`@name`, `@name(...)`, `@name[...]` or `@pragma name ... end of line`."""
        first = self.advance()
        token = self.token
        if not (token.text[:1].isalpha() or token.text[:1] == "_"):
            raise self.fail("expected the name of an annotation after '@'")
        self.advance()
        if token.text == "pragma":
            return self.pragma(first)
        if self.token.kind == "(":
            opened = self.at
            body = self.balanced()
            texts = tuple(t.text for t in body)
            numbers = self.numbers(opened) if token.text in _WITH_NUMBERS else None
            return ast.Annotation(
                self.since(first),
                token.text,
                tokens=texts,
                literals=_literals(body),
                numbers=numbers,
            )
        if self.token.kind == "[":
            return self.structured_annotation(first, token.text)
        return ast.Annotation(self.since(first), token.text)

    def pragma(self, first: Token) -> ast.Annotation:
        """The rest of the line is the annotation's body."""
        if self.token.first or self.token.kind == END:
            raise self.fail("expected the name of an annotation after '@pragma'")
        name = self.advance().text
        body: list[Token] = []
        while not self.token.first and self.token.kind != END:
            body.append(self.advance())
        return ast.Annotation(
            self.since(first),
            name,
            tokens=tuple(t.text for t in body),
            literals=_literals(body),
        )

    def numbers(self, opened: int) -> list[ast.Expression]:
        """Once more the body that was opened at that token, now as expressions."""
        self.at, self.token = opened, self.tokens[opened]
        self.advance()
        found: list[ast.Expression] = []
        while self.token.kind != ")":
            found.append(self.expression())
            if not self.accept(","):
                break
        self.expect(")", "after the annotation's numbers")
        return found

    def balanced(self) -> list[Token]:
        """Tokens between matching parentheses, which are taken and left out."""
        opening = self.advance()
        body: list[Token] = []
        closers = [")"]
        while closers:
            token = self.token
            if token.kind == END:
                raise SyntaxFailure("'(' without its ')'", opening.span)
            if token.kind == ERROR and token.text in ('"', "/*"):
                raise self.fail("")  # it would swallow the rest of the file
            self.advance()
            if token.kind == closers[-1]:
                closers.pop()
            elif token.kind in _OPENING:
                closers.append(_OPENING[token.kind])
            body.append(token)
        return body[:-1]

    def structured_annotation(self, first: Token, name: str) -> ast.Annotation:
        """`[expression, ...]` or `[key = expression, ...]`."""
        self.expect("[", "after the annotation's name")
        expressions: list[ast.Expression] = []
        pairs: list[ast.KeyValue] = []
        while self.token.kind != "]":
            start = self.token
            if start.kind == IDENT and self.peek().kind == "=":
                self.advance()
                self.advance()
                value = self.expression()
                if any(pair.key == start.text for pair in pairs):
                    raise SyntaxFailure(
                        f"key '{start.text}' given twice in the annotation", start.span
                    )
                pairs.append(ast.KeyValue(self.since(start), start.text, value))
            else:
                expressions.append(self.expression())
            if expressions and pairs:
                raise SyntaxFailure(
                    "an annotation has either expressions or 'key = value' pairs, not both",
                    start.span,
                )
            if not self.accept(","):
                break
        self.expect("]", "after the annotation's body")
        span = self.since(first)
        if pairs:
            made = ast.Annotation(span, name, pairs=pairs)
        else:
            made = ast.Annotation(span, name, expressions=expressions)
        self.structured.append(made)
        return made

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
        return token.kind in BASE_TYPES

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


def _literals(tokens: list[Token]) -> tuple[str | int, ...]:
    """Values of a comma-separated list of literals or lone identifiers; else nothing."""
    found: list[str | int] = []
    group: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and token.kind != ",":
            group.append(token)
            continue
        if not group:
            break
        if all(t.kind == STRING for t in group):
            found.append("".join(parse_string(t.text) for t in group))
        elif len(group) == 1 and group[0].kind == INT and len(group[0].text) < MAX_DIGITS:
            found.append(parse_int(group[0].text)[0])
        elif len(group) == 2 and group[0].kind == "-" and group[1].kind == INT:
            found.append(-parse_int(group[1].text[:MAX_DIGITS])[0])
        elif len(group) == 1 and group[0].kind == IDENT:
            found.append(group[0].text)
        else:
            return ()
        group = []
    return tuple(found)
