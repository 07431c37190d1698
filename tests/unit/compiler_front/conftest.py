"""Ways into the front end that the tests share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import Enum

import pytest

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, SourceFile
from p4embed.compiler.frontend import load_source
from p4embed.compiler.syntax.parser import parse
from p4embed.compiler.syntax.preprocess import PreprocessorOptions, preprocess_source

_SKIPPED = {"span", "name_span", "member_span", "match_kind_span", "state_span", "target_span"}


def show(value: object) -> str:
    """A node as `Class(parts...)`, without places and without what is empty."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list | tuple):
        return f"[{', '.join(show(v) for v in value)}]"
    if not dataclasses.is_dataclass(value):
        return str(value)
    parts = []
    for field in dataclasses.fields(value):
        part = getattr(value, field.name)
        empty = part is None or part is False or part == [] or part == ()
        if field.name not in _SKIPPED and not empty:
            parts.append(show(part))
    return f"{type(value).__name__}({', '.join(parts)})" if parts else type(value).__name__


def _parse(text: str) -> ast.Program:
    diagnostics = Diagnostics()
    tokens = preprocess_source(SourceFile("test.p4", text), PreprocessorOptions(), diagnostics)
    program = parse(tokens, diagnostics)
    assert not diagnostics.items, diagnostics.render()
    return program


@pytest.fixture
def parsed() -> Callable[[str], str]:
    """Shown form of the last declaration in a text without syntax errors."""
    return lambda text: show(_parse(text).declarations[-1])


@pytest.fixture
def parsed_expression() -> Callable[..., str]:
    """Shown form of an expression; `before` are declarations that it needs."""

    def run(text: str, before: str = "") -> str:
        declaration = _parse(f"{before} const bit x = {text};").declarations[-1]
        assert isinstance(declaration, ast.ConstantDeclaration)
        return show(declaration.value)

    return run


def _write(value: object) -> str:
    match value:
        case ast.Binary(op=op, left=left, right=right):
            return f"({_write(left)} {op} {_write(right)})"
        case ast.Unary(op=op, operand=operand):
            return f"({op}{_write(operand)})"
        case ast.Ternary(condition=condition, then=then, otherwise=otherwise):
            return f"({_write(condition)} ? {_write(then)} : {_write(otherwise)})"
        case ast.Cast(type=type_, operand=operand):
            return f"(({_write(type_)}){_write(operand)})"
        case ast.Slice(base=base, high=high, low=low):
            return f"{_write(base)}[{_write(high)}:{_write(low)}]"
        case ast.Call(callee=callee, type_arguments=types, arguments=arguments):
            given = ", ".join(_write(a.value) for a in arguments)
            return f"{_write(callee)}<{', '.join(map(_write, types))}>({given})"
        case ast.SpecializedType(base=base_type, arguments=types):
            return f"{_write(base_type)}<{', '.join(map(_write, types))}>"
        case ast.BaseType(keyword=keyword, width=width):
            return f"{keyword}<{_write(width)}>"
        case ast.PathExpression(name=name) | ast.TypeName(name=name):
            return name
        case ast.IntLiteral(value=number):
            return str(number)
    raise AssertionError(value)


@pytest.fixture
def written() -> Callable[..., str]:
    """An expression with all its parentheses, as it was understood."""

    def run(text: str, before: str = "") -> str:
        declaration = _parse(f"{before} const bit x = {text};").declarations[-1]
        assert isinstance(declaration, ast.ConstantDeclaration)
        return _write(declaration.value)

    return run


@pytest.fixture
def parsed_statements() -> Callable[..., list[str]]:
    """Shown forms of the statements in a control's apply block."""

    def run(text: str, before: str = "") -> list[str]:
        declaration = _parse(f"{before} control c() {{ apply {{ {text} }} }}").declarations[-1]
        assert isinstance(declaration, ast.ControlDeclaration)
        return [show(s) for s in declaration.body.statements]

    return run


@pytest.fixture
def checked() -> Callable[[str], CheckedProgram]:
    """A program that has to be correct, checked."""

    def run(text: str) -> CheckedProgram:
        diagnostics = Diagnostics()
        result = load_source(SourceFile("test.p4", text), PreprocessorOptions(), diagnostics)
        assert result is not None, diagnostics.render()
        return result

    return run


@pytest.fixture
def errors() -> Callable[[str], list[str]]:
    """`line: message` of each error in a program, in order of their places."""

    def run(text: str) -> list[str]:
        diagnostics = Diagnostics()
        load_source(SourceFile("test.p4", text), PreprocessorOptions(), diagnostics)
        found = [d for d in diagnostics if d.severity.value == "error"]
        assert all(d.span is not None for d in found)
        placed = sorted((d.span.line, d.message) for d in found if d.span is not None)
        return [f"{line}: {message}" for line, message in placed]

    return run


@pytest.fixture
def rendered() -> Callable[[str], str]:
    """All diagnostics of a program as the user sees them."""

    def run(text: str) -> str:
        diagnostics = Diagnostics()
        load_source(SourceFile("test.p4", text), PreprocessorOptions(), diagnostics)
        return diagnostics.render()

    return run
