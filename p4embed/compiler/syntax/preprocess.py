"""The preprocessor: includes, macros and conditional groups, on tokens.

It works on tokens rather than on text, so every token keeps the place its author wrote
it at, and nothing is scanned twice. It does what users of `cpp` expect: #include,
#define with and without parameters (`#`, `##` and variadic ones included), #undef, #if
with `defined`, #ifdef, #ifndef, #elif, #else, #endif, #error, #warning; #line and
#pragma are read and ignored.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from p4embed.compiler.diagnostics import Diagnostics, Note, SourceFile, Span, did_you_mean
from p4embed.compiler.syntax.lexer import END, ERROR, IDENT, INT, STRING, Token, tokenize
from p4embed.compiler.syntax.macros import Expander, Macro, MacroError

INCLUDE_DIRECTORY = Path(__file__).parent.parent / "include"
"""Where `core.p4` and `v1model.p4` lie."""

MAX_INCLUDE_DEPTH = 100
"""Deeper nesting than this is taken for a file that includes itself."""


@dataclass(frozen=True, slots=True)
class PreprocessorOptions:
    """What the command line says to the preprocessor."""

    include_paths: tuple[str, ...] = ()
    """Searched in order, after the including file's directory for `#include "..."`; the
    compiler's own include directory comes last."""
    defines: tuple[str, ...] = ()
    """`NAME` or `NAME=value`, as after -D."""
    undefines: tuple[str, ...] = ()
    """As after -U."""


def preprocess(
    path: str, options: PreprocessorOptions, diagnostics: Diagnostics
) -> list[Token] | None:
    """Tokens of the file and of all it includes, ending in an END token.

    None, and a diagnostic without a place, if `path` itself cannot be read.
    """
    try:
        source = read_source(path)
    except OSError as error:
        diagnostics.error(f"cannot read '{path}': {error.strerror or error}", None)
        return None
    return preprocess_source(source, options, diagnostics)


def preprocess_source(
    source: SourceFile, options: PreprocessorOptions, diagnostics: Diagnostics
) -> list[Token]:
    """As `preprocess`, for text that is already read."""
    run = _Preprocessor(options, diagnostics)
    run.file(source, 0)
    length = len(source.text)
    last = len(source.text.rstrip())
    run.output.append(Token(END, "", source, min(last, length), min(last, length), True))
    return run.output


def read_source(path: str, *, system: bool = False) -> SourceFile:
    """Raises OSError if it cannot. Bytes that are not UTF-8 do no harm in comments; elsewhere
    the character that stands for them is unknown to the parser."""
    text = Path(path).read_bytes().decode("utf-8-sig", errors="replace")
    return SourceFile(path, text, system=system)


@dataclass(slots=True)
class _Group:
    """One open #if."""

    opened: Token
    active: bool
    """Whether this branch's text counts."""
    taken: bool
    """Whether some branch has counted already."""
    outer: bool
    """Whether the text around counts."""
    has_else: bool = False


