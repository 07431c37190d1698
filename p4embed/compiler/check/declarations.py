"""Declarations of types, externs, functions, parsers, controls and instances."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.instances import InstanceChecker
from p4embed.compiler.check.scope import Frame, Place
from p4embed.compiler.checked import EnumValue
from p4embed.compiler.diagnostics import Note
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    STRING,
    UNKNOWN,
    BitType,
    BlockType,
    EnumType,
    ExternType,
    Field,
    NewType,
    PackageType,
    StructType,
    Type,
    TypeVariable,
    UnknownType,
    VarbitType,
)


class DeclarationChecker(InstanceChecker):
    """Checks declarations in their order; a name is known after its declaration only."""

    def top_level(
        self, node: ast.Declaration | ast.ErrorDeclaration | ast.MatchKindDeclaration
    ) -> None:
        """One declaration of the program."""
        if isinstance(node, ast.TypeDeclaration) and node.name == "main":
            self.error("'main' must be an instance of a package", node.name_span)
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

    def struct(self, node: ast.StructDeclaration) -> None:
        """A struct, header or header union."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            fields: list[Field] = []
            seen: dict[str, ast.StructField] = {}
            for field in node.fields:
                type_ = self.resolve(field.type)
                self.checked.declared[field] = type_
                self._annotation_numbers(field)
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
        varying = [f.declaration for f in fields if isinstance(f.type, VarbitType)]
        if struct.is_header and len(varying) > 1:
            self.error(
                f"header '{node.name}' has several varbit fields, which no extraction could tell"
                " apart",
                varying[1],
                Note("the first one is here", varying[0].span),
            )
        self.checked.declared[node] = struct
        self.declare(node)

    def structured_annotation(self, node: ast.Annotation) -> None:
        """`@name[...]`: integers, strings and bools known at compile time (P4_16, 20.2)."""
        for value in (*(node.expressions or ()), *(p.value for p in node.pairs or ())):
            type_ = self.infer(value)
            if isinstance(type_, UnknownType):
                continue
            if not isinstance(self.constant_of(value), int | str):
                self.error(
                    "a structured annotation holds integers, strings and bools known at "
                    f"compile time, not {type_}",
                    value,
                )

    def _annotation_numbers(self, field: ast.StructField) -> None:
        for annotation in field.annotations:
            for number in annotation.numbers or ():
                type_ = self.infer(number)
                if isinstance(type_, UnknownType):
                    continue
                value = self.constant_of(number)
                if isinstance(value, EnumValue):
                    value = value.value
                if not isinstance(value, int) or isinstance(value, bool):
                    self.error(
                        f"@{annotation.name} wants numbers known at compile time, not {type_}"
                        if value is not None
                        else f"@{annotation.name} wants numbers known at compile time",
                        number,
                    )

    def enum(self, node: ast.EnumDeclaration) -> None:
        """An enum, with its members' values if it is serialisable."""
        underlying: Type | None = None
        if node.underlying is not None:
            underlying = self.resolve(node.underlying)
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
        with self.scope():
            self._member_values(node, underlying)

    def _member_values(self, node: ast.EnumDeclaration, underlying: Type | None) -> None:
        """Values of a serialisable enum's members, which may use those before them."""
        for member in node.members:
            if member.value is None or underlying is None:
                continue
            self.checked.declared[member] = self.checked.declared[node]
            if self.want(member.value, underlying, f"value of '{member.name}'"):
                known = not isinstance(self.checked.types[member.value], UnknownType)
                if known and not isinstance(self.constant_of(member.value), int):
                    self.error(
                        f"the value of '{member.name}' must be known at compile time",
                        member.value,
                    )
            if member.name not in self.names.current.names:
                self.declare(member)

    def typedef(self, node: ast.TypedefDeclaration) -> None:
        """`typedef` or `type`."""
        for annotation in node.annotations:
            if annotation.name == "p4runtime_translation" and not _translates(annotation):
                self.error(
                    '@p4runtime_translation wants ("URI", TYPE)',
                    annotation,
                    "TYPE is string, a number of bits W, or bit<W>",
                )
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

    def package(self, node: ast.PackageDeclaration) -> None:
        """A package's type."""
        with self.unfinished(node.name), self.scope():
            variables = self.type_variables(node.type_parameters)
            types = self.parameters(node.parameters, constructor=True)
        self.checked.declared[node] = PackageType(node, variables, types)
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


def _translates(annotation: ast.Annotation) -> bool:
    """Whether the body is a URI and the control plane's type (P4Runtime specification,
    "Translation of user-defined types")."""
    match annotation.tokens:
        case (uri, ",", "string") if uri.startswith('"'):
            return True
        case (uri, ",", width) | (uri, ",", "bit", "<", width, ">") if uri.startswith('"'):
            return width[0].isdigit()
    return False
