"""Tables: keys, actions, entries and the other properties (specification, section 14.2)."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.arguments import Target
from p4embed.compiler.check.parsers import ParserChecker
from p4embed.compiler.check.scope import Frame, Place
from p4embed.compiler.checked import BoundArgument, CallInfo, CallKind
from p4embed.compiler.diagnostics import Note, did_you_mean
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    INT,
    VOID,
    BitType,
    EnumType,
    FunctionType,
    NewType,
    SetType,
    TableType,
    Type,
    TypeVariable,
    UnknownType,
    VarbitType,
)

_DEFAULT = "default action"
_SINGLE_VALUE = ("exact", "optional")


class TableChecker(ParserChecker):
    """Checks tables and records what their action references mean."""

    def table(self, table: ast.TableDeclaration) -> None:
        """One table; its name is declared at the end."""
        with self.inside(Frame(Place.TABLE)):
            types = [self._key(element) for element in table.key or []]
            self._actions(table)
            self._properties(table)
            if table.entries is not None:
                self._entries(table, table.entries, types)
        self.checked.declared[table] = TableType(table)
        self.declare(table)

    # --- keys ----------------------------------------------------------------------

    def _key(self, element: ast.KeyElement) -> Type:
        type_ = self.infer(element.expression)
        under = type_
        while isinstance(under, NewType):
            under = under.underlying
        plain = isinstance(under, BitType | EnumType | VarbitType | UnknownType | TypeVariable)
        if not plain and under not in (BOOL, ERROR):
            self.error(f"a table's key cannot have type {type_}", element.expression)
        kind = self.checked.match_kinds.get(element.match_kind)
        if kind is None:
            self.error(
                f"match kind '{element.match_kind}' is not declared",
                element.match_kind_span,
                *did_you_mean(element.match_kind, self.checked.match_kinds),
            )
            return type_
        self.checked.names[element] = kind
        if element.match_kind in ("lpm", "range") and (
            under in (BOOL, ERROR)
            or isinstance(under, VarbitType)
            or (isinstance(under, EnumType) and under.underlying is None)
        ):
            self.error(
                f"match kind '{element.match_kind}' works on integers, not on {type_}", element
            )
        return type_

    # --- actions ---------------------------------------------------------------------

    def _actions(self, table: ast.TableDeclaration) -> None:
        if table.actions is None:
            self.error(
                f"table '{table.name}' has no property 'actions'",
                table.name_span,
                "a table needs one: actions = { ... }",
            )
            return
        seen: dict[ast.Declaration, ast.ActionReference] = {}
        for reference in table.actions:
            declaration = self._action(reference.name, reference, reference.absolute)
            if declaration is None:
                continue
            self.checked.names[reference] = declaration
            if declaration in seen:
                self.error(
                    f"action '{reference.name}' is listed twice",
                    reference,
                    Note("listed here first", seen[declaration].span),
                )
            seen[declaration] = reference
            self._listed(reference, declaration)

    def _action(self, name: str, where: ast.Node, absolute: bool) -> ast.ActionDeclaration | None:
        found = self.find(name, where.span, absolute, "action")
        if not found:
            return None
        if not isinstance(found[0], ast.ActionDeclaration):
            self.error(
                f"'{name}' is not an action", where, Note("declared here", found[0].name_span)
            )
            return None
        return found[0]

    def _listed(self, reference: ast.ActionReference, declaration: ast.ActionDeclaration) -> None:
        """An action in the list: its directed parameters are bound, the others are left."""
        type_ = self.checked.declared.get(declaration)
        if not isinstance(type_, FunctionType):
            return
        directed = tuple(p for p in type_.parameters if p.direction is not ast.Direction.NONE)
        target = Target(CallKind.ACTION, declaration.name, declaration, None, directed, VOID)
        arguments = reference.arguments or []
        if len(arguments) > len(directed):
            self.error(
                f"only directed parameters of '{declaration.name}' are bound here: "
                f"{len(directed)} of them, not {len(arguments)}",
                reference,
                "those without direction come from the control plane",
            )
            return
        info = self.complete(target, [], arguments, reference.span)
        if info is None:
            return
        bound = {b.parameter: b for b in info.arguments}
        full = tuple(
            bound.get(p.declaration, BoundArgument(p.declaration, p.type, None))
            for p in type_.parameters
        )
        self.checked.action_calls[reference] = CallInfo(
            CallKind.ACTION, declaration.name, declaration, None, {}, full, VOID
        )

    def _chosen(
        self,
        table: ast.TableDeclaration,
        name: str,
        absolute: bool,
        arguments: list[ast.Argument] | None,
        where: ast.Node,
        what: str,
    ) -> CallInfo | None:
        """The action of an entry or default_action, with all its arguments."""
        declaration = self._action(name, where, absolute)
        if declaration is None:
            return None
        listed = next(
            (r for r in table.actions or [] if self.checked.names.get(r) is declaration), None
        )
        if listed is None:
            if table.actions is not None:
                names = [r.name for r in table.actions]
                self.error(
                    f"the {what} '{name}' is not among the actions of table '{table.name}'",
                    where,
                    *did_you_mean(name, names),
                )
            return None
        wrong = "defaultonly" if what != _DEFAULT else "tableonly"
        if any(annotation.name == wrong for annotation in listed.annotations):
            self.error(f"the {what} '{name}' is marked @{wrong}", where)
        type_ = self.checked.declared.get(declaration)
        if not isinstance(type_, FunctionType):
            return None
        target = Target(
            CallKind.ACTION, declaration.name, declaration, None, type_.parameters, VOID
        )
        info = self.complete(target, [], arguments or [], where.span)
        if info is None:
            return None
        self.checked.names[where] = declaration
        bound = {b.parameter: b for b in info.arguments}
        for argument in info.arguments:
            if argument.parameter.direction is ast.Direction.NONE and argument.value is not None:
                self._static_argument(argument.value, f"argument '{argument.parameter.name}'")
        from_list = self.checked.action_calls.get(listed)
        for argument in from_list.arguments if from_list is not None else ():
            given_here = bound.setdefault(argument.parameter, argument)
            one, two = argument.value, given_here.value
            if one is not None and two is not None and not self._same(one, two):
                self.error(
                    f"argument '{argument.parameter.name}' differs from that in the list of "
                    "actions",
                    two,
                    Note("listed with this one", one.span),
                )
        full = tuple(bound[p.declaration] for p in type_.parameters if p.declaration in bound)
        return CallInfo(CallKind.ACTION, declaration.name, declaration, None, {}, full, VOID)

    def _same(self, one: ast.Expression, two: ast.Expression) -> bool:
        """Whether two expressions are the same, as far as can be told by simple means."""
        if type(one) is not type(two):
            return False
        match one, two:
            case (ast.PathExpression(), ast.PathExpression()):
                return self.checked.names.get(one) is self.checked.names.get(two)
            case (ast.Member(), ast.Member()):
                return one.member == two.member and self._same(one.base, two.base)
            case (ast.TypeExpression(), ast.TypeExpression()):
                return self.checked.types.get(one) == self.checked.types.get(two)
        known = self.checked.constants.get(one), self.checked.constants.get(two)
        if known[0] is not None or known[1] is not None:
            return known[0] == known[1]
        return True

    # --- other properties ----------------------------------------------------------

    def _properties(self, table: ast.TableDeclaration) -> None:
        seen: dict[str, ast.TableProperty] = {}
        for property_ in table.properties:
            name = property_.name
            if name in seen:
                self.error(
                    f"table '{table.name}' has '{name}' twice",
                    property_.name_span,
                    Note("first here", seen[name].span),
                )
                continue
            seen[name] = property_
            if name == "default_action":
                self._default_action(table, property_)
                continue
            type_ = self.infer(property_.value)
            if isinstance(type_, UnknownType):
                continue
            if name == "size":
                self._size_property(property_, type_)
            elif name == "largest_priority_wins":
                self.coerce(property_.value, type_, BOOL, "value of 'largest_priority_wins'")
            elif name == "priority_delta" and not isinstance(type_, BitType) and type_ != INT:
                self.error(f"'priority_delta' is an integer, not {type_}", property_.value)

    def _size_property(self, property_: ast.TableProperty, type_: Type) -> None:
        if type_ != INT and not isinstance(type_, BitType):
            self.error(f"the size of a table is an integer, not {type_}", property_.value)
            return
        value = self.constant_of(property_.value)
        if value is None and not self.is_static(property_.value):
            self.error("the size of a table must be known at compile time", property_.value)
        elif isinstance(value, int) and value < 0:
            self.error(f"the size of a table cannot be {value}", property_.value)

    def _default_action(self, table: ast.TableDeclaration, property_: ast.TableProperty) -> None:
        value = property_.value
        arguments: list[ast.Argument] | None = None
        callee = value
        if isinstance(value, ast.Call):
            callee, arguments = value.callee, value.arguments
        if not isinstance(callee, ast.PathExpression):
            self.error("'default_action' names an action", value)
            return
        info = self._chosen(table, callee.name, callee.absolute, arguments, value, _DEFAULT)
        if info is not None and info.declaration is not None:
            self.checked.action_calls[value] = info
            self.checked.names[callee] = info.declaration

    # --- entries -------------------------------------------------------------------

    def _entries(
        self, table: ast.TableDeclaration, entries: ast.TableEntries, types: list[Type]
    ) -> None:
        if not table.key:
            if entries.entries:
                self.error(
                    f"table '{table.name}' has entries, but no key",
                    table.name_span,
                    Note("the entries are here", entries.span),
                )
            return
        if entries.span.source is table.key[0].span.source and (
            entries.span.start < table.key[0].span.start
        ):
            self.error("the entries of a table stand behind its key", entries)
        for entry in entries.entries:
            self.keyset(entry.keyset, types, f"table '{table.name}'")
            self._match_kinds(table.key, entry)
            if entry.priority is not None:
                type_ = self.infer(entry.priority)
                value = self.constant_of(entry.priority)
                if not isinstance(type_, UnknownType) and not isinstance(value, int):
                    self.error("a priority is an integer known at compile time", entry.priority)
            reference = entry.action
            info = self._chosen(
                table,
                reference.name,
                reference.absolute,
                reference.arguments,
                reference,
                "action of this entry",
            )
            if info is not None:
                self.checked.action_calls[reference] = info
            if entry.constant and entries.constant:
                self.warning("all entries of 'const entries' are const", entry)

    def _match_kinds(self, key: list[ast.KeyElement], entry: ast.TableEntry) -> None:
        """Masks and ranges only where the match kind has them; values known at compile time."""
        parts = (
            entry.keyset.elements
            if isinstance(entry.keyset, ast.TupleKeyset | ast.ListExpression)
            else [entry.keyset]
        )
        if len(parts) != len(key):
            return
        for element, part in zip(key, parts, strict=True):
            kind = element.match_kind
            match part:
                case ast.Mask(value=value, mask=mask):
                    values = [value, mask]
                    if kind in _SINGLE_VALUE or kind == "range":
                        self.error(f"a key of match kind '{kind}' cannot have a mask", part)
                    elif kind == "lpm" and not self._is_prefix(mask):
                        self.error(
                            "the mask of a key of match kind 'lpm' has ones only at its start", mask
                        )
                case ast.Range(low=low, high=high):
                    values = [low, high]
                    if kind in _SINGLE_VALUE or kind in ("lpm", "ternary"):
                        self.error(f"a key of match kind '{kind}' cannot be a range", part)
                case ast.DefaultKeyset() | ast.DontCare():
                    values = []
                case _:
                    values = [part]
            for value in values:
                type_ = self.checked.types.get(value)
                if type_ is None or isinstance(type_, UnknownType | SetType):
                    continue
                if not self.is_static(value):
                    self.error("the key of an entry must be known at compile time", value)

    def _is_prefix(self, mask: ast.Expression) -> bool:
        """Whether the mask is ones followed by zeros, or not known here."""
        value = self.constant_of(mask)
        type_ = self.checked.type_of(mask)
        if not isinstance(value, int) or not isinstance(type_, BitType):
            return True
        inverse = ~value & ((1 << type_.width) - 1)
        return inverse & (inverse + 1) == 0
