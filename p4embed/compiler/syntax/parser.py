"""Tokens to a syntax tree: recursive descent over the grammar of P4_16.

This module has the top level, and builds on what parses the parts (see the package). A
construct in error is reported and skipped, and parsing goes on behind it.
"""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.diagnostics import Diagnostics, did_you_mean
from p4embed.compiler.syntax.block_parser import BlockParser
from p4embed.compiler.syntax.cursor import SyntaxFailure
from p4embed.compiler.syntax.lexer import END, IDENT, Token

TopLevel = ast.Declaration | ast.ErrorDeclaration | ast.MatchKindDeclaration

_DECLARATION_WORDS = (
    "action",
    "const",
    "control",
    "enum",
    "error",
    "extern",
    "header",
    "header_union",
    "match_kind",
    "package",
    "parser",
    "struct",
    "typedef",
    "type",
)


def parse(tokens: list[Token], diagnostics: Diagnostics) -> ast.Program:
    """Syntax tree of what `preprocess` gave; syntax errors become diagnostics."""
    return Parser(tokens, diagnostics).program()


class Parser(BlockParser):
    """The whole grammar."""

    def program(self) -> ast.Program:
        """All declarations up to the end of the input."""
        first = self.token
        found: list[TopLevel] = []
        while self.token.kind != END:
            if self.accept(";"):
                continue
            start = self.at
            try:
                found.extend(self.declaration())
            except SyntaxFailure as failure:
                self.record(failure)
                del self.scopes[1:]
                self.depth = 0
                if self.at == start:
                    self.advance()
                self.skip_construct(start=start)
                while self.token.kind == "}":
                    self.advance()
        return ast.Program(first.span, found, self.structured)

    def declaration(self) -> list[TopLevel]:
        """One top-level declaration; two if a typedef declares its struct as well."""
        annotations = self.annotations()
        first = self.token
        match first.kind:
            case "const":
                return [self.constant(annotations)]
            case "extern":
                return [self.extern(annotations)]
            case "action":
                return [self.action(annotations)]
            case "parser":
                return [self.parser(annotations)]
            case "control":
                return [self.control(annotations)]
            case "package":
                return [self.package(annotations)]
            case "struct" | "header" | "header_union":
                return [self.struct(annotations)]
            case "enum":
                return [self.enum(annotations)]
            case "typedef":
                return self.typedef(annotations)
            case "error" if self.peek().kind == "{":
                self.advance()
                members = self.identifiers("the errors")
                return [ast.ErrorDeclaration(self.since(first), members)]
            case "match_kind" if self.peek().kind == "{":
                self.advance()
                members = self.identifiers("the match kinds")
                return [ast.MatchKindDeclaration(self.since(first), members)]
        if self.at_word("type") and not self.is_type("type"):
            return self.typedef(annotations)
        if first.kind == IDENT and self.peek().kind == IDENT and not self.is_type(first.text):
            close = did_you_mean(first.text, _DECLARATION_WORDS)
            if close and self.peek(2).kind not in ("(", "<"):
                raise self.fail("expected a declaration", *close)
        if not self.at_type() and first.kind not in (IDENT, ".", "void"):
            raise self.fail("expected a declaration")
        type_ = self.type("a declaration")
        if self.token.kind == "(":
            return [self.instantiation(first, type_, annotations)]
        if self.token.kind == IDENT and self.peek().kind in (";", "="):
            raise SyntaxFailure(
                "a variable cannot be declared outside of controls, parsers and functions",
                first.span,
                "a constant can: const type name = value;",
            )
        return [self.function(first, type_, annotations)]

    # --- types ---------------------------------------------------------------------

    def struct(self, annotations: list[ast.Annotation]) -> ast.StructDeclaration:
        """`struct`, `header` or `header_union`."""
        first = self.advance()
        name = self.expect_name(f"the name of the {first.kind}")
        self.declare(name.text, is_type=True)
        fields: list[ast.StructField] = []
        with self.scope():
            type_parameters = self.type_parameters()
            self.expect("{", f"before the fields of the {first.kind}")
            self.members(lambda: fields.append(self.field()), f"the {first.kind}")
        return ast.StructDeclaration(
            self.since(first),
            name.text,
            name.span,
            annotations,
            first.kind,
            type_parameters,
            fields,
        )

    def field(self) -> ast.StructField:
        annotations = self.annotations()
        first = self.token
        type_ = self.type("the type of a field")
        name = self.expect_name("the name of the field")
        if self.token.kind == "[":
            raise self.fail(
                "expected ';' after the field", "a stack is written as: type[size] name;"
            )
        self.expect(";", "after the field")
        return ast.StructField(self.since(first), name.text, name.span, annotations, type_)

    def enum(self, annotations: list[ast.Annotation]) -> ast.EnumDeclaration:
        first = self.advance()
        underlying: ast.TypeNode | None = None
        if self.token.kind != IDENT or self.peek().kind == IDENT:
            underlying = self.type("the name of the enum or its underlying type")
        name = self.expect_name("the name of the enum")
        self.declare(name.text, is_type=True)
        members: list[ast.EnumMember] = []
        self.expect("{", "before the members of the enum")
        while self.token.kind != "}":
            own = self.annotations()
            start = self.expect_name("the name of an enum member")
            value: ast.Expression | None = None
            if self.token.kind == "=":
                if underlying is None:
                    raise self.fail(
                        f"only members of an enum with an underlying type have values: "
                        f"enum bit<8> {name.text} {{...}}",
                        found=False,
                    )
                self.advance()
                value = self.expression()
            elif underlying is not None:
                raise self.fail(f"expected '=' and a value for '{start.text}'")
            members.append(ast.EnumMember(self.since(start), start.text, start.span, own, value))
            if not self.accept(","):
                break
        self.expect("}", "after the members of the enum")
        return ast.EnumDeclaration(
            self.since(first), name.text, name.span, annotations, underlying, members
        )

    def identifiers(self, what: str) -> list[ast.EnumMember]:
        """`{ a, b }`"""
        self.expect("{", f"before {what}")
        members: list[ast.EnumMember] = []
        while self.token.kind != "}":
            annotations = self.annotations()
            name = self.expect_name("a name")
            members.append(ast.EnumMember(name.span, name.text, name.span, annotations))
            if not self.accept(","):
                break
        self.expect("}", f"after {what}")
        return members

    def typedef(self, annotations: list[ast.Annotation]) -> list[TopLevel]:
        """`typedef T name;`, `typedef struct S {...} name;` or `type T name;`"""
        first = self.advance()
        before: list[TopLevel] = []
        inner = self.annotations()
        if self.token.kind in ("struct", "header", "header_union", "enum"):
            made = self.enum(inner) if self.token.kind == "enum" else self.struct(inner)
            before.append(made)
            type_: ast.TypeNode = ast.TypeName(made.name_span, made.name)
        else:
            type_ = self.type()
        name = self.expect_name("the new name of the type")
        self.expect(";", f"after the {first.text}")
        self.declare(name.text, is_type=True)
        distinct = first.kind == IDENT
        return [
            *before,
            ast.TypedefDeclaration(
                self.since(first), name.text, name.span, annotations, type_, distinct
            ),
        ]

    # --- externs, packages ---------------------------------------------------------

    def extern(self, annotations: list[ast.Annotation]) -> ast.Declaration:
        """An extern object or function."""
        first = self.advance()
        annotations = annotations + self.annotations()
        if self.token.kind == IDENT and self.at_extern_object():
            return self.extern_object(first, annotations)
        with self.scope():
            method = self.prototype(first, annotations)
        self.expect(";", "after the extern function")
        method.span = self.since(first)
        self.declare(method.name, is_type=False)
        return method

    def at_extern_object(self) -> bool:
        """Whether `name {` or `name<T> {` follows."""
        at = self.at + 1
        if self.tokens[at].kind == "<":
            while at < len(self.tokens) and self.tokens[at].kind in ("<", IDENT, ","):
                at += 1
            if self.tokens[at].kind != ">":
                return False
            at += 1
        return self.tokens[at].kind in ("{", ";")

    def extern_object(
        self, first: Token, annotations: list[ast.Annotation]
    ) -> ast.ExternDeclaration:
        name = self.expect_name("the name of the extern")
        self.declare(name.text, is_type=True)
        methods: list[ast.MethodDeclaration] = []
        with self.scope():
            type_parameters = self.type_parameters()
            if not self.accept(";"):
                self.expect("{", "before the methods of the extern")
                self.members(lambda: methods.append(self.method(name.text)), "the extern")
        return ast.ExternDeclaration(
            self.since(first), name.text, name.span, annotations, type_parameters, methods
        )

    def method(self, extern: str) -> ast.MethodDeclaration:
        """A constructor or method prototype with its semicolon."""
        annotations = self.annotations()
        first = self.token
        abstract = self.accept("abstract")
        if not annotations:
            annotations = self.annotations()
        with self.scope():
            if self.token.kind == IDENT and self.peek().kind == "(":
                name = self.advance()
                if name.text != extern:
                    raise SyntaxFailure(
                        f"a method needs a return type, and a constructor of '{extern}' "
                        f"the name '{extern}'",
                        name.span,
                        *did_you_mean(name.text, [extern]),
                    )
                parameters = self.parameters()
                method = ast.MethodDeclaration(
                    self.since(first), name.text, name.span, annotations, None, [], parameters
                )
            else:
                method = self.prototype(first, annotations)
                method.abstract = abstract
        self.expect(";", "after the prototype")
        method.span = self.since(first)
        return method

    def prototype(self, first: Token, annotations: list[ast.Annotation]) -> ast.MethodDeclaration:
        """`T name<A>(parameters)`"""
        result = self.type("the return type")
        name = self.expect_name("the name of the function")
        type_parameters = self.type_parameters()
        parameters = self.parameters()
        return ast.MethodDeclaration(
            self.since(first),
            name.text,
            name.span,
            annotations,
            result,
            type_parameters,
            parameters,
        )

    def package(self, annotations: list[ast.Annotation]) -> ast.PackageDeclaration:
        first = self.advance()
        name = self.expect_name("the name of the package")
        self.declare(name.text, is_type=True)
        with self.scope():
            type_parameters = self.type_parameters()
            parameters = self.parameters()
        self.expect(";", "after the package")
        return ast.PackageDeclaration(
            self.since(first), name.text, name.span, annotations, type_parameters, parameters
        )
