"""Instantiations and the implementations of abstract methods."""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.compiler import ast
from p4embed.compiler.check.compatibility import is_optional
from p4embed.compiler.check.functions import FunctionChecker
from p4embed.compiler.check.scope import Place
from p4embed.compiler.diagnostics import Note, did_you_mean
from p4embed.compiler.types import (
    UNKNOWN,
    BlockType,
    ExternType,
    FunctionType,
    PackageType,
    TypeVariable,
    substitute,
)


class InstanceChecker(FunctionChecker):
    """Checks instances of externs, parsers, controls and packages."""

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
                info = self.complete(target, [], node.arguments, node.span)
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
        if not abstract and node.initializer is not None:
            self.error(f"extern {type_} has no abstract methods to implement", node)
            return
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
        given = {p.name for p in made.parameters}
        needed = [
            (p.direction, p.type)
            for p in expected.parameters
            if p.name in given or not is_optional(p.declaration)
        ]
        same = made.result == expected.result and needed == [
            (p.direction, p.type) for p in made.parameters
        ]
        if not same and not made.type_parameters:
            self.error(
                f"'{node.name}' differs from the abstract method in its result or parameters",
                node.name_span,
                Note("declared here", method.name_span),
            )
