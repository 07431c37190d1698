"""Text to tokens: one regular expression over the whole file.

Tokens know the file and offset they were written at, and whether they are the first
of their line, which is all the preprocessor needs to find its directives. Characters
that start no token become tokens of kind ERROR, so that text in a skipped `#if` group
may be anything; whoever meets one reports it.
"""

from __future__ import annotations

import re

from p4embed.compiler.diagnostics import SourceFile, Span

IDENT = "identifier"
INT = "integer"
STRING = "string literal"
ERROR = "error token"
END = "end of file"

KEYWORDS = frozenset(
    (
        *("abstract", "action", "bit", "bool", "break", "const", "continue", "control"),
        *("default", "else", "enum", "error", "exit", "extern", "false", "for", "header"),
        *("header_union", "if", "in", "inout", "int", "match_kind", "out", "package"),
        *("parser", "return", "select", "string", "struct", "switch", "table", "this"),
        *("transition", "true", "tuple", "typedef", "value_set", "varbit", "void", "_"),
    )
)
"""Reserved words. Others (`actions`, `apply`, `entries`, `key`, `list`, `priority`, `state`,
`type`) have a meaning in their places only and are identifiers everywhere."""


class Token:
    """One token; `kind` is the text itself for keywords and operators."""

    __slots__ = ("end", "first", "kind", "source", "start", "text")

    def __init__(
        self, kind: str, text: str, source: SourceFile, start: int, end: int, first: bool
    ) -> None:
        self.kind = kind
        self.text = text
        self.source = source
        self.start = start
        self.end = end
        self.first = first
        """Whether it is the first of its line."""

    @property
    def span(self) -> Span:
        """Where it was written; for a token out of a macro, where that was used."""
        return Span(self.source, self.start, self.end)

    def __repr__(self) -> str:
        return f"Token({self.kind!r}, {self.text!r})"


_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\f\v\r]+ | \\\r?\n )
    | (?P<line>    \n )
    | (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<open>    /\* )
    | (?P<ident>   [A-Za-z_][A-Za-z0-9_]* (?: \\\r?\n [A-Za-z0-9_]+ )* )
    | (?P<part>    [0-9]+[ws](?![A-Za-z0-9_]) )
    | (?P<int>     (?: [0-9]+[ws] )?
                   (?: 0[xX][0-9a-fA-F_]+ | 0[bB][01_]+ | 0[oO][0-7_]+ | 0[dD][0-9_]+
                     | [0-9][0-9_]* ) )
    | (?P<string>  "(?: [^"\\] | \\. )*" )
    | (?P<op>      \{\#\} | \.\.\. | \.\. | &&& | && | &= | <<= | << | <= | >= | == | != | \|\+\|=
                 | \|-\|= | \|\+\| | \|-\| | \|\| | \|= | \+\+ | \+= | \+: | -= | \*= | /= | %=
                 | \^= | \#\# | [-+*/%&|^~!<>=?:;,.@()\[\]{}\#] )
    | (?P<error>   . )
    """,
    re.VERBOSE | re.DOTALL,
)


_SPLICE = re.compile(r"\\\r?\n")


def tokenize(source: SourceFile) -> list[Token]:
    """All tokens of the file, without an end marker."""
    tokens: list[Token] = []
    append = tokens.append
    first = True
    keywords = KEYWORDS
    for match in _TOKEN.finditer(source.text):
        group = match.lastgroup
        if group == "space":
            continue
        start, end = match.span()
        if group == "line":
            first = True
            continue
        if group == "comment":
            # A comment over several lines ends one line and starts another.
            if not first and source.text.find("\n", start, end) >= 0:
                first = True
            continue
        text = match.group()
        if group == "ident":
            if "\\" in text:  # written over several lines
                text = _SPLICE.sub("", text)
            kind = text if text in keywords else IDENT
        elif group == "op":
            kind = text
        elif group == "int":
            kind = INT
        elif group == "string":
            kind = STRING
        else:  # an unknown character, or half an integer (which a macro may complete)
            kind = ERROR
        append(Token(kind, text, source, start, end, first))
        if group == "open":
            break  # the comment reaches to the end of the file
        first = False
    return tokens


def describe(token: Token) -> str:
    """The token as a message names it."""
    if token.kind == END:
        return "end of file"
    if token.kind == ERROR:
        return unlexable(token)
    if token.kind in (IDENT, INT, STRING):
        return f"{token.kind} {token.text}" if token.kind == STRING else f"'{token.text}'"
    return f"'{token.text}'"


def unlexable(token: Token) -> str:
    """What is wrong at an ERROR token."""
    if token.text == '"':
        return "string without its closing quote"
    if token.text == "/*":
        return "comment without its end */"
    if token.text[0].isdigit():
        return f"integer '{token.text}' has a width, but no value"
    shown = token.text if token.text.isprintable() else f"U+{ord(token.text[:1]):04X}"
    return f"unknown character '{shown}'"


MAX_DIGITS = 4000
"""Integer literals longer than this are refused: Python reads none much longer."""


def parse_int(text: str) -> tuple[int, int | None, bool]:
    """Value, width (None if not given) and signedness of an INT token's text.

    A value beyond its width is returned as written; the parser reports it.
    """
    width: int | None = None
    signed = False
    for mark in "ws":
        head, found, rest = text.partition(mark)
        if found:
            width, signed, text = int(head), mark == "s", rest
    digits = text.replace("_", "")
    prefix = digits[:2].lower()
    base = {"0x": 16, "0b": 2, "0o": 8, "0d": 10}.get(prefix)
    if base is None:
        return int(digits), width, signed
    return int(digits[2:] or "0", base), width, signed


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse_string(text: str) -> str:
    """The value of a STRING token's text."""
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    return _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), inner)
