"""Arguments of calls: bound to parameters, converted, and a source of type arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import Bindings, has_int, has_unknown, is_optional, unify
from p4embed.compiler.check.expressions import ExpressionChecker
from p4embed.compiler.check.types import plural
from p4embed.compiler.checked import BoundArgument, CallInfo, CallKind
from p4embed.compiler.diagnostics import Note, Span, did_you_mean
from p4embed.compiler.types import (
    STRING,
    UNKNOWN,
    BlockType,
    FunctionType,
    ParameterType,
    SetType,
    TableType,
    Type,
    TypeOfType,
    TypeVariable,
    UnknownType,
    substitute,
)


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


class ArgumentChecker(ExpressionChecker):
    """Completes calls whose target is known."""

    # --- arguments and type arguments ---------------------------------------------------

    def complete(
        self,
        target: Target,
        type_arguments: list[ast.TypeNode],
        arguments: list[ast.Argument],
        span: Span,
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
        given = dict(bound)
        for parameter, value in pairs:
            if value is None or isinstance(value, ast.DontCare):
                continue
            if value is _default(parameter):
                have = self.checked.types.get(value, UNKNOWN)
            else:
                have = self.infer(value)
            if not unify(substitute(parameter.type, given), have, variables, bound):
                self.error(
                    f"argument '{parameter.name}' of {target.name} is {have}, which contradicts "
                    f"the type of another argument",
                    value,
                )
                return None
        # Those of parameters left out may stay open; those of the result may not.
        open_ = [v for v in variables if v not in bound]
        if open_ and isinstance(target.declaration, ast.ExternDeclaration):
            self._uninferred(target, open_[0], pairs, span)
            bound.update(dict.fromkeys(open_, UNKNOWN))
        elif open_ and target.kind is not CallKind.CONSTRUCTOR:
            holes = dict.fromkeys(open_, UNKNOWN)
            needed = [target.result, *(p.type for p, v in pairs if isinstance(v, ast.DontCare))]
            if any(has_unknown(substitute(t, holes)) and not has_unknown(t) for t in needed):
                self._uninferred(target, open_[0], pairs, span)
                bound.update(dict.fromkeys(open_, UNKNOWN))
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
        block = isinstance(have, BlockType) and target.kind is not CallKind.CONSTRUCTOR
        if block or isinstance(have, TypeOfType | TableType | FunctionType | SetType):
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
        if type_ == STRING and parameter.direction is not ast.Direction.NONE:
            self.error(f"{what} has a direction and cannot be a string", value)
        if (
            has_int(type_)
            and isinstance(parameter.type, TypeVariable)
            and target.kind is not CallKind.CONSTRUCTOR
        ):
            self.error(
                f"the width of {what} is not known",
                value,
                "a literal with a width is written as in 8w1",
            )
        if target.kind is CallKind.CONSTRUCTOR:
            self._static_argument(value, what)
        return made

    def _static_argument(self, value: ast.Expression, what: str) -> None:
        type_ = self.checked.types.get(value, UNKNOWN)  # a misplaced '_' has none
        if isinstance(type_, UnknownType) or self.is_static(value):
            return
        match value:
            case ast.Call():
                info = self.checked.calls.get(value)
                made = (CallKind.CONSTRUCTOR, CallKind.EXTERN_FUNCTION, CallKind.EXTERN_METHOD)
                if info is None or info.kind in made:
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


def _default(parameter: ParameterType) -> ast.Expression | None:
    return parameter.declaration.default
