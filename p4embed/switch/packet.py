"""A packet on its way through the program: its header instances and what primitives asked for."""

from __future__ import annotations

from p4embed.switch.program import Field, FieldRef, HeaderType, Program
from p4embed.switch.trace import FieldSet, Logged, Tracer, ValiditySet


class Packet:
    """Headers and metadata of one packet (BMv2: PHV), with its payload and pending requests."""

    __slots__ = (
        "checksum_error", "clone", "digest", "error", "exited", "failed", "frame", "ingress_length",
        "ingress_port", "length", "lengths", "next", "now_ns", "payload", "program", "recirculate",
        "resubmit", "trace", "truncate", "union_next", "valid", "values",
    )  # fmt: skip

    def __init__(
        self, program: Program, port: int, frame: bytes, now_ns: int, trace: Tracer | None
    ) -> None:
        self.program = program
        self.trace = trace
        self.now_ns = now_ns
        """When it was received."""
        self.frame = frame
        """As received: what resubmit and ingress clones start from."""
        self.payload = frame
        """What the parser has not consumed."""
        self.ingress_port = port
        self.ingress_length = len(frame)
        """What counters count."""
        self.length = len(frame)
        """What ``packet_length`` shows in egress: follows headers that come and go."""
        self.values = [[0] * len(header.type.fields) for header in program.headers]
        self.lengths = [0] * len(program.headers)
        """Bits in each header's variable-length field."""
        self.valid = [header.metadata for header in program.headers]
        self.next = [0] * len(program.stacks)
        self.union_next = [0] * len(program.union_stacks)
        self.error = program.errors.no_error
        self.checksum_error = False
        self.exited = False
        self.failed = False
        """An ``assert`` did not hold."""
        self.clone: tuple[int, int] | None = None
        """Session and field list."""
        self.resubmit: int | None = None
        self.recirculate: int | None = None
        self.digest: int | None = None
        self.truncate: int | None = None

    def copy(self) -> Packet:
        """The same headers, metadata and payload; none of the pending requests but truncation."""
        twin = Packet(self.program, self.ingress_port, self.frame, self.now_ns, self.trace)
        twin.payload = self.payload
        twin.ingress_length = self.ingress_length
        twin.length = self.length
        twin.values = [list(fields) for fields in self.values]
        twin.lengths = list(self.lengths)
        twin.valid = list(self.valid)
        twin.next = list(self.next)
        twin.union_next = list(self.union_next)
        twin.truncate = self.truncate
        return twin

    def reset_metadata(self) -> None:
        """All metadata back to 0."""
        for index, header in enumerate(self.program.headers):
            if header.metadata:
                self.values[index] = [0] * len(header.type.fields)

    def get(self, ref: FieldRef | None) -> int:
        """A field, or 0 where the program has none such."""
        return 0 if ref is None else self.values[ref.header][ref.field]

    def put(self, ref: FieldRef | None, value: int) -> None:
        """Set one of simple_switch's own fields, where the program has it."""
        if ref is not None:
            field = self.program.field(ref)
            self.values[ref.header][ref.field] = fit(value, field)

    def assign(self, header: int, index: int, value: int) -> None:
        """Store a value, cut to the field's width."""
        field = self.program.headers[header].type.fields[index]
        fitted = fit(value, field)
        old = self.values[header][index]
        self.values[header][index] = fitted
        if self.trace is not None and fitted != old:
            self.trace(FieldSet(f"{self.program.headers[header].name}.{field.name}", old, fitted))

    def set_valid(self, header: int, valid: bool) -> None:
        """Change validity; within a union, the other members turn invalid."""
        declared = self.program.headers[header]
        if valid and declared.union is not None:
            for other in self.program.unions[declared.union].headers:
                if other != header and self.valid[other]:
                    self.set_valid(other, False)
        if self.valid[header] != valid:
            self.valid[header] = valid
            if self.trace is not None:
                self.trace(ValiditySet(declared.name, valid))

    def size(self, header: int) -> int:
        """Bytes that a header takes on the wire."""
        return (self.program.headers[header].type.fixed_width + self.lengths[header]) // 8

    def emit(self, header: int) -> bytes:
        """A header as it goes on the wire."""
        return pack_header(
            self.program.headers[header].type, self.values[header], self.lengths[header]
        )

    def log(self, text: str) -> None:
        """A line for whoever traces."""
        if self.trace is not None:
            self.trace(Logged(text))


def fit(value: int, field: Field) -> int:
    """A value cut to a field: modulo 2**width, in two's complement if the field is signed."""
    value &= (1 << field.width) - 1
    if field.signed and value >> (field.width - 1):
        value -= 1 << field.width
    return value


def pack_header(type_: HeaderType, values: list[int], variable_bits: int) -> bytes:
    """Fields joined bit by bit, first field first."""
    number, width = 0, 0
    for field, value in zip(type_.fields, values, strict=True):
        bits = variable_bits if field.variable else field.width
        number = number << bits | value & ((1 << bits) - 1)
        width += bits
    return number.to_bytes(width // 8, "big")
