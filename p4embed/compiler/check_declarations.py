"""Declarations of types, externs, functions, parsers, controls and instances."""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.compiler import ast
from p4embed.compiler.check_statements import always_returns
from p4embed.compiler.check_tables import TableChecker
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, Note, did_you_mean
from p4embed.compiler.scope import Frame, Place
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    INT,
    STRING,
    UNKNOWN,
    VOID,
    BitType,
    BlockType,
    EnumType,
    ExternType,
    Field,
    FunctionType,
    NewType,
    PackageType,
    ParameterType,
    StructType,
    Type,
    TypeVariable,
    UnknownType,
    VarbitType,
    substitute,
)


class DeclarationChecker(TableChecker):
    """Checks declarations in their order; a name is known after its declaration only."""

    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        super().__init__(checked, diagnostics)
        self.constructor_parameters = set()

    def top_level(
        self, node: ast.Declaration | ast.ErrorDeclaration | ast.MatchKindDeclaration
    ) -> None:
        """One declaration of the program."""
        match node:
            case ast.ErrorDeclaration(members=members):
                self._collect(members, self.checked.errors, "error")
            case ast.MatchKindDeclaration(members=members):
                self._collect(members, self.checked.match_kinds, "match kind")
            case ast.ConstantDeclaration():
                self.constant(node)
            case ast.StructDeclaration():
                self.struct(node)
            case ast.EnumDeclaration():
                self.enum(node)
            case ast.TypedefDeclaration():
                self.typedef(node)
            case ast.ExternDeclaration():
                self.extern(node)
            case ast.MethodDeclaration():
                self.checked.declared[node] = self.prototype(node)
                self.declare(node)
            case ast.FunctionDeclaration():
                self.function(node, None)
                self.declare(node)
            case ast.ActionDeclaration():
                self.action(node)
            case ast.ParserDeclaration() | ast.ControlDeclaration():
                self.block_with_body(node)
            case ast.ParserTypeDeclaration() | ast.ControlTypeDeclaration():
                self.block_type(node)
            case ast.PackageDeclaration():
                self.package(node)
            case ast.Instantiation():
                self.instantiation(node)

    def _collect(
        self, members: list[ast.EnumMember], known: dict[str, ast.EnumMember], what: str
    ) -> None:
        for member in members:
            first = known.get(member.name)
            if first is not None:
                self.error(
                    f"{what} '{member.name}' is declared twice",
                    member,
                    Note("declared here first", first.span),
                )
            else:
                known[member.name] = member

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

    def struct(self, node: ast.StructDeclaration) -> None:
        """A struct, header or header union."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            fields: list[Field] = []
            seen: dict[str, ast.StructField] = {}
            for field in node.fields:
                type_ = self.resolve(field.type)
                self.checked.declared[field] = type_
                if field.name in seen:
                    self.error(
                        f"field '{field.name}' is declared twice",
                        field.name_span,
                        Note("declared here first", seen[field.name].name_span),
                    )
                    continue
                seen[field.name] = field
                fields.append(Field(field.name, type_, field))
        struct = StructType(node, variables, tuple(fields))
        self.check_fields(struct, node)
        if struct.is_header and sum(isinstance(f.type, VarbitType) for f in fields) > 1:
            self.warning(f"header '{node.name}' has several varbit fields", node.name_span)
        self.checked.declared[node] = struct
        self.declare(node)

    def enum(self, node: ast.EnumDeclaration) -> None:
        """An enum, with its members' values if it is serialisable."""
        underlying: Type | None = None
        if node.underlying is not None:
            underlying = self.resolve(node.underlying)
            while isinstance(underlying, NewType):
                underlying = underlying.underlying
            if not isinstance(underlying, BitType | UnknownType):
                self.error(
                    f"the underlying type of an enum is bit<> or int<>, not {underlying}",
                    node.underlying,
                )
                underlying = UNKNOWN
        made = EnumType(node, underlying if isinstance(underlying, BitType) else None)
        self.checked.declared[node] = UNKNOWN if underlying == UNKNOWN else made
        seen: dict[str, ast.EnumMember] = {}
        for member in node.members:
            if member.name in seen:
                self.error(
                    f"enum member '{member.name}' is declared twice",
                    member.name_span,
                    Note("declared here first", seen[member.name].name_span),
                )
            seen.setdefault(member.name, member)
        self.declare(node)
        for member in node.members:
            if member.value is None or underlying is None:
                continue
            if self.want(member.value, underlying, f"value of '{member.name}'"):
                known = not isinstance(self.checked.types[member.value], UnknownType)
                if known and not isinstance(self.constant_of(member.value), int):
                    self.error(
                        f"the value of '{member.name}' must be known at compile time",
                        member.value,
                    )

    def typedef(self, node: ast.TypedefDeclaration) -> None:
        """`typedef` or `type`."""
        type_ = self.resolve(node.type)
        if node.distinct and not isinstance(type_, UnknownType):
            plain = isinstance(type_, BitType | VarbitType | EnumType | NewType | TypeVariable)
            if plain or type_ in (BOOL, ERROR, STRING):
                type_ = NewType(node, type_)
            else:
                self.error(f"'type' cannot make a new type out of {type_}", node.type)
                type_ = UNKNOWN
        self.checked.declared[node] = type_
        self.declare(node)

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
                if self.want(node.default, type_, f"default value of '{node.name}'"):
                    known = not isinstance(self.checked.types[node.default], UnknownType)
                    if known and not self.is_static(node.default):
                        self.error(
                            f"the default value of '{node.name}' must be known at compile time",
                            node.default,
                        )
            self.declare(node)
        return types

    # --- externs and packages -----------------------------------------------------------

    def extern(self, node: ast.ExternDeclaration) -> None:
        """An extern object; its name is known to its own methods."""
        with self.scope():
            variables = self.type_variables(node.type_parameters)
            made = ExternType(node, variables)
            self.checked.declared[node] = made
            self.declare(node)
            seen: dict[tuple[object, ...], ast.MethodDeclaration] = {}
            for method in node.methods:
                constructor = method.return_type is None
                type_ = self.prototype(method, made if constructor else None)
                self.checked.declared[method] = type_
                if method.name == node.name and not constructor:
                    self.error(
                        f"'{method.name}' is the constructor and cannot have a return type", method
                    )
                key = (method.name, constructor, *(p.name for p in method.parameters))
                if key in seen:
                    self.error(
                        f"'{method.name}' is declared twice with the same parameters",
                        method.name_span,
                        Note("declared here first", seen[key].name_span),
                    )
                seen[key] = method
        self.declare(node)

    def prototype(self, node: ast.MethodDeclaration, made: Type | None = None) -> FunctionType:
        """Type of an extern function or method; `made` is what a constructor returns."""
        with self.scope():
            variables = self.type_variables(node.type_parameters)
            result = made
            if result is None:
                assert node.return_type is not None
                result = self.resolve(node.return_type)
            types = self.parameters(node.parameters, constructor=made is not None)
        return FunctionType(node, result, types, variables)

    def package(self, node: ast.PackageDeclaration) -> None:
        """A package's type."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            types = self.parameters(node.parameters, constructor=True)
        self.checked.declared[node] = PackageType(node, variables, types)
        self.declare(node)

    # --- functions and actions -----------------------------------------------------------

    def function(self, node: ast.FunctionDeclaration, this: Type | None) -> FunctionType:
        """A function with its body; does not declare its name."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            result = self.resolve(node.return_type)
            types = self.parameters(node.parameters)
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
                if isinstance(parameter.type, ExternType):
                    self.error(
                        f"an action's parameter cannot have extern type {parameter.type}",
                        parameter.declaration,
                    )
            self.checked.declared[node] = FunctionType(node, VOID, types)
            with self.inside(Frame(Place.ACTION)):
                self.block(node.body)
        self.declare(node)

    # --- parsers and controls --------------------------------------------------------------

    def block_type(self, node: ast.ParserTypeDeclaration | ast.ControlTypeDeclaration) -> None:
        """The type of parsers or controls."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            types = self.parameters(node.parameters)
        self.checked.declared[node] = BlockType(node, variables, types)
        self.declare(node)

    def block_with_body(self, node: ast.ParserDeclaration | ast.ControlDeclaration) -> None:
        """A parser or control."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            types = self.parameters(node.parameters)
            constructor = self.parameters(node.constructor_parameters, constructor=True)
            self.checked.declared[node] = BlockType(node, variables, types, constructor)
            self.constructor_parameters = set(node.constructor_parameters)
            place = Place.PARSER if isinstance(node, ast.ParserDeclaration) else Place.CONTROL
            with self.inside(Frame(place)), self.scope():
                for local in node.locals:
                    self.local(local)
                if isinstance(node, ast.ParserDeclaration):
                    self.states(node)
                else:
                    self.block(node.body)
            self.constructor_parameters = set()
        self.declare(node)

    def local(self, node: ast.Declaration) -> None:
        """A declaration in a parser or control."""
        match node:
            case ast.VariableDeclaration():
                self.variable(node)
            case ast.ConstantDeclaration():
                self.constant(node)
            case ast.Instantiation():
                self.instantiation(node)
            case ast.ActionDeclaration():
                self.action(node)
            case ast.TableDeclaration():
                self.table(node)
            case ast.ValueSetDeclaration():
                self.value_set(node)

    # --- instances -----------------------------------------------------------------------

    def instantiation(self, node: ast.Instantiation) -> None:
        """`T(arguments) name;`"""
        type_ = self.resolve(node.type, generic=True)
        info = None
        place = self.frame.place
        if isinstance(type_, BlockType) and place is Place.TOP:
            kind = "parser" if type_.is_parser else "control"
            self.error(
                f"a {kind} cannot be instantiated at the top level",
                node,
                f"it is given to a package, or instantiated in another {kind}",
            )
        elif isinstance(type_, BlockType) and type_.is_parser != (place is Place.PARSER):
            self.error(f"{type_} cannot be instantiated in {place.value}", node)
        elif isinstance(type_, PackageType) and place is not Place.TOP:
            self.error(f"a package cannot be instantiated in {place.value}", node)
        else:
            target = self._constructor(node.type, type_, node.arguments, node.span)
            if target is not None:
                info = self.complete(target, [], node.arguments, node.span, None)
        if info is not None:
            self.checked.constructors[node] = info
        result = UNKNOWN if info is None else info.result
        self.checked.declared[node] = result
        if isinstance(result, ExternType):
            self._implementations(node, result)
        elif node.initializer is not None and info is not None:
            self.error("only externs with abstract methods have an initialiser", node)
        self.declare(node)

    def _implementations(self, node: ast.Instantiation, type_: ExternType) -> None:
        """Each abstract method of the extern has one implementation."""
        abstract = {m.name: m for m in type_.declaration.methods if m.abstract}
        given: Sequence[ast.Declaration] = node.initializer or []
        with self.scope():
            for member in given:
                if isinstance(member, ast.Instantiation):
                    self.instantiation(member)
                elif isinstance(member, ast.FunctionDeclaration):
                    made = self.function(member, type_)
                    method = abstract.pop(member.name, None)
                    if method is None:
                        near = did_you_mean(member.name, abstract)
                        self.error(
                            f"extern {type_} has no abstract method '{member.name}'", member, *near
                        )
                    else:
                        self._matches(member, made, method, type_)
        optional = {
            name for name, m in abstract.items() if any(x.name == "optional" for x in m.annotations)
        }
        for name in sorted(abstract.keys() - optional):
            self.error(
                f"'{node.name}' does not implement the abstract method '{name}'",
                node.name_span,
                Note("declared here", abstract[name].name_span),
            )

    def _matches(
        self,
        node: ast.FunctionDeclaration,
        made: FunctionType,
        method: ast.MethodDeclaration,
        type_: ExternType,
    ) -> None:
        wanted = self.checked.declared.get(method)
        if not isinstance(wanted, FunctionType):
            return
        own = type_.declaration.type_parameters
        by = {TypeVariable(p): t for p, t in zip(own, type_.arguments, strict=True)}
        expected = substitute(wanted, by)
        assert isinstance(expected, FunctionType)
        same = made.result == expected.result and [
            (p.direction, p.type) for p in made.parameters
        ] == [(p.direction, p.type) for p in expected.parameters]
        if not same and not made.type_parameters:
            self.error(
                f"'{node.name}' differs from the abstract method in its result or parameters",
                node.name_span,
                Note("declared here", method.name_span),
            )
