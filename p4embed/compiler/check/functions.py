"""Parameters, functions and actions."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import is_optional
from p4embed.compiler.check.scope import Frame, Place
from p4embed.compiler.check.statements import always_returns
from p4embed.compiler.check.tables import TableChecker
from p4embed.compiler.types import (
    INT,
    STRING,
    UNKNOWN,
    VOID,
    BlockType,
    ExternType,
    FunctionType,
    PackageType,
    ParameterType,
    Type,
    TypeVariable,
)


class FunctionChecker(TableChecker):
    """Checks what can be called."""

    # --- types -----------------------------------------------------------------------

    def type_variables(self, parameters: list[ast.TypeParameter]) -> tuple[TypeVariable, ...]:
        """Declare type parameters in the current scope."""
        variables: list[TypeVariable] = []
        for parameter in parameters:
            variable = TypeVariable(parameter)
            self.checked.declared[parameter] = variable
            self.declare(parameter)
            variables.append(variable)
        return tuple(variables)

    # --- parameters ------------------------------------------------------------------

    def parameters(
        self, parameters: list[ast.Parameter], *, constructor: bool = False
    ) -> tuple[ParameterType, ...]:
        """Resolve parameters, check what holds for all of them, and declare their names."""
        types = self.parameter_types(parameters)
        for parameter in types:
            node, type_ = parameter.declaration, parameter.type
            directed = parameter.direction is not ast.Direction.NONE
            if constructor and directed:
                self.error(f"constructor parameter '{node.name}' cannot have a direction", node)
            if directed and isinstance(type_, ExternType):
                self.error(
                    f"parameter '{node.name}' of extern type {type_} cannot have a direction", node
                )
            if directed and type_ in (INT, STRING):
                self.error(
                    f"parameter '{node.name}' of type {type_} cannot have a direction",
                    node,
                    "values of that type exist at compile time only",
                )
            if not constructor and isinstance(type_, BlockType | PackageType):
                self.error(
                    f"parameter '{node.name}' cannot have type {type_}",
                    node,
                    "constructor parameters can",
                )
            if node.default is not None:
                if parameter.direction in (ast.Direction.OUT, ast.Direction.INOUT):
                    self.error(
                        f"'{parameter.direction.value}' parameter '{node.name}' cannot have a "
                        "default value",
                        node,
                    )
                self._default_value(node.default, type_, f"default value of '{node.name}'")
            self.declare(node)
        return types

    def _default_value(self, value: ast.Expression, type_: Type, what: str) -> None:
        have = self.infer(value)
        if isinstance(type_, BlockType | PackageType | ExternType | TypeVariable):
            # Compared where it is used: there the type arguments are known.
            self._static_argument(value, what)
        elif self.coerce(value, have, type_, what):
            self._static_argument(value, what)

    def prototype(self, node: ast.MethodDeclaration, made: Type | None = None) -> FunctionType:
        """Type of an extern function or method; `made` is what a constructor returns."""
        with self.scope():
            variables = self.type_variables(node.type_parameters)
            result = made
            if result is None:
                assert node.return_type is not None
                result = self._result(node.return_type)
            types = self.parameters(node.parameters, constructor=made is not None)
            for parameter in types if made is not None else ():
                if isinstance(parameter.type, BlockType | PackageType):
                    self.error(
                        f"an extern's parameter cannot have type {parameter.type}",
                        parameter.declaration,
                    )
        return FunctionType(node, result, types, variables)

    # --- functions and actions -----------------------------------------------------------

    def _result(self, node: ast.TypeNode) -> Type:
        type_ = self.resolve(node)
        if isinstance(type_, BlockType | PackageType) or type_ == INT:
            self.error(f"a function cannot return {type_}", node)
            return UNKNOWN
        return type_

    def _no_optional(self, parameters: tuple[ParameterType, ...]) -> None:
        """What has a body needs all its arguments."""
        for parameter in parameters:
            if is_optional(parameter.declaration):
                self.error(
                    f"parameter '{parameter.name}' of something with a body cannot be @optional",
                    parameter.declaration,
                )

    def function(self, node: ast.FunctionDeclaration, this: Type | None) -> FunctionType:
        """A function with its body; does not declare its name."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            result = self._result(node.return_type)
            types = self.parameters(node.parameters)
            self._no_optional(types)
            made = FunctionType(node, result, types, variables)
            self.checked.declared[node] = made
            with self.inside(Frame(Place.FUNCTION, result, this=this)):
                self.block(node.body)
            if result != VOID and not always_returns(node.body):
                self.error(
                    f"function '{node.name}' can end without returning a value of type {result}",
                    node.name_span,
                )
        return made

    def action(self, node: ast.ActionDeclaration) -> None:
        """An action."""
        with self.unfinished(node.name), self.scope():
            types = self.parameters(node.parameters)
            self._no_optional(types)
            plain = False
            for parameter in types:
                if parameter.direction is ast.Direction.NONE:
                    plain = True
                elif plain:
                    self.error(
                        f"parameter '{parameter.name}' with a direction stands behind one without",
                        parameter.declaration,
                        "parameters from the control plane come last",
                    )
                if isinstance(parameter.type, ExternType) or parameter.type in (INT, STRING):
                    self.error(
                        f"an action's parameter cannot have type {parameter.type}",
                        parameter.declaration,
                    )
            self.checked.declared[node] = FunctionType(node, VOID, types)
            with self.inside(Frame(Place.ACTION)):
                self.block(node.body)
        self.declare(node)
