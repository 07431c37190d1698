"""Macro expansion and the arithmetic of `#if` (as in C, ISO 9899 section 6.10)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from p4embed.compiler.diagnostics import SourceFile, Span
from p4embed.compiler.syntax.lexer import IDENT, INT, KEYWORDS, STRING, Token, parse_int, tokenize

MAX_EXPANSION = 100_000
"""Tokens that one stretch of text may expand to."""


class MacroError(Exception):
    """A macro used wrongly."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro; `parameters` is None for one without a parameter list."""

    name: str
    body: list[Token]
    parameters: list[str] | None
    variadic: bool


_Item = tuple[Token, frozenset[str]]
_NONE: frozenset[str] = frozenset()


class Expander:
    """Expands macros; `macros` is shared with the preprocessor, which changes it."""

    def __init__(self, macros: dict[str, Macro]) -> None:
        self.macros = macros

    def expand(self, tokens: list[Token]) -> list[Token]:
        """`tokens` with all macros expanded; each result has its macro's use as its place."""
        return [token for token, _ in self._expand([(t, _NONE) for t in tokens])]

    def _expand(self, items: list[_Item]) -> list[_Item]:
        stack = items[::-1]
        out: list[_Item] = []
        macros = self.macros
        budget = MAX_EXPANSION
        while stack:
            item = stack.pop()
            token, hidden = item
            macro = macros.get(token.text) if token.kind == IDENT else None
            if macro is None or macro.name in hidden:
                out.append(item)
                continue
            if macro.parameters is None:
                body = self._substitute(macro, {}, {}, token, hidden)
            else:
                if not stack or stack[-1][0].kind != "(":
                    out.append(item)
                    continue
                arguments = self._arguments(macro, token, stack)
                expanded = {name: self._expand(list(a)) for name, a in arguments.items()}
                body = self._substitute(macro, arguments, expanded, token, hidden)
            budget -= len(body) + 1
            if budget < 0:
                raise MacroError(f"macro '{macro.name}' expands to too much text", token.span)
            stack.extend(reversed(body))
        return out

    def _arguments(self, macro: Macro, use: Token, stack: list[_Item]) -> dict[str, list[_Item]]:
        """Take the parenthesised arguments off the stack."""
        assert macro.parameters is not None
        stack.pop()
        depth = 0
        arguments: list[list[_Item]] = [[]]
        while True:
            if not stack:
                raise MacroError(f"use of macro '{macro.name}' lacks its ')'", use.span)
            item = stack.pop()
            kind = item[0].kind
            if kind == ")" and depth == 0:
                break
            if kind in ("(", "["):
                depth += 1
            elif kind in (")", "]"):
                depth -= 1
            last_is_open = macro.variadic and len(arguments) == len(macro.parameters)
            if kind == "," and depth == 0 and not last_is_open:
                arguments.append([])
            else:
                arguments[-1].append(item)
        wanted = len(macro.parameters)
        if wanted == 0 and arguments == [[]]:
            return {}
        if macro.variadic and len(arguments) == wanted - 1:
            arguments.append([])
        if len(arguments) != wanted:
            raise MacroError(
                f"macro '{macro.name}' takes {wanted} arguments, not {len(arguments)}", use.span
            )
        return dict(zip(macro.parameters, arguments, strict=True))

    def _substitute(
        self,
        macro: Macro,
        raw: dict[str, list[_Item]],
        expanded: dict[str, list[_Item]],
        use: Token,
        hidden: frozenset[str],
    ) -> list[_Item]:
        """The macro's body with its arguments in place, placed at `use`."""
        hide = hidden | {macro.name}
        out: list[_Item] = []
        body = macro.body
        at = 0
        paste = False
        while at < len(body):
            token = body[at]
            if token.kind == "##" and out and at + 1 < len(body):
                paste = True
                at += 1
                continue
            if token.kind == "#" and at + 1 < len(body) and body[at + 1].text in raw:
                spelled = " ".join(t.text for t, _ in raw[body[at + 1].text])
                quoted = spelled.replace("\\", "\\\\").replace('"', '\\"')
                piece: list[_Item] = [(_placed(STRING, f'"{quoted}"', use), hide)]
                at += 1
            elif token.text in raw:
                pasted = paste or (at + 1 < len(body) and body[at + 1].kind == "##")
                source = raw if pasted else expanded
                # Argument tokens keep their own places: they were written at the use.
                piece = [(t, h | hide if pasted else h) for t, h in source[token.text]]
            else:
                piece = [(_placed(token.kind, token.text, use), hide)]
            if paste:
                paste = False
                if piece and out:
                    left, _ = out.pop()
                    out.extend((t, hide) for t in _paste(left, piece[0][0], use))
                    piece = piece[1:]
            out.extend(piece)
            at += 1
        return out

    # --- #if -----------------------------------------------------------------------

    def condition(self, directive: Token, tokens: list[Token]) -> int:
        """Value of the expression after #if."""
        resolved: list[Token] = []
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.text != "defined":
                resolved.append(token)
                at += 1
                continue
            group = tokens[at + 1 : at + 4]
            if len(group) == 3 and group[0].kind == "(" and group[2].kind == ")":
                name, at = group[1], at + 4
            elif group and group[0].kind != "(":
                name, at = group[0], at + 2
            else:
                raise MacroError("'defined' needs the name of a macro", token.span)
            resolved.append(_placed(INT, str(int(name.text in self.macros)), token))
        expression = _Condition(self.expand(resolved), directive)
        value = expression.ternary()
        expression.finish()
        return value


