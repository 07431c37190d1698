"""Header types, instances, stacks and unions of BMv2 JSON.

Source: behavioral-model ``docs/JSON_format.md``, "header_types" to "header_union_stacks".
"""

from __future__ import annotations

from p4embed.switch import program as p
from p4embed.switch.json_reader import Json
from p4embed.switch.load_expressions import Symbols


def read_headers(root: Json, symbols: Symbols) -> tuple[p.HeaderType, ...]:
    """Read all of them into ``symbols``; the header types."""
    reader = _HeaderReader(root, symbols)
    reader.read()
    return tuple(reader.types.values())


class _HeaderReader:
    def __init__(self, root: Json, symbols: Symbols) -> None:
        self.root = root
        self.symbols = symbols
        self.types: dict[str, p.HeaderType] = {}
        self.header_ids: dict[int, int] = {}

    def read(self) -> None:
        self._header_types()
        self._headers()
        self._stacks()
        self._unions()

    def _header_types(self) -> None:
        for at in self.root["header_types"].array():
            at.keys(("name", "id", "fields"), ("length_exp", "max_length"))
            if at.has("length_exp"):
                raise at["length_exp"].fail("not supported; expected 'extract_VL' in the parser")
            fields: list[p.Field] = []
            variable = None
            for field in at["fields"].array():
                parts = field.array()
                if len(parts) not in (2, 3):
                    raise field.fail(f"{len(parts)} elements; expected name, width and signedness")
                name, width = parts[:2]
                # p4c writes 0 for the fields that stand for booleans.
                signed = len(parts) == 3 and parts[2].value != 0 and parts[2].boolean()
                if width.value == "*":
                    if variable is not None:
                        raise width.fail("a second variable-length field; expected at most one")
                    variable = len(fields)
                    fields.append(p.Field(name.text(), 0, variable=True))
                else:
                    fields.append(p.Field(name.text(), width.width(), signed))
            if variable is not None:
                fixed = sum(f.width for f in fields)
                most = 8 * at["max_length"].integer(1) - fixed
                if most < 0:
                    raise at["max_length"].fail("less than the header's fixed fields need")
                fields[variable] = p.Field(fields[variable].name, most, variable=True)
            name_text = at["name"].text()
            if name_text in self.types:
                raise at["name"].fail(f"header type '{name_text}' is declared twice")
            self.types[name_text] = p.HeaderType(name_text, tuple(fields))

    def _type(self, at: Json) -> p.HeaderType:
        if at.text() not in self.types:
            raise at.fail(f"no header type '{at.text()}' is declared")
        return self.types[at.text()]

    def _headers(self) -> None:
        symbols = self.symbols
        for at in self.root["headers"].array():
            at.keys(("name", "id", "header_type", "metadata"))
            name, index = at["name"].text(), len(symbols.headers)
            if name in symbols.header_names:
                raise at["name"].fail(f"header '{name}' is declared twice")
            if at["id"].integer() in self.header_ids:
                raise at["id"].fail(f"header id {at['id'].integer()} is used twice")
            symbols.header_names[name] = index
            self.header_ids[at["id"].integer()] = index
            metadata = at["metadata"].boolean()
            symbols.headers.append(p.Header(name, self._type(at["header_type"]), metadata))

    def _members(self, at: Json, ids: dict[int, int], kind: str) -> tuple[int, ...]:
        members = []
        for number in at.array():
            if number.integer() not in ids:
                raise number.fail(f"no {kind} has id {number.integer()}")
            members.append(ids[number.integer()])
        if not members:
            raise at.fail(f"empty; expected at least one {kind}")
        return tuple(members)

    def _stacks(self) -> None:
        symbols = self.symbols
        for at in self.root.elements("header_stacks"):
            at.keys(("name", "id", "header_type", "header_ids"), ("size",))
            type_, index = self._type(at["header_type"]), len(symbols.stacks)
            members = self._members(at["header_ids"], self.header_ids, "header")
            for member in members:
                header = symbols.headers[member]
                if header.type is not type_:
                    raise at["header_ids"].fail(
                        f"'{header.name}' has type '{header.type.name}'; expected '{type_.name}'"
                    )
                symbols.headers[member] = p.Header(header.name, type_, header.metadata, stack=index)
            symbols.stack_names[at["name"].text()] = index
            symbols.stacks.append(p.Stack(at["name"].text(), type_, members))

    def _unions(self) -> None:
        symbols = self.symbols
        member_names: dict[str, tuple[str, ...]] = {}
        for at in self.root.elements("header_union_types"):
            at.keys(("name", "id", "headers"))
            pairs = [pair.array(2) for pair in at["headers"].array()]
            member_names[at["name"].text()] = tuple(name.text() for name, _type in pairs)
        ids: dict[int, int] = {}
        for at in self.root.elements("header_unions"):
            at.keys(("name", "id", "union_type", "header_ids"))
            index = len(symbols.unions)
            if at["union_type"].text() not in member_names:
                raise at["union_type"].fail(f"no union type '{at['union_type'].text()}'")
            names = member_names[at["union_type"].text()]
            at["header_ids"].array(len(names))
            members = self._members(at["header_ids"], self.header_ids, "header")
            for member in members:
                header = symbols.headers[member]
                symbols.headers[member] = p.Header(
                    header.name, header.type, header.metadata, union=index
                )
            symbols.union_names[at["name"].text()] = index
            symbols.union_members[index] = names
            symbols.unions.append(p.Union(at["name"].text(), members))
            ids[at["id"].integer()] = index
        for at in self.root.elements("header_union_stacks"):
            at.keys(("name", "id", "union_type", "header_union_ids"), ("size",))
            stack = len(symbols.union_stacks)
            unions = self._members(at["header_union_ids"], ids, "header union")
            for union in unions:
                declared = symbols.unions[union]
                symbols.unions[union] = p.Union(declared.name, declared.headers, stack)
            symbols.union_stack_names[at["name"].text()] = stack
            symbols.union_stacks.append(p.UnionStack(at["name"].text(), unions))
