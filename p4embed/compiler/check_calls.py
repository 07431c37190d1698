"""Calls: what is called, with which arguments, and for which type arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from p4embed.compiler import ast
from p4embed.compiler.check_expressions import ExpressionChecker
from p4embed.compiler.check_types import plural, type_parameters
from p4embed.compiler.checked import BoundArgument, CallInfo, CallKind
from p4embed.compiler.convert import Bindings, is_optional, unify
from p4embed.compiler.diagnostics import Note, Span, did_you_mean
from p4embed.compiler.scope import Place
from p4embed.compiler.types import (
    BOOL,
    INT,
    UNKNOWN,
    VOID,
    ApplyResultType,
    BlockType,
    ExternType,
    FunctionType,
    IntType,
    PackageType,
    ParameterType,
    SetType,
    StackType,
    StructType,
    TableType,
    Type,
    TypeOfType,
    TypeVariable,
    UnknownType,
    size_in_bits,
    substitute,
)

_SIZES = ("minSizeInBits", "minSizeInBytes", "maxSizeInBits", "maxSizeInBytes")
_CALLABLE = (ast.MethodDeclaration, ast.FunctionDeclaration, ast.ActionDeclaration)


@dataclass(slots=True)
class Target:
    """What a call goes to, before its arguments are looked at."""

    kind: CallKind
    name: str
    declaration: ast.Declaration | None
    receiver: ast.Expression | None
    parameters: tuple[ParameterType, ...]
    result: Type
    variables: tuple[TypeVariable, ...] = ()
    """Type variables to be inferred."""
    bound: Bindings = field(default_factory=dict)
    """Those known already."""


class CallChecker(ExpressionChecker):
    """Resolves calls and records them in `CheckedProgram.calls`."""

    def call(self, expression: ast.Call, hint: Type | None) -> Type:
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
            target, expression.type_arguments, expression.arguments, expression.span, hint
        )
        if info is None:
            return UNKNOWN
        self.checked.calls[expression] = info
        self._check_place(info, expression)
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
            # Prefer the one that needs no defaults.
            exact = [d for d in fitting if len(_parameters(d)) == len(arguments)]
            if len(exact) == 1:
                return exact[0]
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
        builtin = self._builtin(callee, type_, call)
        if builtin is not None:
            return builtin
        if isinstance(type_, StructType) and type_.find(name) is not None:
            self.error(f"'{name}' is a field and cannot be called", callee.member_span)
            return None
        known = ["apply"] if isinstance(type_, TableType | BlockType) else list(_builtins(type_))
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
            if made is None or self.complete(made, [], [], base.span, None) is None:
                return None
            kind = CallKind.PARSER_APPLY if type_.is_parser else CallKind.CONTROL_APPLY
            open_ = tuple(v for v in type_.arguments if isinstance(v, TypeVariable))
            return Target(kind, name, type_.declaration, base, type_.parameters, VOID, open_)
        if name in _SIZES and not call.arguments:
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
            if t != TypeVariable(p)
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
        if name not in _builtins(type_):
            return None
        if name in _SIZES:
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
                return self._made(type_, block, type_.constructor_parameters, block.name)
            case PackageType(declaration=package):
                return self._made(type_, package, type_.constructor_parameters, package.name)
            case _:
                self.error(
                    f"{type_} has no constructor",
                    node,
                    f"a cast is written as ({type_}) value",
                )
                return None
        return self._made(type_, declaration, parameters, declaration.name)

    def _made(
        self,
        type_: Type,
        declaration: ast.Declaration,
        parameters: tuple[ParameterType, ...],
        name: str,
    ) -> Target:
        own = [TypeVariable(p) for p in type_parameters(declaration)]
        given = getattr(type_, "arguments", ())
        bound = {v: t for v, t in zip(own, given, strict=False) if v != t}
        open_ = tuple(v for v in own if v not in bound)
        return Target(
            CallKind.CONSTRUCTOR, name, declaration, None, parameters, type_, open_, dict(bound)
        )

    # --- arguments and type arguments ---------------------------------------------------

    def complete(
        self,
        target: Target,
        type_arguments: list[ast.TypeNode],
        arguments: list[ast.Argument],
        span: Span,
        hint: Type | None,
    ) -> CallInfo | None:
        """Bind the arguments to the parameters and infer type arguments; None after errors
        that leave the call without a meaning."""
        if target.kind is CallKind.BUILTIN:
            return CallInfo(target.kind, target.name, None, target.receiver, {}, (), target.result)
        bound = dict(target.bound)
        if type_arguments and not self._explicit(target, type_arguments, span, bound):
            return None
        pairs = self.bind(target, arguments, span)
        if pairs is None:
            for argument in arguments:
                if not isinstance(argument.value, ast.DontCare):
                    self.infer(argument.value)
            return None
        variables = [v for v in target.variables if v not in bound]
        for parameter, value in pairs:
            if value is None or isinstance(value, ast.DontCare) or value is _default(parameter):
                continue
            wanted = substitute(parameter.type, bound)
            have = self.infer(value, wanted)
            if not unify(wanted, have, variables, bound):
                self.error(
                    f"argument '{parameter.name}' of {target.name} is {have}, which contradicts "
                    f"the type of another argument",
                    value,
                )
                return None
        for variable in variables:
            if variable not in bound and hint is not None:
                unify(target.result, hint, variables, bound)
        for variable in variables:
            if variable not in bound:
                self._uninferred(target, variable, pairs, span)
                bound[variable] = UNKNOWN
        made = [self._argument(target, p, value, bound) for p, value in pairs]
        return CallInfo(
            target.kind,
            target.name,
            target.declaration,
            target.receiver,
            bound,
            tuple(made),
            substitute(target.result, bound),
        )

    def _explicit(
        self, target: Target, nodes: list[ast.TypeNode], span: Span, bound: Bindings
    ) -> bool:
        if len(nodes) != len(target.variables):
            count = len(target.variables)
            wanted = plural(count, "type argument") if count else "no type arguments"
            self.error(f"'{target.name}' takes {wanted}, not {len(nodes)}", span)
            return False
        for variable, node in zip(target.variables, nodes, strict=True):
            if not isinstance(node, ast.DontCareType):
                bound[variable] = self.resolve(node)
        return True

    def _uninferred(
        self,
        target: Target,
        variable: TypeVariable,
        pairs: list[tuple[ParameterType, ast.Expression | None]],
        span: Span,
    ) -> None:
        errors = any(
            v is not None and isinstance(self.checked.types.get(v), UnknownType) for _, v in pairs
        )
        if not errors:
            self.error(
                f"the type argument '{variable}' of '{target.name}' cannot be inferred",
                span,
                f"it can be given: {target.name}<...>(...)",
            )

    def bind(
        self, target: Target, arguments: list[ast.Argument], span: Span
    ) -> list[tuple[ParameterType, ast.Expression | None]] | None:
        """Each parameter with its argument: the one given, the default, or None if the
        parameter is optional. None altogether after an error."""
        parameters = target.parameters
        notes = []
        if target.declaration is not None:
            notes.append(Note("declared here", target.declaration.name_span))
        named = {a.name: a for a in arguments if a.name is not None}
        if named and len(named) != len(arguments):
            doubled = len([a for a in arguments if a.name is not None]) != len(named)
            self.error(
                "an argument is given twice"
                if doubled
                else "either all arguments have names or none",
                span,
            )
            return None
        if not named and len(arguments) > len(parameters):
            self.error(
                f"'{target.name}' takes {plural(len(parameters), 'argument')}, "
                f"not {len(arguments)}",
                span,
                *notes,
            )
            return None
        known = [p.name for p in parameters]
        for name, argument in named.items():
            if name not in known:
                near = did_you_mean(name, known)
                self.error(f"'{target.name}' has no parameter '{name}'", argument, *near, *notes)
                return None
        pairs: list[tuple[ParameterType, ast.Expression | None]] = []
        for position, parameter in enumerate(parameters):
            given: ast.Argument | None
            if named:
                given = named.get(parameter.name)
            else:
                given = arguments[position] if position < len(arguments) else None
            if given is not None:
                pairs.append((parameter, given.value))
                continue
            default = _default(parameter)
            if default is None and not is_optional(parameter.declaration):
                if named:
                    message = f"'{target.name}' needs an argument for '{parameter.name}'"
                else:
                    message = (
                        f"'{target.name}' takes {plural(len(parameters), 'argument')}, "
                        f"not {len(arguments)}"
                    )
                self.error(message, span, *notes)
                return None
            pairs.append((parameter, default))
        return pairs

    def _argument(
        self,
        target: Target,
        parameter: ParameterType,
        value: ast.Expression | None,
        bound: Bindings,
    ) -> BoundArgument:
        """Convert one argument and check that its direction allows it."""
        type_ = substitute(parameter.type, bound)
        made = BoundArgument(parameter.declaration, type_, value)
        if value is None or value is _default(parameter):
            return made
        if isinstance(value, ast.DontCare):
            if parameter.direction is not ast.Direction.OUT and not is_optional(
                parameter.declaration
            ):
                self.error(
                    f"'_' can stand only for 'out' parameters; '{parameter.name}' is none", value
                )
            return made
        have = self.checked.types[value]
        what = f"argument '{parameter.name}' of {target.name}"
        if isinstance(have, TypeOfType | TableType | FunctionType | SetType):
            self.error(f"{have} cannot be an argument", value)
            return made
        if parameter.direction in (ast.Direction.OUT, ast.Direction.INOUT):
            if isinstance(have, UnknownType):
                return made
            reason = self.is_writable(value)
            if reason is not None:
                self.error(
                    f"{what} is '{parameter.direction.value}' and needs a variable, but {reason}",
                    value,
                )
            elif have != type_ and not isinstance(type_, UnknownType):
                self.error(f"expected {type_} as {what}, found {have}", value)
            return made
        self.coerce(value, have, type_, what)
        if target.kind is CallKind.CONSTRUCTOR:
            self._static_argument(value, what)
        return made

    def _static_argument(self, value: ast.Expression, what: str) -> None:
        type_ = self.checked.types[value]
        if isinstance(type_, UnknownType) or self.is_static(value):
            return
        match value:
            case ast.Call():
                info = self.checked.calls.get(value)
                if info is None or info.kind is CallKind.CONSTRUCTOR:
                    return
            case ast.PathExpression():
                declaration = self.checked.names.get(value)
                if isinstance(declaration, ast.Instantiation):
                    return
                if declaration in self.constructor_parameters:
                    return
            case ast.ListExpression(elements=elements):
                for element in elements:
                    self._static_argument(element, what)
                return
            case ast.StructExpression(fields=fields):
                for named in fields:
                    self._static_argument(named.value, what)
                return
            case ast.Cast(operand=operand):
                self._static_argument(operand, what)
                return
            case ast.InvalidHeader() | ast.Dots() | ast.ThisExpression():
                return
        self.error(f"{what} must be known at compile time", value)

    # --- where calls may stand ----------------------------------------------------------

    def _check_place(self, info: CallInfo, call: ast.Call) -> None:
        place = self.frame.place
        match info.kind:
            case CallKind.TABLE_APPLY if place is not Place.CONTROL:
                self.error(f"a table cannot be applied in {place.value}", call)
            case CallKind.CONTROL_APPLY if place is not Place.CONTROL:
                self.error(f"a control cannot be applied in {place.value}", call)
            case CallKind.PARSER_APPLY if place is not Place.PARSER:
                self.error(f"a parser cannot be applied in {place.value}", call)
            case CallKind.ACTION if place not in (Place.CONTROL, Place.ACTION):
                self.error(f"an action cannot be called in {place.value}", call)
            case CallKind.CONSTRUCTOR if place in (Place.ACTION, Place.FUNCTION):
                self.error(f"an instance cannot be made in {place.value}", call)


def _default(parameter: ParameterType) -> ast.Expression | None:
    return parameter.declaration.default


def _parameters(declaration: ast.Declaration) -> list[ast.Parameter]:
    return declaration.parameters if isinstance(declaration, _CALLABLE) else []


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


def _builtins(type_: Type) -> tuple[str, ...]:
    """Methods that values of the type have by themselves."""
    match type_:
        case StructType() if type_.is_header:
            return ("isValid", "setValid", "setInvalid", *_SIZES)
        case StructType() if type_.is_union:
            return ("isValid", *_SIZES)
        case StackType():
            return ("push_front", "pop_front", *_SIZES)
        case UnknownType() | IntType() | ExternType() | BlockType() | PackageType() | TableType():
            return ()
    return _SIZES


def _what(declaration: ast.Declaration, type_: Type) -> str:
    """What a name that is no function is, for a message."""
    match declaration:
        case ast.TableDeclaration():
            return "a table (tables are applied: t.apply())"
        case ast.TypeDeclaration():
            return f"type {declaration.name}"
    return f"of type {type_}"
