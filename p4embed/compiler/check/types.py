"""Written types: what each stands for."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.inference import InferenceChecker
from p4embed.compiler.diagnostics import Note
from p4embed.compiler.syntax.expression_parser import MAX_WIDTH
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    INT,
    MATCH_KIND,
    STRING,
    UNKNOWN,
    VOID,
    BitType,
    BlockType,
    EnumType,
    ExternType,
    ListType,
    NewType,
    PackageType,
    ParameterType,
    StackType,
    StructType,
    TupleType,
    Type,
    TypeVariable,
    UnknownType,
    VarbitType,
    substitute,
)

_SIMPLE = {
    "bool": BOOL,
    "error": ERROR,
    "string": STRING,
    "match_kind": MATCH_KIND,
    "void": VOID,
}

MAX_STACK = 65536
"""Elements in a header stack."""


class TypeChecker(InferenceChecker):
    """Resolves written types."""

    # --- types ---------------------------------------------------------------------

    def resolve(self, node: ast.TypeNode, *, generic: bool = False) -> Type:
        """What a written type stands for. With `generic`, type arguments may be left out, and
        then the type's own variables stand for them."""
        type_ = self._resolve(node, generic)
        self.checked.type_nodes[node] = type_
        return type_

    def _resolve(self, node: ast.TypeNode, generic: bool) -> Type:
        match node:
            case ast.BaseType(keyword=keyword, width=width):
                if keyword == "error" and not self.checked.errors:
                    self.error("no error is declared yet", node, "core.p4 declares the first ones")
                    return UNKNOWN
                simple = _SIMPLE.get(keyword)
                if simple is not None:
                    return simple
                if width is None:
                    return INT if keyword == "int" else BitType(1)
                bits = self.width(width, signed=keyword == "int")
                if bits is None:
                    return UNKNOWN
                if keyword == "varbit":
                    return VarbitType(bits)
                return BitType(bits, keyword == "int")
            case ast.TypeName():
                return self._named(node, generic)
            case ast.SpecializedType(base=base, arguments=arguments):
                return self._specialized(node, base, arguments)
            case ast.HeaderStackType(element=element, size=size):
                return self._stack(element, size)
            case ast.TupleTypeNode(elements=elements):
                return TupleType(tuple(self.value_type(e, "element of a tuple") for e in elements))
            case ast.DontCareType():
                self.error("'_' cannot stand for a type here", node)
            case ast.ListTypeNode(element=element):
                return ListType(self.value_type(element, "element of a list"))
        return UNKNOWN

    def _named(self, node: ast.TypeName, generic: bool) -> Type:
        found = self.find(node.name, node.span, node.absolute, "type")
        if not found:
            return UNKNOWN
        declaration = found[0]
        if not isinstance(declaration, ast.TypeDeclaration | ast.TypeParameter):
            self.error(
                f"'{node.name}' is not a type", node, Note("declared here", declaration.name_span)
            )
            return UNKNOWN
        self.checked.names[node] = declaration
        type_ = self.checked.declared.get(declaration, UNKNOWN)
        wanted = len(type_parameters(declaration))
        if wanted and not generic:
            self.error(
                f"'{node.name}' needs {plural(wanted, 'type argument')}: {node.name}<...>",
                node,
                Note("declared here", declaration.name_span),
            )
            return UNKNOWN
        return type_

    def _specialized(
        self, node: ast.SpecializedType, base: ast.TypeName, arguments: list[ast.TypeNode]
    ) -> Type:
        generic = self.resolve(base, generic=True)
        types = [
            UNKNOWN if isinstance(a, ast.DontCareType) else self.type_argument(a) for a in arguments
        ]
        declaration = self.checked.names.get(base)
        if isinstance(generic, UnknownType) or not isinstance(declaration, ast.Declaration):
            return UNKNOWN
        parameters = type_parameters(declaration)
        if len(parameters) != len(arguments):
            wanted = plural(len(parameters), "type argument") if parameters else "no type arguments"
            self.error(
                f"'{base.name}' takes {wanted}, not {len(arguments)}",
                node,
                Note("declared here", declaration.name_span),
            )
            return UNKNOWN
        for argument, type_ in zip(arguments, types, strict=True):
            if _mentions(type_, declaration):
                self.error(f"'{base.name}' cannot be a type argument of itself", argument)
                return UNKNOWN
        by: dict[TypeVariable, Type] = {
            TypeVariable(p): t for p, t in zip(parameters, types, strict=True)
        }
        if isinstance(declaration, ast.StructDeclaration):
            result = substitute(generic, by)
            self.check_fields(result, node)
            return result
        return substitute(generic, by)

    def type_argument(self, node: ast.TypeNode) -> Type:
        """A type argument of a generic; `void` is one, too."""
        return self.resolve(node)

    def _stack(self, element: ast.TypeNode, size: ast.Expression) -> Type:
        type_ = self.resolve(element)
        count = self.positive(size, "size of a header stack", MAX_STACK, zero=True)
        if isinstance(type_, UnknownType) or count is None:
            return UNKNOWN
        is_header = isinstance(type_, StructType) and (type_.is_header or type_.is_union)
        if not is_header and not isinstance(type_, TypeVariable):
            self.error(f"elements of a stack are headers or header unions, not {type_}", element)
            return UNKNOWN
        return StackType(type_, count)

    def value_type(self, node: ast.TypeNode, what: str) -> Type:
        """A type that values can have: not void, no parser, control, package or extern."""
        type_ = self.resolve(node)
        if isinstance(type_, BlockType | PackageType | ExternType) or type_ == VOID:
            self.error(f"{a(what)} cannot have type {type_}", node)
            return UNKNOWN
        return type_

    def width(self, expression: ast.Expression, *, signed: bool) -> int | None:
        """A width in bits, checked."""
        return self.positive(expression, "width", MAX_WIDTH, zero=not signed)

    def positive(
        self, expression: ast.Expression, what: str, maximum: int, *, zero: bool = False
    ) -> int | None:
        """An integer known at compile time, from 1 (or 0) to `maximum`."""
        type_ = self.infer(expression)
        if isinstance(type_, UnknownType):
            return None
        value = self.checked.constants.get(expression)
        if not isinstance(type_, BitType) and type_ != INT:
            self.error(f"{a(what)} is an integer, not {type_}", expression)
            return None
        if not isinstance(value, int):
            self.error(f"{a(what)} must be known at compile time", expression)
            return None
        if value < 0 or (value == 0 and not zero):
            self.error(
                f"{a(what)} {'cannot be negative' if zero else 'must be positive'}: {value}",
                expression,
            )
            return None
        if value > maximum:
            self.error(f"{a(what)} can be at most {maximum}, not {value}", expression)
            return None
        return value

    # --- what generic structs become when they are specialised ----------------------

    def check_fields(self, type_: Type, where: ast.Node) -> None:
        """Fields of headers have a size; those of unions are headers."""
        if not isinstance(type_, StructType):
            return
        kind = type_.declaration.keyword
        for field in type_.fields:
            span = field.declaration.span if not type_.arguments else where.span
            if isinstance(field.type, UnknownType | TypeVariable):
                continue
            if kind == "struct":
                if not _fits_struct(field.type):
                    self.error(f"a struct cannot have a field of type {field.type}", span)
            elif kind == "header_union":
                if not (isinstance(field.type, StructType) and field.type.is_header):
                    self.error(
                        f"fields of a header union are headers, but '{field.name}' is {field.type}",
                        span,
                    )
            elif not _fits_header(field.type):
                self.error(f"a header cannot have a field of type {field.type}", span)

    # --- parameters ----------------------------------------------------------------

    def parameter_types(self, parameters: list[ast.Parameter]) -> tuple[ParameterType, ...]:
        """Resolve the parameters' types (once), without declaring their names."""
        found: list[ParameterType] = []
        for parameter in parameters:
            type_ = self.checked.declared.get(parameter)
            if type_ is None:
                type_ = self.resolve(parameter.type)
                if type_ == VOID:
                    self.error(f"parameter '{parameter.name}' cannot have type void", parameter)
                    type_ = UNKNOWN
                self.checked.declared[parameter] = type_
            found.append(ParameterType(parameter, type_))
        return tuple(found)