def _placed(kind: str, text: str, use: Token) -> Token:
    return Token(kind, text, use.source, use.start, use.end, False)


def _paste(left: Token, right: Token, use: Token) -> list[Token]:
    made = tokenize(SourceFile("<pasted>", left.text + right.text))
    return [_placed(t.kind, t.text, use) for t in made]


def _divide(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_BINARY: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: int(bool(a or b))},
    {"&&": lambda a, b: int(bool(a and b))},
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {"==": operator.eq, "!=": operator.ne},
    {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge},
    {"<<": lambda a, b: a << min(max(b, 0), 64), ">>": lambda a, b: a >> min(max(b, 0), 64)},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divide, "%": lambda a, b: a - b * _divide(a, b)},
)

MAX_NESTING = 100


class _Condition:
    """Recursive descent over an #if expression; unknown names are 0."""

    def __init__(self, tokens: list[Token], directive: Token) -> None:
        self.tokens = tokens
        self.directive = directive
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        """Text of the next token; `>` `>` in a row read as the shift they are in C."""
        if self.at >= len(self.tokens):
            return ""
        token = self.tokens[self.at]
        if token.kind == ">" and self.at + 1 < len(self.tokens):
            after = self.tokens[self.at + 1]
            if after.kind == ">" and after.start == token.end:
                return ">>"
        return token.text

    def take(self, text: str) -> bool:
        if self.peek() != text:
            return False
        self.at += 2 if text == ">>" else 1
        return True

    def fail(self, message: str) -> MacroError:
        place = self.tokens[self.at] if self.at < len(self.tokens) else self.directive
        return MacroError(message, place.span)

    def finish(self) -> None:
        """Nothing may follow the expression."""
        if self.at < len(self.tokens):
            raise self.fail(f"unexpected '{self.peek()}' in the condition of #if")

    def ternary(self) -> int:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail("condition of #if is nested too deeply")
        value = self.binary(0)
        if self.take("?"):
            then = self.ternary()
            if not self.take(":"):
                raise self.fail("expected ':' in the condition of #if")
            otherwise = self.ternary()
            value = then if value else otherwise
        self.depth -= 1
        return value

    def binary(self, level: int) -> int:
        if level == len(_BINARY):
            return self.unary()
        value = self.binary(level + 1)
        while (apply := _BINARY[level].get(op := self.peek())) is not None:
            place = self.at
            self.take(op)
            right = self.binary(level + 1)
            if right == 0 and op in "/%":
                self.at = place
                raise self.fail("division by zero in the condition of #if")
            value = int(apply(value, right))
        return value

    def unary(self) -> int:
        signs: list[str] = []
        while (sign := self.peek()) in ("!", "-", "+", "~"):
            self.take(sign)
            signs.append(sign)
        value = self.primary()
        for sign in reversed(signs):
            value = {"!": int(not value), "-": -value, "+": value, "~": ~value}[sign]
        return value

    def primary(self) -> int:
        if self.at >= len(self.tokens):
            raise self.fail("condition of #if ends where a value is needed")
        token = self.tokens[self.at]
        if token.kind == INT:
            self.at += 1
            following = self.tokens[min(self.at, len(self.tokens) - 1)]
            # C's suffixes (1L, 1u) read as a name that touches the number.
            touches = following.start == token.end
            if touches and following.kind == IDENT and set(following.text) <= set("uUlL"):
                self.at += 1
            return parse_int(token.text)[0]
        if token.kind == IDENT or token.kind in KEYWORDS:
            self.at += 1
            return 1 if token.text == "true" else 0
        if self.take("("):
            value = self.ternary()
            if not self.take(")"):
                raise self.fail("expected ')' in the condition of #if")
            return value
        raise self.fail(f"unexpected '{token.text}' in the condition of #if")
