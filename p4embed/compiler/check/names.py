"""Declared names: scopes, look-up, and diagnostics about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from p4embed.compiler import ast
from p4embed.compiler.check.scope import Frame, Names, Scope
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, Note, Span, did_you_mean


class NameChecker:
    """Keeps the scopes and resolves names; the base of the other checkers."""

    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        self.checked = checked
        self.diagnostics = diagnostics
        self.names = Names()
        self.frame = Frame()

    # --- diagnostics ---------------------------------------------------------------

    def error(self, message: str, where: ast.Node | Span, *notes: Note | str) -> None:
        """Record an error."""
        span = where.span if isinstance(where, ast.Node) else where
        self.diagnostics.error(message, span, *notes)

    def warning(self, message: str, where: ast.Node | Span, *notes: Note | str) -> None:
        """Record a warning; never about the compiler's own includes."""
        span = where.span if isinstance(where, ast.Node) else where
        if not span.source.system:
            self.diagnostics.warning(message, span, *notes)

    # --- scopes --------------------------------------------------------------------

    @contextmanager
    def scope(self) -> Iterator[Scope]:
        """A new innermost scope."""
        outer = self.names.current
        self.names.current = Scope(outer)
        try:
            yield self.names.current
        finally:
            self.names.current = outer

    @contextmanager
    def inside(self, frame: Frame) -> Iterator[None]:
        """Checks what is in that frame."""
        outer = self.frame
        self.frame = frame
        try:
            yield
        finally:
            self.frame = outer

    @contextmanager
    def unfinished(self, name: str) -> Iterator[None]:
        """`name` is being declared and cannot be used yet."""
        self.names.unfinished.append(name)
        try:
            yield
        finally:
            self.names.unfinished.pop()

    def declare(self, declaration: ast.Declaration) -> None:
        """Make the name known from here on; a second meaning in one scope is an error."""
        scope = self.names.current
        existing = scope.names.get(declaration.name)
        if existing is None:
            scope.names[declaration.name] = [declaration]
            return
        signature = _signature(declaration)
        if signature is None or any(_signature(e) in (None, signature) for e in existing):
            self.error(
                f"'{declaration.name}' is declared twice in the same scope",
                declaration.name_span,
                Note("declared here first", existing[0].name_span),
            )
            return
        existing.append(declaration)

    def find(self, name: str, span: Span, absolute: bool, what: str) -> list[ast.Declaration]:
        """Declarations of a name that is used; empty after reporting that there is none."""
        scope = self.names.globals if absolute else self.names.current
        found = scope.lookup(name)
        if found:
            return found
        if name in self.names.unfinished:
            self.error(
                f"'{name}' is used inside its own declaration",
                span,
                "P4 has no recursion",
            )
            return []
        self.error(f"{what} '{name}' is not declared", span, *did_you_mean(name, scope.visible()))
        return []


def _signature(declaration: ast.Declaration) -> tuple[str, ...] | None:
    """What tells overloads apart; None for what cannot be overloaded."""
    match declaration:
        case (
            ast.MethodDeclaration(parameters=parameters)
            | ast.FunctionDeclaration(parameters=parameters)
            | ast.PackageDeclaration(parameters=parameters)
            | ast.ParserDeclaration(constructor_parameters=parameters)
            | ast.ControlDeclaration(constructor_parameters=parameters)
        ):
            return (type(declaration).__name__, *(p.name for p in parameters))
    return None
