"""Annotations."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.syntax.cursor import SyntaxFailure
from p4embed.compiler.syntax.keyset_parser import KeysetParser
from p4embed.compiler.syntax.lexer import (
    END,
    ERROR,
    IDENT,
    INT,
    MAX_DIGITS,
    STRING,
    Token,
    parse_int,
    parse_string,
)

_OPENING = {"(": ")", "[": "]", "{": "}"}
_WITH_NUMBERS = frozenset(("field_list",))


class AnnotationParser(KeysetParser):
    """The notes in front of declarations, statements and the like."""

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
