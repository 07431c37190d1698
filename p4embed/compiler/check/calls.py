"""Calls: what is called, with which arguments, and for which type arguments."""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.compiler import ast
from p4embed.compiler.check.arguments import Target
from p4embed.compiler.check.compatibility import is_optional
from p4embed.compiler.check.rules import RuleChecker
from p4embed.compiler.check.types import plural, type_parameters
from p4embed.compiler.checked import CallKind, CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, Note, Span, did_you_mean
from p4embed.compiler.types import (
    BOOL,
    INT,
    SIZE_METHODS,
    UNKNOWN,
    VOID,
    ApplyResultType,
    BlockType,
    ExternType,
    FunctionType,
    PackageType,
    ParameterType,
    StructType,
    TableType,
    Type,
    TypeOfType,
    TypeVariable,
    UnknownType,
    builtin_methods,
    size_in_bits,
)


class CallChecker(RuleChecker):
    """Resolves calls and records them in `CheckedProgram.calls`."""

    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        super().__init__(checked, diagnostics)
        self.rule(ast.Call, self._call)

    def _call(self, expression: ast.Call) -> Type:
        """Type of a call, constructor calls included."""
        callee = expression.callee
        target: Target | None
        match callee:
            case ast.TypeExpression(type=node):
                type_ = self.resolve(node, generic=True)
                target = self._constructor(node, type_, expression.arguments, expression.span)
            case ast.PathExpression():
                target = self._function(callee, expression)
            case ast.Member():
                target = self._method(callee, expression)
            case _:
                self.infer(callee)
                self.error("this cannot be called", callee)
                target = None
        if target is None:
            for argument in expression.arguments:
                if not isinstance(argument.value, ast.DontCare):
                    self.infer(argument.value)
            return UNKNOWN
        info = self.complete(
            target, expression.type_arguments, expression.arguments, expression.span
        )
        if info is None:
            return UNKNOWN
        self.checked.calls[expression] = info
        if info.kind is CallKind.CONSTRUCTOR and isinstance(
            info.declaration, ast.ExternDeclaration
        ):
            abstract = [m.name for m in info.declaration.methods if m.abstract]
            if abstract:
                self.error(
                    f"extern {info.name} has abstract methods: it cannot be made in an expression",
                    expression,
                    "a declaration with an initialiser can implement them",
                )
        self._check_place(info, expression)
        self._check_core(info, expression)
        return info.result

    # --- finding what is called -------------------------------------------------------

    def _function(self, callee: ast.PathExpression, call: ast.Call) -> Target | None:
        found = self.find(callee.name, callee.span, callee.absolute, "function")
        if not found:
            return None
        chosen = self._overload(found, call.arguments, callee.span)
        if chosen is None:
            return None
        self.checked.names[callee] = chosen
        type_ = self.checked.declared.get(chosen, UNKNOWN)
        if isinstance(type_, UnknownType):
            return None
        if not isinstance(type_, FunctionType):
            self.error(
                f"'{callee.name}' cannot be called: it is {_what(chosen, type_)}",
                callee,
                Note("declared here", chosen.name_span),
            )
            return None
        self.checked.types[callee] = type_
        kind = CallKind.FUNCTION
        if isinstance(chosen, ast.ActionDeclaration):
            kind = CallKind.ACTION
        elif isinstance(chosen, ast.MethodDeclaration):
            kind = CallKind.EXTERN_FUNCTION
            if chosen.abstract:
                kind = CallKind.EXTERN_METHOD
        return Target(
            kind, callee.name, chosen, None, type_.parameters, type_.result, type_.type_parameters
        )

    def _overload(
        self, found: Sequence[ast.Declaration], arguments: list[ast.Argument], span: Span
    ) -> ast.Declaration | None:
        """The declaration that takes these arguments, by their number and names."""
        if len(found) == 1:
            return found[0]
        fitting = [d for d in found if _accepts(_parameters(d), arguments)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            self.error(
                f"several declarations of '{found[0].name}' take these arguments",
                span,
                *(Note("this one", d.name_span) for d in fitting),
            )
            return None
        counts = sorted({len(_parameters(d)) for d in found})
        self.error(
            f"no declaration of '{found[0].name}' takes these arguments",
            span,
            f"there are declarations with {' or '.join(map(str, counts))} parameters",
        )
        return None

    def _method(self, callee: ast.Member, call: ast.Call) -> Target | None:
        base = callee.base
        if isinstance(base, ast.TypeExpression):
            return self._on_type(callee, base, call)
        type_ = self.infer(base)
        name = callee.member
        match type_:
            case UnknownType():
                return None
            case TableType(declaration=table) if name == "apply":
                return Target(CallKind.TABLE_APPLY, name, table, base, (), ApplyResultType(table))
            case BlockType() if name == "apply":
                kind = CallKind.PARSER_APPLY if type_.is_parser else CallKind.CONTROL_APPLY
                return Target(kind, name, type_.declaration, base, type_.parameters, VOID)
            case ExternType(declaration=extern):
                return self._extern_method(callee, type_, extern, call)
        if name in builtin_methods(type_):
            return self._builtin(callee, type_, call)
        if isinstance(type_, StructType) and type_.find(name) is not None:
            self.error(f"'{name}' is a field and cannot be called", callee.member_span)
            return None
        known = (
            ["apply"] if isinstance(type_, TableType | BlockType) else list(builtin_methods(type_))
        )
        near = did_you_mean(name, known)
        self.error(f"{type_} has no method '{name}'", callee.member_span, *near)
        return None

    def _on_type(
        self, callee: ast.Member, base: ast.TypeExpression, call: ast.Call
    ) -> Target | None:
        """`C.apply(...)`, which makes an instance of its own, or `T.minSizeInBits()`."""
        type_ = self.resolve(base.type, generic=True)
        if isinstance(type_, UnknownType):
            return None
        self.checked.types[base] = TypeOfType(type_)
        name = callee.member
        if isinstance(type_, BlockType) and name == "apply":
            made = self._constructor(base.type, type_, [], base.span)
            if made is None or self.complete(made, [], [], base.span) is None:
                return None
            kind = CallKind.PARSER_APPLY if type_.is_parser else CallKind.CONTROL_APPLY
            open_ = tuple(v for v in type_.arguments if isinstance(v, TypeVariable))
            return Target(kind, name, type_.declaration, base, type_.parameters, VOID, open_)
        if name in SIZE_METHODS and not call.arguments:
            return self._size(callee, type_)
        self.error(f"type {type_} has no method '{name}'", callee.member_span)
        return None

    def _extern_method(
        self, callee: ast.Member, type_: ExternType, extern: ast.ExternDeclaration, call: ast.Call
    ) -> Target | None:
        name = callee.member
        methods = [m for m in extern.methods if m.name == name and m.return_type is not None]
        if not methods:
            known = [m.name for m in extern.methods if m.return_type is not None]
            self.error(
                f"extern {type_} has no method '{name}'",
                callee.member_span,
                *(did_you_mean(name, known) or [Note("declared here", extern.name_span)]),
            )
            return None
        chosen = self._overload(methods, call.arguments, callee.member_span)
        if chosen is None:
            return None
        method = self.checked.declared.get(chosen)
        if not isinstance(method, FunctionType):
            return None
        self.checked.names[callee] = chosen
        bound = {
            TypeVariable(p): t
            for p, t in zip(extern.type_parameters, type_.arguments, strict=True)
            if t != TypeVariable(p) and not isinstance(t, UnknownType)
        }
        return Target(
            CallKind.EXTERN_METHOD,
            name,
            chosen,
            callee.base,
            method.parameters,
            method.result,
            method.type_parameters,
            dict(bound),
        )

    def _builtin(self, callee: ast.Member, type_: Type, call: ast.Call) -> Target | None:
        name = callee.member
        if name in SIZE_METHODS:
            return self._size(callee, type_)
        wanted = 1 if name in ("push_front", "pop_front") else 0
        if len(call.arguments) != wanted or call.type_arguments:
            self.error(f"'{name}' takes {plural(wanted, 'argument')}", callee.member_span)
            return None
        if name != "isValid":
            reason = self.is_writable(callee.base)
            if reason is not None:
                self.error(f"'{name}' changes a header, but {reason}", callee.base)
                return None
        for argument in call.arguments:
            self.positive(argument.value, f"argument of {name}", 1 << 16)
        result = BOOL if name == "isValid" else VOID
        return Target(CallKind.BUILTIN, name, None, callee.base, (), result)

    def _size(self, callee: ast.Member, type_: Type) -> Target | None:
        if size_in_bits(type_) is None and not isinstance(type_, TypeVariable):
            self.error(f"{type_} has no size in bits", callee.base)
            return None
        return Target(CallKind.BUILTIN, callee.member, None, callee.base, (), INT)

    def _constructor(
        self, node: ast.TypeNode, type_: Type, arguments: list[ast.Argument], span: Span
    ) -> Target | None:
        """Constructor of a type; `type_` may have its own variables as arguments."""
        match type_:
            case UnknownType():
                return None
            case ExternType(declaration=extern):
                constructors = [m for m in extern.methods if m.return_type is None]
                if not constructors:
                    self.error(
                        f"extern {extern.name} has no constructor",
                        node,
                        Note("declared here", extern.name_span),
                    )
                    return None
                chosen = self._overload(constructors, arguments, span)
                method = None if chosen is None else self.checked.declared.get(chosen)
                if not isinstance(method, FunctionType):
                    return None
                parameters, declaration = method.parameters, extern
            case BlockType(declaration=block):
                if isinstance(block, ast.ParserTypeDeclaration | ast.ControlTypeDeclaration):
                    kind = "parser" if type_.is_parser else "control"
                    self.error(
                        f"'{block.name}' is a {kind} type without a body; it has no instances",
                        node,
                        Note("declared here", block.name_span),
                    )
                    return None
                return self._block(node, type_, block, arguments, span)
            case PackageType(declaration=package):
                return self._block(node, type_, package, arguments, span)
            case _:
                self.error(
                    f"{type_} has no constructor",
                    node,
                    f"a cast is written as ({type_}) value",
                )
                return None
        return self._made(type_, declaration, parameters, declaration.name)

    def _block(
        self,
        node: ast.TypeNode,
        type_: BlockType | PackageType,
        block: ast.ParserDeclaration | ast.ControlDeclaration | ast.PackageDeclaration,
        arguments: list[ast.Argument],
        span: Span,
    ) -> Target | None:
        """Constructor of a parser, control or package; these can be overloaded."""
        name = node.base if isinstance(node, ast.SpecializedType) else node
        chosen: ast.Declaration | None = block
        if isinstance(name, ast.TypeName):
            chosen = self._overload(self.names.current.lookup(name.name), arguments, span)
            if chosen is None:
                return None
            self.checked.names[name] = chosen
        generic = self.checked.declared.get(chosen or block, type_)
        if not isinstance(generic, BlockType | PackageType):
            return None
        return self._made(
            type_, generic.declaration, generic.constructor_parameters, generic.declaration.name
        )

    def _made(
        self,
        type_: Type,
        declaration: ast.Declaration,
        parameters: tuple[ParameterType, ...],
        name: str,
    ) -> Target:
        own = [TypeVariable(p) for p in type_parameters(declaration)]
        given = getattr(type_, "arguments", ())
        # `_` among the arguments is left to inference, as are arguments left out.
        bound = {
            v: t
            for v, t in zip(own, given, strict=False)
            if v != t and not isinstance(t, UnknownType)
        }
        open_ = tuple(v for v in own if v not in bound)
        result = self.checked.declared.get(declaration, type_)
        return Target(
            CallKind.CONSTRUCTOR, name, declaration, None, parameters, result, open_, dict(bound)
        )


def _parameters(declaration: ast.Declaration) -> list[ast.Parameter]:
    match declaration:
        case ast.ParserDeclaration() | ast.ControlDeclaration():
            return declaration.constructor_parameters
        case (
            ast.MethodDeclaration()
            | ast.FunctionDeclaration()
            | ast.ActionDeclaration()
            | ast.PackageDeclaration()
        ):
            return declaration.parameters
    return []


def _accepts(parameters: list[ast.Parameter], arguments: list[ast.Argument]) -> bool:
    """Whether number and names of the arguments fit the parameters."""
    if len(arguments) > len(parameters):
        return False
    if any(a.name is not None for a in arguments):
        given = {a.name for a in arguments}
        if not given <= {p.name for p in parameters}:
            return False
        rest = [p for p in parameters if p.name not in given]
    else:
        rest = parameters[len(arguments) :]
    return all(p.default is not None or is_optional(p) for p in rest)


def _what(declaration: ast.Declaration, type_: Type) -> str:
    """What a name that is no function is, for a message."""
    match declaration:
        case ast.TableDeclaration():
            return "a table (tables are applied: t.apply())"
        case ast.TypeDeclaration():
            return f"type {declaration.name}"
    return f"of type {type_}"
