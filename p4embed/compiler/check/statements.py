"""Statements, and the variables and constants declared among them."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.calls import CallChecker
from p4embed.compiler.check.scope import Place
from p4embed.compiler.checked import CallKind, EnumValue
from p4embed.compiler.diagnostics import Note, did_you_mean
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    INT,
    UNKNOWN,
    VOID,
    ActionEnumType,
    BitType,
    BlockType,
    EnumType,
    ExternType,
    FunctionType,
    IntType,
    ListType,
    PackageType,
    StackType,
    TableType,
    Type,
    TypeOfType,
    UnknownType,
)


class StatementChecker(CallChecker):
    """Checks the statements of section 12."""

    def block(self, block: ast.Block) -> None:
        """A block in a scope of its own."""
        with self.scope():
            self.statements(block.statements)

    def statements(self, statements: list[ast.Statement | ast.Declaration]) -> None:
        """Statements in the current scope."""
        for statement in statements:
            self.statement(statement)

    def statement(self, statement: ast.Statement | ast.Declaration) -> None:
        """One statement or declaration."""
        match statement:
            case ast.Block():
                self.block(statement)
            case ast.Assignment():
                self._assignment(statement)
            case ast.CallStatement(call=call):
                self._call_statement(call)
            case ast.If(condition=condition, then=then, otherwise=otherwise):
                self.want(condition, BOOL, "condition of 'if'")
                self._nested(then)
                # A chain of else-ifs is walked, not descended into.
                while isinstance(otherwise, ast.If):
                    self.want(otherwise.condition, BOOL, "condition of 'if'")
                    self._nested(otherwise.then)
                    otherwise = otherwise.otherwise
                if otherwise is not None:
                    self._nested(otherwise)
            case ast.Switch():
                self._switch(statement)
            case ast.Return():
                self._return(statement)
            case ast.Exit():
                if self.frame.place is not Place.CONTROL and self.frame.place is not Place.ACTION:
                    self.error(f"'exit' cannot stand in {self.frame.place.value}", statement)
            case ast.Break() | ast.Continue():
                if self.frame.loops == 0:
                    word = "break" if isinstance(statement, ast.Break) else "continue"
                    self.error(f"'{word}' outside of a loop", statement)
            case ast.For():
                self._for(statement)
            case ast.ForIn():
                self._for_in(statement)
            case ast.VariableDeclaration():
                self.variable(statement)
            case ast.ConstantDeclaration():
                self.constant(statement)
            case ast.Instantiation():
                self.error(
                    f"'{statement.name}' cannot be instantiated among statements",
                    statement,
                    "instances are declared in a control or parser, before its statements",
                )
                self.checked.declared[statement] = UNKNOWN
                self.declare(statement)

    def _nested(self, statement: ast.Statement) -> None:
        with self.scope():
            self.statement(statement)

    # --- declarations --------------------------------------------------------------

    def variable(self, node: ast.VariableDeclaration) -> None:
        """`T name = value;`"""
        type_ = self.value_type(node.type, "variable")
        if type_ == INT:
            self.error("a variable cannot have type int", node.type, "int is for constants")
            type_ = UNKNOWN
        if node.value is not None:
            self.want(node.value, type_, f"value of '{node.name}'")
            self._is_value(node.value)
        self.checked.declared[node] = type_
        self.declare(node)

    def constant(self, node: ast.ConstantDeclaration) -> None:
        """`const T name = value;`"""
        type_ = self.value_type(node.type, "constant")
        if self.want(node.value, type_, f"value of '{node.name}'"):
            known = isinstance(self.checked.types[node.value], UnknownType)
            if not known and not self.is_static(node.value):
                self.error(
                    f"the value of constant '{node.name}' must be known at compile time", node.value
                )
        self.checked.declared[node] = type_
        self.declare(node)

    def _is_value(self, expression: ast.Expression) -> bool:
        """Report names of things that are no values."""
        type_ = self.checked.types[expression]
        if isinstance(
            type_, FunctionType | TableType | TypeOfType | BlockType | PackageType | ExternType
        ):
            self.error(f"{type_} is not a value", expression)
            return False
        return True

    # --- statements ----------------------------------------------------------------

    def _assignment(self, node: ast.Assignment) -> None:
        target = self.infer(node.target)
        if isinstance(target, UnknownType):
            self.infer(node.value)
            return
        reason = self.is_writable(node.target)
        if reason is not None:
            self.error(f"cannot assign: {reason}", node.target)
            self.infer(node.value)
            return
        if node.op == "=":
            if self.want(node.value, target, "value assigned"):
                self._is_value(node.value)
            return
        op = node.op[:-1]
        if not isinstance(target, BitType | EnumType):
            self.error(f"operator '{node.op}' does not work on {target}", node.target)
            self.infer(node.value)
        elif op in ("<<", ">>"):
            amount = self.infer(node.value)
            if not isinstance(amount, BitType | IntType | UnknownType):
                self.error(f"the amount of a shift is an integer, not {amount}", node.value)
        else:
            if op in ("/", "%") and isinstance(target, BitType) and target.signed:
                self.error(f"operator '{node.op}' is not defined for {target}", node.target)
            self.want(node.value, target, "value assigned")
            if op in ("/", "%"):
                self.divisor(node.op, node, node.target, node.value)

    def _call_statement(self, call: ast.Call) -> None:
        self.infer(call)
        info = self.checked.calls.get(call)
        if info is not None and info.kind is CallKind.CONSTRUCTOR:
            self.error("an instance that is not used", call, "a name belongs behind it: T() name;")

    def _return(self, node: ast.Return) -> None:
        place, result = self.frame.place, self.frame.result
        if place is Place.PARSER:
            self.error("'return' cannot stand in a parser", node)
            return
        if node.value is None:
            if result != VOID and not isinstance(result, UnknownType):
                self.error(f"'return' needs a value of type {result}", node)
            return
        if result == VOID:
            self.infer(node.value)
            self.error(f"'return' in {place.value} without result cannot have a value", node.value)
            return
        self.want(node.value, result, "value returned")

    def _switch(self, node: ast.Switch) -> None:
        subject = self.infer(node.subject)
        seen: dict[object, ast.SwitchCase] = {}
        default: ast.SwitchCase | None = None
        if self.frame.place is Place.PARSER:
            self.error("'switch' cannot stand in a parser", node, "states select with 'select'")
        if not isinstance(
            subject, ActionEnumType | UnknownType | BitType | EnumType | IntType
        ) and subject not in (BOOL, ERROR):
            self.error(
                f"'switch' works on integers, enums, errors and action_run, not on {subject}",
                node.subject,
            )
            subject = UNKNOWN
        for case in node.cases:
            if isinstance(case.label, ast.DefaultKeyset):
                if default is not None:
                    self.error(
                        "'switch' has 'default' twice", case, Note("first here", default.span)
                    )
                default = case
            else:
                if default is not None:
                    self.error(
                        "'default' must be the last label of 'switch'",
                        default,
                    )
                label = self._label(case, subject)
                if label is not None and label in seen:
                    self.error(
                        "this label stands twice in the 'switch'",
                        case.label,
                        Note("first here", seen[label].span),
                    )
                elif label is not None:
                    seen[label] = case
            if case.body is not None:
                self.block(case.body)

    def _label(self, case: ast.SwitchCase, subject: Type) -> object | None:
        """What tells this label from others."""
        if isinstance(subject, ActionEnumType):
            return self._action_label(case, subject.declaration)
        if not self.want(case.label, subject, "label of 'switch'"):
            return None
        value = self.constant_of(case.label)
        if isinstance(subject, UnknownType) or isinstance(
            self.checked.types[case.label], UnknownType
        ):
            return None
        if value is None and not self.is_static(case.label):
            self.error("a label of 'switch' must be known at compile time", case.label)
            return None
        if isinstance(value, EnumValue):
            return ("enum", value.value if value.value is not None else value.name)
        return value

    def _action_label(self, case: ast.SwitchCase, table: ast.TableDeclaration) -> object | None:
        label = case.label
        if not isinstance(label, ast.PathExpression):
            self.error("labels of a 'switch' on action_run are names of actions", label)
            return None
        actions = {a.name: a for a in table.actions or []}
        reference = actions.get(label.name)
        if reference is None:
            self.error(
                f"'{label.name}' is not an action of table '{table.name}'",
                label,
                *(did_you_mean(label.name, actions) or [Note("declared here", table.name_span)]),
            )
            return None
        declaration = self.checked.names.get(reference)
        if declaration is None:
            return None
        self.checked.names[case] = declaration
        self.checked.names[label] = declaration
        return declaration

    # --- loops ---------------------------------------------------------------------

    def _for(self, node: ast.For) -> None:
        with self.scope():
            self.statements(node.init)
            self.want(node.condition, BOOL, "condition of 'for'")
            for update in node.update:
                self.statement(update)
            self._loop_body(node.body)

    def _for_in(self, node: ast.ForIn) -> None:
        with self.scope():
            element = self._elements(node.collection)
            self.variable(node.variable)
            type_ = self.checked.declared[node.variable]
            if isinstance(node.collection, ast.Range) and isinstance(type_, BitType):
                for bound in (node.collection.low, node.collection.high):
                    self.coerce(bound, self.checked.types[bound], type_, "bound of the range")
                element = type_
            elif element != type_ and UNKNOWN not in (element, type_):
                self.error(f"the elements are {element}, not {type_}", node.variable)
            self.checked.locals_of[node] = element
            self._loop_body(node.body)

    def _elements(self, collection: ast.Expression) -> Type:
        """Type of the elements that a for-in loop runs over."""
        if isinstance(collection, ast.Range):
            self.infer(collection.low)
            self.infer(collection.high)
            common = self.harmonise(collection.low, collection.high)
            if not isinstance(common, BitType | IntType | UnknownType):
                self.error("a range has integers of one type as its bounds", collection)
                return UNKNOWN
            return common
        type_ = self.infer(collection)
        match type_:
            case StackType(element=element) | ListType(element=element):
                return element
            case UnknownType():
                return UNKNOWN
        self.error(f"'for' runs over ranges, lists and header stacks, not {type_}", collection)
        return UNKNOWN

    def _loop_body(self, body: ast.Statement) -> None:
        if self.frame.place is Place.PARSER:
            self.error("'for' cannot stand in a parser", body, "states can loop")
        self.frame.loops += 1
        self._nested(body)
        self.frame.loops -= 1


def always_returns(statement: ast.Statement | ast.Declaration) -> bool:
    """Whether control never comes out at the end of the statement."""
    match statement:
        case ast.Return() | ast.Exit():
            return True
        case ast.Block(statements=statements):
            return any(always_returns(s) for s in statements)
        case ast.If(then=then, otherwise=otherwise):
            while True:
                if otherwise is None or not always_returns(then):
                    return False
                if not isinstance(otherwise, ast.If):
                    return always_returns(otherwise)
                then, otherwise = otherwise.then, otherwise.otherwise
        case ast.Switch(cases=cases):
            complete = any(isinstance(c.label, ast.DefaultKeyset) for c in cases)
            return complete and all(c.body is None or always_returns(c.body) for c in cases)
    return False
