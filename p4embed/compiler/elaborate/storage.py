"""Where variables live: scalars in one metadata header, headers and stacks as instances.

BMv2 has no variables, only headers and metadata. A scalar becomes a field of the metadata
instance `scalars`, a struct one field for each of its parts, a header a header instance.
"""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate.values import (
    HeaderPlace,
    StackPlace,
    StructValue,
    UnionPlace,
    Unsupported,
    Value,
    scalar_type,
)
from p4embed.compiler.types import StackType, StructType, TupleType, Type

SCALARS = "scalars"
STANDARD_METADATA = "standard_metadata"


def annotation(node: ast.Declaration, name: str) -> ast.Annotation | None:
    """The annotation of that name, if the declaration has it."""
    return next((a for a in node.annotations if a.name == name), None)


def annotated_string(node: ast.Declaration, name: str) -> str | None:
    """The text of `@name("text")`."""
    found = annotation(node, name)
    if found is None or not found.literals:
        return None
    return str(found.literals[0])


class Storage:
    """Makes header types and instances, and finds free names for them."""

    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.scalars = ir.HeaderType(f"{SCALARS}_0")
        program.header_types.append(self.scalars)
        program.headers.append(ir.HeaderInstance(SCALARS, self.scalars.name, metadata=True))
        self._types: dict[StructType, ir.HeaderType] = {}
        self._unions: dict[StructType, ir.UnionType] = {}
        self._names: set[str] = {SCALARS, STANDARD_METADATA}
        self._type_names: set[str] = {self.scalars.name}
        self._fields: set[str] = set()

    # --- names ---

    def _free(self, wanted: str, taken: set[str]) -> str:
        name, number = wanted, 0
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        return name

    # --- types ---

    def header_type(self, type_: StructType) -> ir.HeaderType:
        """The header type of a P4 header; parts of structs in it are named `outer.inner`."""
        found = self._types.get(type_)
        if found is None:
            name = self._free(str(type_), self._type_names)
            found = ir.HeaderType(name, _header_fields(type_, ""), type_.declaration.span)
            _check_width(found, type_.declaration)
            self._types[type_] = found
            self.program.header_types.append(found)
        return found

    def union_type(self, type_: StructType) -> ir.UnionType:
        """The union type of a P4 header union."""
        found = self._unions.get(type_)
        if found is None:
            members = []
            for f in type_.fields:
                assert isinstance(f.type, StructType)
                members.append((f.name, self.header_type(f.type).name))
            found = ir.UnionType(self._free(str(type_), self._type_names), tuple(members))
            self._unions[type_] = found
            self.program.union_types.append(found)
        return found

    # --- instances ---

    def standard_metadata(self, type_: StructType) -> StructValue:
        """The instance `standard_metadata`, with BMv2's own names as aliases."""
        fields = []
        for f in type_.fields:
            scalar = scalar_type(f.type)
            assert scalar is not None, f"standard metadata field {f.name} is no scalar"
            fields.append(ir.HeaderField(f.name, scalar, annotated_string(f.declaration, "alias")))
        self.program.header_types.append(ir.HeaderType(STANDARD_METADATA, fields))
        self._type_names.add(STANDARD_METADATA)
        self.program.headers.append(
            ir.HeaderInstance(STANDARD_METADATA, STANDARD_METADATA, metadata=True)
        )
        return StructValue({f.name: ir.FieldRef(STANDARD_METADATA, f.name, f.type) for f in fields})

    def is_metadata(self, instance: str) -> bool:
        """Whether the instance is always valid."""
        return instance in (SCALARS, STANDARD_METADATA)

    def temporary(self, type_: ir.Scalar, name: str = "tmp") -> ir.FieldRef:
        """A new scalar."""
        field = self._free(name, self._fields)
        self.scalars.fields.append(ir.HeaderField(field, type_))
        return ir.FieldRef(SCALARS, field, type_)

    def allocate(self, type_: Type, name: str, span: Span) -> Value:
        """New storage for a variable of that type. Headers in it are invalid at first.

        Raises:
            Unsupported: BMv2 has nothing to keep such a value in.
        """
        scalar = scalar_type(type_)
        if scalar is not None:
            if isinstance(scalar, ir.VarBits):
                return self.varbit(scalar, name)
            return self.temporary(scalar, name)
        match type_:
            case StructType() if type_.is_header:
                return self.header(type_, name, span)
            case StructType() if type_.is_union:
                return self.union(type_, name, span)
            case StructType():
                return StructValue(
                    {f.name: self.allocate(f.type, f"{name}.{f.name}", span) for f in type_.fields}
                )
            case TupleType(elements):
                return StructValue(
                    {str(i): self.allocate(e, f"{name}.{i}", span) for i, e in enumerate(elements)}
                )
            case StackType():
                return self.stack(type_, name, span)
        raise Unsupported(f"a variable of type '{type_}' is not supported on target bmv2", span)

    def header(self, type_: StructType, name: str, span: Span) -> HeaderPlace:
        """A new header instance."""
        instance = self._free(name, self._names)
        self.program.headers.append(
            ir.HeaderInstance(instance, self.header_type(type_).name, source=span)
        )
        return HeaderPlace(instance, type_)

    def varbit(self, type_: ir.VarBits, name: str) -> ir.FieldRef:
        """A varbit variable: BMv2 has varbits in headers only, so it gets one to itself."""
        kind = f"varbit_{type_.max_width}"
        field = ir.HeaderField("value", type_)
        if all(t.name != kind for t in self.program.header_types):
            kind = self._free(kind, self._type_names)
            self.program.header_types.append(ir.HeaderType(kind, [field]))
        instance = self._free(name, self._names)
        self.program.headers.append(ir.HeaderInstance(instance, kind))
        return ir.FieldRef(instance, field.name, type_)

    def union(self, type_: StructType, name: str, span: Span) -> UnionPlace:
        """A new header union instance."""
        kind = self.union_type(type_)
        name = self._free(name, self._names)
        members: dict[str, HeaderPlace] = {}
        for f in type_.fields:
            assert isinstance(f.type, StructType)
            members[f.name] = self.header(f.type, f"{name}.{f.name}", span)
        self.program.unions.append(
            ir.HeaderUnion(name, kind.name, tuple(m.instance for m in members.values()))
        )
        return UnionPlace(name, type_, members)

    def stack_element_type(self, stack: str) -> ir.HeaderType:
        """The header type of a stack's elements."""
        name = next(s.type for s in self.program.stacks if s.name == stack)
        return next(t for t in self.program.header_types if t.name == name)

    def stack(self, type_: StackType, name: str, span: Span) -> StackPlace:
        """A new header stack."""
        assert isinstance(type_.element, StructType)
        name = self._free(name, self._names)
        if type_.element.is_union:
            unions = tuple(
                self.union(type_.element, f"{name}[{i}]", span) for i in range(type_.size)
            )
            self.program.union_stacks.append(
                ir.UnionStack(
                    name, self.union_type(type_.element).name, tuple(u.name for u in unions)
                )
            )
            return StackPlace(name, type_, unions)
        elements = tuple(
            self.header(type_.element, f"{name}[{i}]", span) for i in range(type_.size)
        )
        self.program.stacks.append(
            ir.HeaderStack(
                name, self.header_type(type_.element).name, tuple(e.instance for e in elements)
            )
        )
        return StackPlace(name, type_, elements)


def _check_width(type_: ir.HeaderType, declaration: ast.StructDeclaration) -> None:
    """BMv2 reads and writes headers by whole bytes."""
    width = 0
    for f in type_.fields:
        match f.type:
            case ir.Bits(bits):
                width += bits
            case ir.Bool():
                width += 1
            case ir.VarBits(most):
                width += most
    if width % 8:
        raise Unsupported(
            f"header '{declaration.name}' has {width} bits; "
            "target bmv2 wants headers of whole bytes",
            declaration.name_span,
            f"add a padding field of {8 - width % 8} bits",
        )


def _header_fields(type_: StructType, prefix: str) -> list[ir.HeaderField]:
    fields: list[ir.HeaderField] = []
    for f in type_.fields:
        if isinstance(f.type, StructType):
            fields += _header_fields(f.type, f"{prefix}{f.name}.")
            continue
        scalar = scalar_type(f.type)
        if scalar is None:
            raise Unsupported(
                f"a header field of type '{f.type}' is not supported on target bmv2",
                f.declaration.span,
            )
        fields.append(ir.HeaderField(prefix + f.name, scalar))
    return fields