def type_parameters(declaration: ast.Declaration) -> list[ast.TypeParameter]:
    """The declared type parameters; none for what cannot have any."""
    match declaration:
        case (
            ast.StructDeclaration()
            | ast.ExternDeclaration()
            | ast.ParserTypeDeclaration()
            | ast.ControlTypeDeclaration()
            | ast.ParserDeclaration()
            | ast.ControlDeclaration()
            | ast.PackageDeclaration()
            | ast.MethodDeclaration()
            | ast.FunctionDeclaration()
        ):
            return declaration.type_parameters
    return []


def _mentions(type_: Type, generic: ast.Declaration) -> bool:
    """Whether a type is a specialisation of `generic`, or has one among its arguments."""
    match type_:
        case (
            StructType(declaration=declaration, arguments=arguments)
            | ExternType(declaration=declaration, arguments=arguments)
        ):
            return declaration is generic or any(_mentions(a, generic) for a in arguments)
        case TupleType(elements=elements):
            return any(_mentions(e, generic) for e in elements)
        case ListType(element=element) | StackType(element=element):
            return _mentions(element, generic)
    return False


def _fits_header(type_: Type) -> bool:
    match type_:
        case BitType() | VarbitType():
            return True
        case EnumType(underlying=underlying):
            return underlying is not None
        case NewType(underlying=under):
            return _fits_header(under)
        case StructType(fields=fields):
            return type_.is_struct and all(_fits_header(f.type) for f in fields)
        case TypeVariable() | UnknownType():
            return True
    return type_ == BOOL


def _fits_struct(type_: Type) -> bool:
    return not isinstance(type_, BlockType | PackageType | ExternType) and type_ not in (
        VOID,
        INT,
        STRING,
        MATCH_KIND,
    )


def a(noun: str) -> str:
    """The noun with its article."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def plural(count: int, noun: str) -> str:
    """`1 argument`, `2 arguments`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
