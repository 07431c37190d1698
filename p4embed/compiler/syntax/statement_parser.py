"""Statements, and the declarations that may stand among them."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.syntax.annotation_parser import AnnotationParser
from p4embed.compiler.syntax.cursor import SyntaxFailure
from p4embed.compiler.syntax.lexer import IDENT, Token

ASSIGNMENTS = frozenset(
    ("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "|+|=", "|-|=")
)


class StatementParser(AnnotationParser):
    """The grammar from blocks down."""

    def block(self, annotations: list[ast.Annotation] | None = None) -> ast.Block:
        """`{ ... }`; a statement in error is reported and left out."""
        with self.nested(), self.scope():
            first = self.expect("{", "at the start of a block")
            statements: list[ast.Statement | ast.Declaration] = []
            self.members(lambda: statements.append(self.statement_or_declaration()), "the block")
            return ast.Block(self.since(first), statements, annotations or [])

    def statement_or_declaration(self) -> ast.Statement | ast.Declaration:
        """Anything that may stand in a block."""
        annotations = self.annotations()
        if self.token.kind == "const":
            return self.constant(annotations)
        if self.at_variable():
            return self.variable_or_instantiation(annotations)
        return self.statement(annotations)

    def at_variable(self) -> bool:
        """Whether a variable's declaration begins here: a type, and then a name."""
        token = self.token
        if token.kind == "error" and self.peek().kind == ".":
            return False
        if token.kind == IDENT:
            following = self.peek()
            if following.kind == IDENT:
                return True
            if token.text == "list" and following.kind == "<":
                return True
            if not self.is_type(token.text):
                return False
            if following.kind == "<":
                return not self.specialized_apply()
            return following.kind in ("[", "(")
        if token.kind == ".":
            return self.at_type() and self.peek(2).kind != "."
        return self.at_type()

    def specialized_apply(self) -> bool:
        """Whether `C<T>.apply(...)` stands here."""
        at = self.at
        specialized = self.attempt(lambda: self.type_without_stack("a type"))
        result = specialized is not None and self.token.kind == "."
        self.at, self.token = at, self.tokens[at]
        return result

    def constant(self, annotations: list[ast.Annotation]) -> ast.ConstantDeclaration:
        """`const T name = value;`"""
        first = self.expect("const", "here")
        type_ = self.type()
        name = self.expect_name("the name of the constant")
        self.expect("=", "and a value: a constant needs one")
        value = self.expression()
        self.expect(";", "after the constant")
        self.declare(name.text, is_type=False)
        return ast.ConstantDeclaration(
            self.since(first), name.text, name.span, annotations, type_, value
        )

    def variable_or_instantiation(
        self, annotations: list[ast.Annotation]
    ) -> ast.VariableDeclaration | ast.Instantiation:
        """`T name = value;` or `T(arguments) name;`"""
        first = self.token
        type_ = self.type()
        if self.token.kind == "(":
            return self.instantiation(first, type_, annotations)
        return self.variable(first, type_, annotations)

    def variable(
        self, first: Token, type_: ast.TypeNode, annotations: list[ast.Annotation]
    ) -> ast.VariableDeclaration:
        """`name = value;` behind its type."""
        node = self.variable_head(first, type_, annotations)
        self.expect(";", "after the declaration")
        node.span = self.since(first)
        return node

    def variable_head(
        self, first: Token, type_: ast.TypeNode, annotations: list[ast.Annotation]
    ) -> ast.VariableDeclaration:
        name = self.expect_name("the name of a variable")
        value = self.expression() if self.accept("=") else None
        self.declare(name.text, is_type=False)
        return ast.VariableDeclaration(
            self.since(first), name.text, name.span, annotations, type_, value
        )

    def instantiation(
        self, first: Token, type_: ast.TypeNode, annotations: list[ast.Annotation]
    ) -> ast.Instantiation:
        """`(arguments) name;` or `(arguments) name = {...};` behind its type."""
        arguments = self.arguments()
        name = self.expect_name("the name of the instance")
        initializer: list[ast.Declaration] | None = None
        if self.accept("="):
            self.expect("{", "before the implementations of abstract methods")
            members: list[ast.Declaration] = []
            with self.scope():
                self.members(lambda: members.append(self.implementation()), "the initialiser")
            initializer = members
        self.expect(";", "after the instantiation")
        self.declare(name.text, is_type=False)
        return ast.Instantiation(
            self.since(first), name.text, name.span, annotations, type_, arguments, initializer
        )

    def implementation(self) -> ast.Declaration:
        """A member of an instantiation's initialiser: a function or an instance."""
        annotations = self.annotations()
        first = self.token
        type_ = self.type()
        if self.token.kind == "(":
            return self.instantiation(first, type_, annotations)
        return self.function(first, type_, annotations)

    # --- functions, here because implementations of abstract methods are functions --

    def function(
        self, first: Token, result: ast.TypeNode, annotations: list[ast.Annotation]
    ) -> ast.FunctionDeclaration:
        """`name<T>(parameters) {...}` behind its type."""
        name = self.expect_name("the name of a function, variable or instance")
        if self.token.kind not in ("(", "<"):
            raise self.fail("expected '(' and the parameters of a function")
        self.declare(name.text, is_type=False)
        with self.scope():
            type_parameters = self.type_parameters()
            parameters = self.parameters()
            body = self.block()
        return ast.FunctionDeclaration(
            self.since(first),
            name.text,
            name.span,
            annotations,
            result,
            type_parameters,
            parameters,
            body,
        )

    def type_parameters(self) -> list[ast.TypeParameter]:
        """`<A, B>` or nothing; the names are declared as types."""
        found: list[ast.TypeParameter] = []
        if not self.accept("<"):
            return found
        while True:
            annotations = self.annotations()
            name = self.expect_name("the name of a type parameter")
            self.declare(name.text, is_type=True)
            found.append(ast.TypeParameter(name.span, name.text, name.span, annotations))
            if not self.accept(","):
                break
        self.expect(">", "after the type parameters")
        return found

    def parameters(self) -> list[ast.Parameter]:
        """`(direction type name = default, ...)`; the names are declared."""
        self.expect("(", "before the parameters")
        found: list[ast.Parameter] = []
        while self.token.kind != ")":
            annotations = self.annotations()
            first = self.token
            direction = ast.Direction.NONE
            if first.kind in ("in", "out", "inout"):
                direction = ast.Direction(self.advance().kind)
            type_ = self.type("the type of a parameter")
            name = self.expect_name("the name of a parameter")
            default = self.expression() if self.accept("=") else None
            self.declare(name.text, is_type=False)
            found.append(
                ast.Parameter(
                    self.since(first),
                    name.text,
                    name.span,
                    annotations,
                    direction,
                    type_,
                    default,
                )
            )
            if not self.accept(","):
                break
        self.expect(")", "after the parameters")
        return found

    # --- statements ----------------------------------------------------------------

    def statement(self, annotations: list[ast.Annotation] | None = None) -> ast.Statement:
        """One statement."""
        with self.nested():
            first = self.token
            match first.kind:
                case "{":
                    return self.block(annotations)
                case ";":
                    self.advance()
                    return ast.Empty(first.span)
                case "if":
                    return self.if_statement()
                case "switch":
                    return self.switch()
                case "for":
                    return self.for_loop(annotations or [])
                case "return":
                    self.advance()
                    value = None if self.token.kind == ";" else self.expression()
                    self.expect(";", "after 'return'")
                    return ast.Return(self.since(first), value)
                case "exit":
                    self.advance()
                    self.expect(";", "after 'exit'")
                    return ast.Exit(self.since(first))
                case "break":
                    self.advance()
                    self.expect(";", "after 'break'")
                    return ast.Break(self.since(first))
                case "continue":
                    self.advance()
                    self.expect(";", "after 'continue'")
                    return ast.Continue(self.since(first))
                case "else":
                    raise self.fail("'else' without an 'if' before it", found=False)
                case "transition":
                    raise self.fail(
                        "'transition' must be the last statement of a parser state", found=False
                    )
                case _:
                    statement = self.simple_statement()
                    self.expect(";", "after the statement")
                    statement.span = self.since(first)
                    return statement

    def simple_statement(self) -> ast.Assignment | ast.CallStatement:
        """An assignment or a call, without its semicolon."""
        first = self.token
        if first.kind not in (IDENT, ".", "this", "(", "error"):
            raise self.fail("expected a statement")
        target = self.postfix(self.primary(), first)
        op = self.token.kind
        if op == ">" and self.peek().kind == ">" and self.peek(2).kind == ">=":
            op = ""
        if op == ">" and self.peek().kind == ">=" and self.peek().start == self.token.end:
            self.advance()
            op = ">>="
        if op in ASSIGNMENTS:
            self.advance()
            value = self.expression()
            return ast.Assignment(self.since(first), op, target, value)
        if isinstance(target, ast.Call):
            return ast.CallStatement(target.span, target)
        if self.token.kind == IDENT and isinstance(target, ast.PathExpression | ast.Member):
            raise self.fail("expected an assignment or a call")
        notes: list[str] = []
        if op == "++" or (op == "-" and self.peek().kind == "-"):
            notes.append(f"P4 has no {op[0]}{op[0]}: write x {op[0]}= 1")
        elif op == ";" and isinstance(target, ast.PathExpression | ast.Member):
            notes.append("a call needs parentheses: f();")
        raise self.fail("expected '=' or '(' to make this a statement", *notes)

    def condition(self, what: str) -> ast.Expression:
        """`(expression)`"""
        self.expect("(", f"after '{what}'")
        condition = self.expression()
        if self.token.kind == "=":
            raise self.fail(f"expected ')' after the condition of '{what}'", "equality is ==")
        self.expect(")", f"after the condition of '{what}'")
        return condition

    def if_statement(self) -> ast.If:
        """`if (...) ... else ...`; a chain of else-ifs does not count as nesting."""
        first = self.advance()
        condition = self.condition("if")
        then = self.body("if")
        root = last = ast.If(self.since(first), condition, then, None)
        chain = [(first, root)]
        while self.token.kind == "else":
            self.advance()
            if self.token.kind != "if":
                last.otherwise = self.body("else")
                break
            start = self.advance()
            condition = self.condition("if")
            then = self.body("if")
            next_ = ast.If(self.since(start), condition, then, None)
            last.otherwise = next_
            last = next_
            chain.append((start, next_))
        for start, node in chain:
            node.span = self.since(start)
        return root

    def body(self, what: str) -> ast.Statement:
        """A statement under an if or a loop; a declaration there would have no use."""
        if self.token.kind == "const" or self.at_variable():
            raise SyntaxFailure(
                f"a declaration cannot stand alone under '{what}'",
                self.token.span,
                "put braces around it",
            )
        return self.statement(self.annotations())

    def switch(self) -> ast.Switch:
        first = self.advance()
        subject = self.condition("switch")
        self.expect("{", "before the cases of 'switch'")
        cases: list[ast.SwitchCase] = []
        self.members(lambda: cases.append(self.switch_case()), "the switch")
        return ast.Switch(self.since(first), subject, cases)

    def switch_case(self) -> ast.SwitchCase:
        first = self.token
        if first.kind == "default":
            label: ast.Expression = ast.DefaultKeyset(self.advance().span)
        else:
            label = self.expression()
        self.expect(":", "after the label")
        body = self.block() if self.token.kind == "{" else None
        return ast.SwitchCase(self.since(first), label, body)

    def for_loop(self, annotations: list[ast.Annotation]) -> ast.Statement:
        """Both kinds of loops."""
        first = self.advance()
        self.expect("(", "after 'for'")
        with self.scope():
            start = self.token
            own = self.annotations()
            if self.at_variable():
                type_start = self.token
                type_ = self.type()
                variable = self.variable_head(type_start, type_, own)
                if self.accept("in"):
                    return self.for_in(first, variable, annotations)
                return self.for_rest(first, [variable], annotations)
            if start.kind == IDENT and self.peek().kind == "in":
                raise self.fail("a type stands before the variable of 'for ... in'", found=False)
            init: list[ast.Statement | ast.Declaration] = []
            if self.token.kind != ";":
                init.append(self.simple_statement())
            return self.for_rest(first, init, annotations)

    def for_in(
        self,
        first: Token,
        variable: ast.VariableDeclaration,
        annotations: list[ast.Annotation],
    ) -> ast.ForIn:
        start = self.token
        collection = self.expression()
        if self.accept(".."):
            high = self.expression()
            collection = ast.Range(self.since(start), collection, high)
        self.expect(")", "after the collection of 'for'")
        body = self.body("for")
        return ast.ForIn(self.since(first), variable, collection, body, annotations)

    def for_rest(
        self,
        first: Token,
        init: list[ast.Statement | ast.Declaration],
        annotations: list[ast.Annotation],
    ) -> ast.For:
        while self.accept(","):
            if self.at_variable():
                start = self.token
                init.append(self.variable_head(start, self.type(), []))
            else:
                init.append(self.simple_statement())
        self.expect(";", "after the start of 'for'")
        condition = self.expression()
        self.expect(";", "after the condition of 'for'")
        update: list[ast.Statement] = []
        while self.token.kind != ")":
            update.append(self.simple_statement())
            if not self.accept(","):
                break
        self.expect(")", "after 'for'")
        body = self.body("for")
        return ast.For(self.since(first), init, condition, update, body, annotations)