@dataclass(slots=True)
class _Preprocessor:
    options: PreprocessorOptions
    diagnostics: Diagnostics
    macros: dict[str, Macro] = field(default_factory=dict)
    output: list[Token] = field(default_factory=list)
    expander: Expander = field(init=False)
    cache: dict[str, SourceFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.expander = Expander(self.macros)
        for text in self.options.defines:
            name, equals, value = text.partition("=")
            source = SourceFile("<command line>", value if equals else "1")
            self.macros[name] = Macro(name, tokenize(source), None, False)
        for name in self.options.undefines:
            self.macros.pop(name, None)

    def error(self, message: str, span: Span, *notes: Note | str) -> None:
        self.diagnostics.error(message, span, *notes)

    def file(self, source: SourceFile, depth: int) -> None:
        """Append the tokens of `source`."""
        tokens = tokenize(source)
        groups: list[_Group] = []
        active = True
        pending: list[Token] = []
        at, count = 0, len(tokens)
        while at < count:
            token = tokens[at]
            if token.kind != "#" or not token.first:
                if active:
                    pending.append(token)
                at += 1
                continue
            end = at + 1
            while end < count and not tokens[end].first:
                end += 1
            line = tokens[at + 1 : end]
            at = end
            if not line:
                continue
            name = line[0].text
            if name in _CONDITIONALS:
                if pending:
                    self.flush(pending)
                    pending = []
                _CONDITIONALS[name](self, line, groups)
                active = not groups or groups[-1].active
            elif active:
                self.flush(pending)
                pending = []
                self.directive(token, line, source, depth)
        self.flush(pending)
        for group in groups:
            self.error("#if without its #endif", group.opened.span)

    def flush(self, tokens: list[Token]) -> None:
        """Expand the macros in `tokens` and pass the result on."""
        if self.macros and any(t.kind == IDENT and t.text in self.macros for t in tokens):
            try:
                tokens = self.expander.expand(tokens)
            except MacroError as error:
                self.error(error.message, error.span)
        self.output.extend(tokens)

    # --- directives with an effect beyond their line -------------------------------

    def directive(self, hash_: Token, line: list[Token], source: SourceFile, depth: int) -> None:
        name = line[0].text
        match name:
            case "include":
                self.include(line, source, depth)
            case "define":
                self.define(line)
            case "undef":
                target = self.macro_name(line)
                if target is not None:
                    self.macros.pop(target.text, None)
            case "error" | "warning":
                text = source.text[line[0].end : line[-1].end].strip()
                if name == "error":
                    self.error(f"#error {text}", hash_.span.to(line[-1].span))
                else:
                    self.diagnostics.warning(f"#warning {text}", hash_.span.to(line[-1].span))
            case "line" | "pragma" | "ident":
                pass
            case _ if line[0].kind == INT:
                pass  # a line marker left by another preprocessor
            case _:
                self.error(
                    f"unknown preprocessor directive '#{name}'",
                    line[0].span,
                    *did_you_mean(name, _KNOWN),
                )

    def macro_name(self, line: list[Token]) -> Token | None:
        """The name after #define, #ifdef and their kin."""
        if len(line) < 2 or not (line[1].text[:1].isalpha() or line[1].text[:1] == "_"):
            place = line[1] if len(line) > 1 else line[0]
            self.error(f"#{line[0].text} needs the name of a macro", place.span)
            return None
        return line[1]

    def define(self, line: list[Token]) -> None:
        name = self.macro_name(line)
        if name is None:
            return
        body = line[2:]
        parameters: list[str] | None = None
        variadic = False
        # A parameter list's parenthesis touches the name.
        if body and body[0].kind == "(" and body[0].start == name.end:
            parameters = []
            at = 1
            while at < len(body) and body[at].kind != ")":
                token = body[at]
                if token.kind == "...":
                    variadic = True
                    parameters.append("__VA_ARGS__")
                elif token.text[:1].isalpha() or token.text[:1] == "_":
                    parameters.append(token.text)
                elif token.kind != ",":
                    self.error("macro parameters are names separated by commas", token.span)
                    return
                at += 1
            if at >= len(body):
                self.error("parameter list without its closing ')'", body[0].span)
                return
            body = body[at + 1 :]
        self.macros[name.text] = Macro(name.text, body, parameters, variadic)

    def include(self, line: list[Token], source: SourceFile, depth: int) -> None:
        rest = line[1:]
        if rest and rest[0].kind == IDENT:
            rest = self.expander.expand(rest)
        if rest and rest[0].kind == STRING:
            wanted, quoted = rest[0].text[1:-1], True
        elif len(rest) >= 3 and rest[0].kind == "<" and rest[-1].kind == ">":
            wanted = rest[0].source.text[rest[0].end : rest[-1].start].strip()
            quoted = False
        else:
            place = rest[0] if rest else line[0]
            self.error('#include needs "file" or <file>', place.span)
            return
        span = rest[0].span.to(rest[-1].span)
        if depth >= MAX_INCLUDE_DEPTH:
            self.error(f"includes nested more than {MAX_INCLUDE_DEPTH} deep", span)
            return
        found = self.find(wanted, quoted, source)
        if found is None:
            directories = self.search_path(quoted, source)
            self.error(
                f"cannot find included file '{wanted}'",
                span,
                f"searched in {', '.join(directories)}" if directories else "no place to search",
            )
            return
        if found not in self.cache:
            try:
                system = Path(found).parent == INCLUDE_DIRECTORY
                self.cache[found] = read_source(found, system=system)
            except OSError as error:
                self.error(f"cannot read '{found}': {error.strerror or error}", span)
                return
        self.file(self.cache[found], depth + 1)

    def search_path(self, quoted: bool, source: SourceFile) -> list[str]:
        own = [os.path.dirname(source.path) or "."] if quoted else []
        return [*own, *self.options.include_paths, str(INCLUDE_DIRECTORY)]

    def find(self, wanted: str, quoted: bool, source: SourceFile) -> str | None:
        if os.path.isabs(wanted):
            return wanted if os.path.isfile(wanted) else None
        for directory in self.search_path(quoted, source):
            path = os.path.join(directory, wanted) if directory != "." else wanted
            if os.path.isfile(path):
                return path
        return None

    # --- conditional groups --------------------------------------------------------

    def open_group(self, line: list[Token], groups: list[_Group]) -> None:
        outer = not groups or groups[-1].active
        value = False
        if outer:
            if line[0].text == "if":
                value = self.condition(line)
            else:
                name = self.macro_name(line)
                value = name is not None and (name.text in self.macros) == (line[0].text == "ifdef")
        groups.append(_Group(line[0], outer and value, value, outer))

    def else_group(self, line: list[Token], groups: list[_Group]) -> None:
        if not groups:
            self.error(f"#{line[0].text} without an #if", line[0].span)
            return
        group = groups[-1]
        if group.has_else:
            self.error(f"#{line[0].text} after #else", line[0].span)
        if line[0].text == "else":
            group.has_else = True
            group.active = group.outer and not group.taken
            group.taken = True
            return
        if group.taken or not group.outer:
            group.active = False
            return
        group.active = group.taken = self.condition(line)

    def end_group(self, line: list[Token], groups: list[_Group]) -> None:
        if groups:
            groups.pop()
        else:
            self.error("#endif without an #if", line[0].span)

    def condition(self, line: list[Token]) -> bool:
        """Value of the expression after #if or #elif; False after an error."""
        try:
            return self.expander.condition(line[0], line[1:]) != 0
        except MacroError as error:
            self.error(error.message, error.span)
            return False


_Handler = Callable[[_Preprocessor, list[Token], list[_Group]], None]
_CONDITIONALS: dict[str, _Handler] = {
    "if": _Preprocessor.open_group,
    "ifdef": _Preprocessor.open_group,
    "ifndef": _Preprocessor.open_group,
    "elif": _Preprocessor.else_group,
    "else": _Preprocessor.else_group,
    "endif": _Preprocessor.end_group,
}
_KNOWN = (*_CONDITIONALS, "include", "define", "undef", "error", "warning", "line", "pragma")


def render(tokens: list[Token]) -> str:
    """The preprocessed program as text, one line per source line that left a token."""
    lines: list[list[str]] = []
    for token in tokens:
        if token.kind in (END, ERROR):
            continue
        if token.first or not lines:
            lines.append([])
        lines[-1].append(token.text)
    return "".join(" ".join(line) + "\n" for line in lines)
