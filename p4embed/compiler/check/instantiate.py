"""Makes the tree of instances that a checked program stands for (section 18.3)."""

from __future__ import annotations

from dataclasses import fields

from p4embed.compiler import ast
from p4embed.compiler.check.evaluate import EvaluationError, constant
from p4embed.compiler.checked import (
    BoundArgument,
    CallInfo,
    CallKind,
    CheckedProgram,
    Instance,
    Value,
)
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.types import PackageType, substitute

_MADE = (
    ast.PackageDeclaration,
    ast.ParserDeclaration,
    ast.ControlDeclaration,
    ast.ExternDeclaration,
)


def instantiate(checked: CheckedProgram, diagnostics: Diagnostics) -> None:
    """Fill `checked.instances` and `checked.main`."""
    maker = _Maker(checked, diagnostics)
    for declaration in checked.program.declarations:
        if not isinstance(declaration, ast.Instantiation):
            continue
        instance = maker.declared(declaration, None)
        if instance is None:
            continue
        checked.instances[declaration] = instance
        if declaration.name == "main":
            if isinstance(instance.type, PackageType):
                checked.main = instance
            else:
                diagnostics.error(
                    f"'main' is an instance of a package, not of {instance.type}", declaration.span
                )
    if checked.main is None and not diagnostics.failed:
        diagnostics.warning("the program has no instance 'main' of a package", checked.program.last)


class _Maker:
    def __init__(self, checked: CheckedProgram, diagnostics: Diagnostics) -> None:
        self.checked = checked
        self.diagnostics = diagnostics
        self.sites: dict[ast.Node, list[ast.Instantiation | ast.Call]] = {}

    def declared(self, node: ast.Instantiation, parent: Instance | None) -> Instance | None:
        """The instance that a declaration makes."""
        info = self.checked.constructors.get(node)
        return None if info is None else self.make(node, node.name, info, parent)

    def make(
        self,
        node: ast.Instantiation | ast.Call,
        name: str,
        info: CallInfo,
        parent: Instance | None,
    ) -> Instance | None:
        """One instance with all that its body and its constructor arguments make."""
        if not isinstance(info.declaration, _MADE):
            return None
        outer = parent.type_arguments if parent is not None else {}
        arguments = {v: substitute(t, outer) for v, t in info.type_arguments.items()}
        instance = Instance(
            name,
            node,
            substitute(info.result, outer),
            info.declaration,
            {**outer, **arguments},
            parent=parent,
        )
        for argument in info.arguments:
            instance.constructor_arguments[argument.parameter.name] = self.argument(
                argument, parent, instance
            )
        if isinstance(info.declaration, ast.ParserDeclaration | ast.ControlDeclaration):
            for site in self.sites_in(info.declaration):
                self.child(site, instance)
        return instance

    def child(self, site: ast.Instantiation | ast.Call, instance: Instance) -> None:
        """Make what `site` in the body of `instance` makes."""
        made: Instance | None
        if isinstance(site, ast.Instantiation):
            made = self.declared(site, instance)
        else:
            info = self.checked.calls[site]
            if info.kind is CallKind.CONSTRUCTOR:
                made = self.make(site, info.name, info, instance)
            else:
                # `C.apply(...)`: an instance of its own, named after its type.
                assert info.declaration is not None
                constructor = CallInfo(
                    CallKind.CONSTRUCTOR,
                    info.declaration.name,
                    info.declaration,
                    None,
                    info.type_arguments,
                    (),
                    substitute(self.checked.declared[info.declaration], info.type_arguments),
                )
                made = self.make(site, info.declaration.name, constructor, instance)
        if made is not None:
            instance.children[site] = made

    def argument(
        self, argument: BoundArgument, parent: Instance | None, owner: Instance
    ) -> Value | Instance | None:
        """Value of a constructor argument, evaluated where the constructor is called."""
        value = argument.value
        if value is None or isinstance(value, ast.DontCare):
            return None
        known = self.checked.constants.get(value)
        if known is not None:
            return known
        if isinstance(value, ast.Call):
            info = self.checked.calls.get(value)
            if info is not None and info.kind is CallKind.CONSTRUCTOR:
                if parent is not None and value in parent.children:
                    return parent.children[value]
                made = self.make(value, argument.parameter.name, info, parent)
                if made is not None and parent is not None:
                    parent.children[value] = made
                return made
        if isinstance(value, ast.PathExpression):
            declaration = self.checked.names.get(value)
            if isinstance(declaration, ast.Instantiation):
                local = parent.children.get(declaration) if parent is not None else None
                return local or self.checked.instances.get(declaration)
        if parent is None:
            return None
        try:
            return constant(value, self.checked, parent)
        except EvaluationError as error:
            self.diagnostics.error(error.message, error.span, f"in the arguments of '{owner.name}'")
            return None

    def sites_in(
        self, declaration: ast.ParserDeclaration | ast.ControlDeclaration
    ) -> list[ast.Instantiation | ast.Call]:
        """Everything in a body that makes an instance, in order; nested constructor calls
        come with the instance they are an argument of."""
        found = self.sites.get(declaration)
        if found is None:
            found = []
            self._search(declaration.locals, found)
            match declaration:
                case ast.ParserDeclaration(states=states):
                    self._search(states, found)
                case ast.ControlDeclaration(body=body):
                    self._search(body, found)
            self.sites[declaration] = found
        return found

    def _search(self, part: object, found: list[ast.Instantiation | ast.Call]) -> None:
        match part:
            case list():
                for element in part:
                    self._search(element, found)
                return
            case ast.Instantiation():
                found.append(part)
                return
            case ast.Call():
                info = self.checked.calls.get(part)
                if info is not None and (
                    info.kind is CallKind.CONSTRUCTOR
                    or (
                        info.kind in (CallKind.PARSER_APPLY, CallKind.CONTROL_APPLY)
                        and isinstance(info.receiver, ast.TypeExpression)
                    )
                ):
                    found.append(part)
                    return
            case ast.TypeNode() | ast.Annotation():
                return
            case ast.Node():
                pass
            case _:
                return
        for field in fields(part):
            if field.name not in ("span", "name_span"):
                self._search(getattr(part, field.name), found)
