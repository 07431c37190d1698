"""Actions, parsers, controls and tables."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.syntax.cursor import SyntaxFailure
from p4embed.compiler.syntax.lexer import IDENT
from p4embed.compiler.syntax.statement_parser import StatementParser


class BlockParser(StatementParser):
    """The grammar of everything that has a body."""

    # --- actions -------------------------------------------------------------------

    def action(self, annotations: list[ast.Annotation]) -> ast.ActionDeclaration:
        first = self.advance()
        name = self.expect_name("the name of the action")
        self.declare(name.text, is_type=False)
        with self.scope():
            parameters = self.parameters()
            body = self.block()
        return ast.ActionDeclaration(
            self.since(first), name.text, name.span, annotations, parameters, body
        )

    # --- parsers -------------------------------------------------------------------

    def parser(
        self, annotations: list[ast.Annotation]
    ) -> ast.ParserDeclaration | ast.ParserTypeDeclaration:
        """A parser's type, or a parser with its states."""
        first = self.advance()
        name = self.expect_name("the name of the parser")
        self.declare(name.text, is_type=True)
        with self.scope():
            type_parameters = self.type_parameters()
            parameters = self.parameters()
            if self.accept(";"):
                return ast.ParserTypeDeclaration(
                    self.since(first),
                    name.text,
                    name.span,
                    annotations,
                    type_parameters,
                    parameters,
                )
            constructor = self.parameters() if self.token.kind == "(" else []
            self.expect("{", "before the states of the parser")
            locals_: list[ast.Declaration] = []
            states: list[ast.StateDeclaration] = []
            self.members(lambda: self.parser_member(locals_, states), "the parser")
        return ast.ParserDeclaration(
            self.since(first),
            name.text,
            name.span,
            annotations,
            type_parameters,
            parameters,
            constructor,
            locals_,
            states,
        )

    def parser_member(
        self, locals_: list[ast.Declaration], states: list[ast.StateDeclaration]
    ) -> None:
        annotations = self.annotations()
        if self.at_word("state") and self.peek().kind == IDENT:
            states.append(self.state(annotations))
            return
        if states:
            raise self.fail("expected a state: declarations stand before the first state")
        if self.token.kind == "const":
            locals_.append(self.constant(annotations))
        elif self.token.kind == "value_set":
            locals_.append(self.value_set(annotations))
        elif self.at_type() or self.token.kind == IDENT:
            locals_.append(self.variable_or_instantiation(annotations))
        else:
            raise self.fail("expected a state or a declaration")

    def value_set(self, annotations: list[ast.Annotation]) -> ast.ValueSetDeclaration:
        first = self.advance()
        self.expect("<", "after 'value_set'")
        type_ = self.type()
        self.expect(">", "after the type of the value set")
        self.expect("(", "before the size of the value set")
        size = self.expression()
        self.expect(")", "after the size of the value set")
        name = self.expect_name("the name of the value set")
        self.expect(";", "after the value set")
        self.declare(name.text, is_type=False)
        return ast.ValueSetDeclaration(
            self.since(first), name.text, name.span, annotations, type_, size
        )

    def state(self, annotations: list[ast.Annotation]) -> ast.StateDeclaration:
        first = self.advance()
        name = self.expect_name("the name of the state")
        statements: list[ast.Statement | ast.Declaration] = []
        transitions: list[ast.Transition] = []
        self.expect("{", "before the statements of the state")
        with self.scope():
            self.members(lambda: self.state_member(statements, transitions), "the state")
        return ast.StateDeclaration(
            self.since(first),
            name.text,
            name.span,
            annotations,
            statements,
            transitions[0] if transitions else None,
        )

    def state_member(
        self,
        statements: list[ast.Statement | ast.Declaration],
        transitions: list[ast.Transition],
    ) -> None:
        if transitions:
            raise self.fail("expected '}': nothing may follow the transition of a state")
        if self.token.kind == "transition":
            transitions.append(self.transition())
        else:
            statements.append(self.statement_or_declaration())

    def transition(self) -> ast.Transition:
        first = self.advance()
        if self.token.kind != "select":
            name = self.expect_name("the name of a state or 'select'")
            self.expect(";", "after the transition")
            return ast.Transition(self.since(first), name.text, None, [], name.span)
        select = self.advance()
        self.expect("(", "after 'select'")
        subjects: list[ast.Expression] = []
        while self.token.kind != ")":
            subjects.append(self.expression())
            if not self.accept(","):
                break
        self.expect(")", "after the expressions of 'select'")
        self.expect("{", "before the cases of 'select'")
        cases: list[ast.SelectCase] = []
        self.members(lambda: cases.append(self.select_case()), "the select")
        return ast.Transition(self.since(first), None, subjects, cases, select.span)

    def select_case(self) -> ast.SelectCase:
        first = self.token
        keyset = self.keyset()
        self.expect(":", "after the keyset")
        state = self.expect_name("the name of a state")
        self.expect(";", "after the select case")
        return ast.SelectCase(self.since(first), keyset, state.text, state.span)

    # --- controls and tables -------------------------------------------------------

    def control(
        self, annotations: list[ast.Annotation]
    ) -> ast.ControlDeclaration | ast.ControlTypeDeclaration:
        """A control's type, or a control with its apply block."""
        first = self.advance()
        name = self.expect_name("the name of the control")
        self.declare(name.text, is_type=True)
        with self.scope():
            type_parameters = self.type_parameters()
            parameters = self.parameters()
            if self.accept(";"):
                return ast.ControlTypeDeclaration(
                    self.since(first),
                    name.text,
                    name.span,
                    annotations,
                    type_parameters,
                    parameters,
                )
            constructor = self.parameters() if self.token.kind == "(" else []
            self.expect("{", "before the body of the control")
            locals_: list[ast.Declaration] = []
            bodies: list[ast.Block] = []
            errors = self.diagnostics.error_count
            end = self.members(lambda: self.control_member(locals_, bodies), "the control")
            if not bodies:
                if self.diagnostics.error_count == errors:
                    self.diagnostics.error(f"control '{name.text}' has no 'apply' block", name.span)
                bodies.append(ast.Block(end.span, []))
        return ast.ControlDeclaration(
            self.since(first),
            name.text,
            name.span,
            annotations,
            type_parameters,
            parameters,
            constructor,
            locals_,
            bodies[0],
        )

    def control_member(self, locals_: list[ast.Declaration], bodies: list[ast.Block]) -> None:
        annotations = self.annotations()
        if bodies:
            raise self.fail("expected '}': nothing may follow the 'apply' block of a control")
        if self.at_word("apply") and self.peek().kind in ("{", "@"):
            self.advance()
            bodies.append(self.block(annotations + self.annotations()))
        elif self.token.kind == "const":
            locals_.append(self.constant(annotations))
        elif self.token.kind == "action":
            locals_.append(self.action(annotations))
        elif self.token.kind == "table":
            locals_.append(self.table(annotations))
        elif self.at_type() or self.token.kind == IDENT:
            locals_.append(self.variable_or_instantiation(annotations))
        else:
            raise self.fail("expected a declaration or the 'apply' block")

    def table(self, annotations: list[ast.Annotation]) -> ast.TableDeclaration:
        first = self.advance()
        name = self.expect_name("the name of the table")
        self.declare(name.text, is_type=False)
        table = ast.TableDeclaration(
            first.span, name.text, name.span, annotations, None, None, None, []
        )
        self.expect("{", "before the properties of the table")
        self.members(lambda: self.table_property(table), "the table")
        table.span = self.since(first)
        return table

    def table_property(self, table: ast.TableDeclaration) -> None:
        annotations = self.annotations()
        first = self.token
        constant = self.accept("const")
        name = self.expect_name("the name of a table property")
        listed = name.text in ("key", "actions", "entries")
        if listed and constant and name.text != "entries":
            raise SyntaxFailure(f"'{name.text}' cannot be marked 'const'", first.span)
        self.expect("=", f"after '{name.text}'")
        if listed and any(
            (
                name.text == "key" and table.key is not None,
                name.text == "actions" and table.actions is not None,
                name.text == "entries" and table.entries is not None,
            )
        ):
            self.diagnostics.error(f"table '{table.name}' has '{name.text}' twice", name.span)
        if not listed:
            value = self.expression()
            self.expect(";", f"after the value of '{name.text}'")
            table.properties.append(
                ast.TableProperty(
                    self.since(first), name.text, value, constant, annotations, name.span
                )
            )
            return
        self.expect("{", f"after '{name.text} ='")
        if name.text == "key":
            keys: list[ast.KeyElement] = []
            table.key = keys
            self.members(lambda: keys.append(self.key_element()), "the key")
        elif name.text == "actions":
            actions: list[ast.ActionReference] = []
            table.actions = actions
            self.members(lambda: actions.append(self.listed_action()), "the actions")
        else:
            entries: list[ast.TableEntry] = []
            table.entries = ast.TableEntries(first.span, entries, constant, annotations)
            self.members(lambda: entries.append(self.entry()), "the entries")
            table.entries.span = self.since(first)

    def key_element(self) -> ast.KeyElement:
        first = self.token
        expression = self.expression()
        self.expect(":", "and a match kind after the key's expression")
        kind = self.expect_name("a match kind")
        annotations = self.annotations()
        self.expect(";", "after the key element")
        return ast.KeyElement(self.since(first), expression, kind.text, kind.span, annotations)

    def listed_action(self) -> ast.ActionReference:
        annotations = self.annotations()
        reference = self.action_reference(annotations)
        self.expect(";", "after the action")
        return reference

    def action_reference(self, annotations: list[ast.Annotation]) -> ast.ActionReference:
        first = self.token
        absolute = self.accept(".")
        name = self.expect_name("the name of an action")
        arguments = self.arguments() if self.token.kind == "(" else None
        return ast.ActionReference(self.since(first), name.text, absolute, arguments, annotations)

    def entry(self) -> ast.TableEntry:
        """`const priority = p : keyset : action @annotations;`"""
        first = self.token
        constant = self.accept("const")
        priority: ast.Expression | None = None
        if self.at_word("priority") and self.peek().kind == "=":
            self.advance()
            self.advance()
            priority = self.unary()
            self.expect(":", "after the priority")
        keyset = self.keyset()
        self.expect(":", "after the keyset of the entry")
        action = self.action_reference([])
        annotations = self.annotations()
        self.expect(";", "after the entry")
        return ast.TableEntry(self.since(first), keyset, action, annotations, constant, priority)
