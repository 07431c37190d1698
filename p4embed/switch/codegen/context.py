"""What all parts of the generator share while one program is turned into C."""

from __future__ import annotations

from p4embed.switch.codegen.ahead import plan
from p4embed.switch.codegen.names import Names, unique
from p4embed.switch.codegen.temporaries import passing_stacks, temporaries
from p4embed.switch.codegen.values import MOST_BITS, Unsupported
from p4embed.switch.codegen.walk import walk
from p4embed.switch.program import FieldRef, Program


class Context:
    """The program, its identifiers, and what the runtime has to be told."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Names(program)
        code = (
            program.parser, program.deparser, program.actions, program.tables, program.branches,
            program.profiles, program.calculations, program.checksums, program.field_lists,
            program.digests,
        )  # fmt: skip
        self._named = {item for item in walk(code) if isinstance(item, FieldRef)}
        self.wide_bits = 0
        """Bits that a ``wide`` must hold."""
        self.ahead = plan(program)
        refs = sorted(temporaries(program), key=lambda ref: (ref.header, ref.field))
        names = unique(f"{program.headers[r.header].name}_{program.field(r).name}" for r in refs)
        self.temporaries = dict(zip(refs, names, strict=True))
        """Fields that are not cleared when a packet arrives, and their names."""
        self.passing_stacks = passing_stacks(program)
        """Likewise."""

    def stamp(self, ref: FieldRef | None) -> list[str]:
        """A line that stores the time, in microseconds, into such a field; none if the program
        never looks at it."""
        if ref not in self._named:
            return []
        return self.intrinsic(ref, "(p->run->now_ns - p->run->engine->epoch_ns) / 1000")

    def need_wide(self, bits: int) -> None:
        """A ``wide`` must hold so many bits."""
        if bits > MOST_BITS:
            raise Unsupported(f"an expression needs {bits} bits; at most {MOST_BITS} are supported")
        self.wide_bits = max(self.wide_bits, bits)

    def lvalue(self, ref: FieldRef) -> str:
        """The C lvalue of a field."""
        if ref in self.temporaries:
            return f"p->t.{self.temporaries[ref]}"
        return self.member(self.names.headers[ref.header], ref.header, ref.field)

    def member(self, header_text: str, header: int, field: int) -> str:
        """A field of a header given as a C lvalue; ``header`` tells the type."""
        type_ = self.program.headers[header].type
        return f"{header_text}.{self.names.fields[type_.name][field]}"

    def intrinsic(self, ref: FieldRef | None, text: str) -> list[str]:
        """A line that stores into one of the fields that simple_switch keeps, if there is one.

        ``text`` is a 64-bit expression; the store cuts it to the field.
        """
        if ref is None:
            return []
        width = self.program.field(ref).width
        if width > 64:
            raise Unsupported(f"{self.program.field(ref).name} has more than 64 bits")
        mask = "" if width in (8, 16, 32, 64) else f" & 0x{(1 << width) - 1:x}"
        value = f"({text}){mask}" if mask else text
        return [f"{self.lvalue(ref)} = {value};"]
