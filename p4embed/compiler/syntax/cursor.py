"""What all parts of the parser share: the token cursor, scopes of type names, recovery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from p4embed.compiler import ast
from p4embed.compiler.diagnostics import Diagnostics, Note, Span
from p4embed.compiler.syntax.lexer import END, ERROR, IDENT, KEYWORDS, Token, describe, unlexable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NESTING = 150
"""Expressions, types and statements nested deeper than this are refused."""

Result = TypeVar("Result")


class SyntaxFailure(Exception):
    """The input does not fit; whoever recovers from it records the diagnostic."""

    def __init__(self, message: str, span: Span, *notes: Note | str) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.notes = notes


class Cursor:
    """A position in the token list, with the names that are types in scope there.

    P4's grammar needs to know whether a name is a type: `(x) - y` is a cast or a
    difference. Names are declared as the parser passes their declarations.
    """

    def __init__(self, tokens: list[Token], diagnostics: Diagnostics) -> None:
        """`tokens` end in an END token."""
        self.tokens = tokens
        self.diagnostics = diagnostics
        self.at = 0
        self.token = tokens[0]
        self.depth = 0
        self.scopes: list[dict[str, bool]] = [{}]
        self.structured: list[ast.Annotation] = []

    # --- tokens --------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """Kind of the current token."""
        return self.token.kind

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` of the current one; the END token beyond the end."""
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else self.tokens[-1]

    def advance(self) -> Token:
        """Take the current token, whatever it is."""
        token = self.token
        if token.kind != END:
            self.at += 1
            self.token = self.tokens[self.at]
        return token

    def accept(self, kind: str) -> bool:
        """Take the current token if it is of that kind."""
        if self.token.kind != kind:
            return False
        self.at += 1
        self.token = self.tokens[self.at]
        return True

    def at_word(self, word: str) -> bool:
        """Whether the current token is a word that means something in its place only, such as
        `actions`."""
        return self.token.kind == IDENT and self.token.text == word

    def expect(self, kind: str, where: str) -> Token:
        """Take a token of that kind; `where` ends the sentence "expected ';' ..."."""
        if self.token.kind != kind:
            if kind == ";" and (self.token.first or self.token.kind == "}"):
                # Forgotten at the end of a line: report it, and go on as if it were there.
                self.record(self.fail(f"expected ';' {where}"))
                return self.token
            shown = kind if kind in (IDENT, END) else f"'{kind}'"
            raise self.fail(f"expected {shown} {where}")
        return self.advance()

    def expect_name(self, what: str) -> Token:
        """Take an identifier that names `what`."""
        if self.token.kind != IDENT:
            if self.token.kind in KEYWORDS:
                shown = f"'{self.token.text}' is a reserved word"
                raise self.fail(f"expected {what}, but {shown}", found=False)
            raise self.fail(f"expected {what}")
        return self.advance()

    def fail(self, message: str, *notes: Note | str, found: bool = True) -> SyntaxFailure:
        """The failure to raise to give up at the current token."""
        token = self.token
        if token.kind == ERROR:
            return SyntaxFailure(unlexable(token), token.span)
        if found:
            message = f"{message}, found {describe(token)}"
        # What is missing is missing after the token before, not at the next line's start.
        span = token.span
        if message.startswith("expected ';'") and token.first and self.at > 0:
            before = self.tokens[self.at - 1]
            if before.source is token.source:
                span = Span(before.source, before.end, before.end)
        return SyntaxFailure(message, span, *notes)

    def attempt(self, parse: Callable[[], Result]) -> Result | None:
        """The result of `parse`, or None with the cursor back where it was."""
        at, depth = self.at, self.depth
        try:
            return parse()
        except SyntaxFailure:
            self.at, self.depth = at, depth
            self.token = self.tokens[at]
            return None

    def since(self, first: Token) -> Span:
        """From `first` to the last token taken."""
        last = self.tokens[self.at - 1] if self.at else first
        span = first.span
        if last.source is first.source and last.end > first.end:
            span.end = last.end
        return span

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Guards against input nested so deeply that recursion would run out."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail(f"nested more than {MAX_NESTING} deep", found=False)
        try:
            yield
        finally:
            self.depth -= 1

    # --- recovery ------------------------------------------------------------------

    def record(self, failure: SyntaxFailure) -> None:
        """Turn a failure into a diagnostic."""
        self.diagnostics.error(failure.message, failure.span, *failure.notes)

    def skip_construct(self, *, start: int) -> None:
        """After a failure: go behind the `;` or the balanced `{...}` that ends the construct
        begun at token `start`, or stop before the `}` that encloses it."""
        # Braces the failed construct had opened by now have to be closed again.
        depth = 0
        for token in self.tokens[start : self.at]:
            if token.kind == "{":
                depth += 1
            elif token.kind == "}":
                depth -= 1
        depth = max(depth, 0)
        while self.token.kind != END:
            kind = self.token.kind
            if kind == "{":
                depth += 1
            elif kind == "}":
                if depth == 0:
                    return
                depth -= 1
                if depth == 0:
                    self.advance()
                    return
            elif kind == ";" and depth == 0:
                self.advance()
                return
            self.advance()

    def members(self, item: Callable[[], None], what: str) -> Token:
        """Items up to the closing brace, which is taken and returned; each failing item is
        reported and skipped."""
        while self.token.kind != "}":
            if self.token.kind == END:
                raise self.fail(f"expected '}}' at the end of {what}")
            start = self.at
            scopes = len(self.scopes)
            depth = self.depth
            try:
                item()
            except SyntaxFailure as failure:
                self.record(failure)
                del self.scopes[scopes:]
                self.depth = depth
                self.skip_construct(start=start)
                if self.at == start and self.token.kind != "}":
                    self.advance()
        return self.advance()

    # --- names ---------------------------------------------------------------------

    def declare(self, name: str, *, is_type: bool) -> None:
        """Note in the innermost scope what `name` is."""
        self.scopes[-1][name] = is_type

    def is_type(self, name: str) -> bool:
        """Whether `name` is a type here."""
        for scope in reversed(self.scopes):
            found = scope.get(name)
            if found is not None:
                return found
        return False

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Names declared within are forgotten at the end."""
        self.scopes.append({})
        count = len(self.scopes)
        try:
            yield
        finally:
            del self.scopes[count - 1 :]
