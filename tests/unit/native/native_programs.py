"""Small programs, built as ``Program`` objects."""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.switch import program as p
from p4embed.switch.engine import Entry

STANDARD = p.HeaderType(
    "standard_metadata",
    tuple(
        p.Field(name, width)
        for name, width in (
            ("ingress_port", 9),
            ("egress_spec", 9),
            ("egress_port", 9),
            ("instance_type", 32),
            ("packet_length", 32),
            ("parser_error", 32),
            ("checksum_error", 1),
            ("ingress_global_timestamp", 48),
            ("mcast_grp", 16),
            ("egress_rid", 16),
            ("priority", 3),
        )
    ),
)
META = 0
"""Index of the standard metadata among the headers."""


def standard(name: str) -> p.FieldRef:
    """A field of the standard metadata."""
    names = [field.name for field in STANDARD.fields]
    return p.FieldRef(META, names.index(name))


def header_type(name: str, *widths: int, signed: bool = False) -> p.HeaderType:
    """A type with fields f0, f1, ..."""
    return p.HeaderType(
        name, tuple(p.Field(f"f{i}", width, signed) for i, width in enumerate(widths))
    )


def program(
    headers: Sequence[p.Header],
    *,
    extract: Sequence[int],
    actions: Sequence[p.Action] = (),
    tables: Sequence[p.Table] = (),
    calls: Sequence[p.Call] = (),
    start: p.Node | None = None,
    egress: p.Node | None = None,
    stacks: Sequence[p.Stack] = (),
    counters: Sequence[p.Counter] = (),
    registers: Sequence[p.Register] = (),
    calculations: Sequence[p.Calculation] = (),
    checksums: Sequence[p.Checksum] = (),
    ops: Sequence[p.ParserOp] = (),
    deparse: Sequence[int] | None = None,
    name: str = "test",
) -> p.Program:
    """A program whose parser extracts some headers in one state; metadata is header 0."""
    every = (p.Header("standard_metadata", STANDARD, metadata=True), *headers)
    types = {header.type.name: header.type for header in every}
    state = p.ParseState("start", (*(p.ExtractHeader(h) for h in extract), *ops), (), (), None)
    return p.Program(
        name=name,
        header_types=tuple(types.values()),
        headers=every,
        stacks=tuple(stacks),
        unions=(),
        union_stacks=(),
        errors=p.Errors((("NoError", 0), ("PacketTooShort", 1)), 0, 1, 3, 4, 5),
        value_sets=(),
        parser=p.Parser("parser", 0, (state,)),
        deparser=p.Deparser(
            "deparser", tuple(range(1, len(every)) if deparse is None else deparse)
        ),
        actions=tuple(actions),
        tables=tuple(tables),
        branches=(),
        calls=tuple(calls),
        profiles=(),
        ingress=p.Pipeline("ingress", start),
        egress=p.Pipeline("egress", egress),
        counters=tuple(counters),
        meters=(),
        registers=tuple(registers),
        calculations=tuple(calculations),
        checksums=tuple(checksums),
        field_lists=(),
        digests=(),
        intrinsics=p.Intrinsics(
            ingress_port=standard("ingress_port"),
            packet_length=standard("packet_length"),
            instance_type=standard("instance_type"),
            egress_spec=standard("egress_spec"),
            egress_port=standard("egress_port"),
            parser_error=standard("parser_error"),
            checksum_error=standard("checksum_error"),
            ingress_global_timestamp=standard("ingress_global_timestamp"),
            egress_global_timestamp=None,
            mcast_grp=standard("mcast_grp"),
            egress_rid=standard("egress_rid"),
            enq_timestamp=None,
            enq_qdepth=None,
            deq_timedelta=None,
            deq_qdepth=None,
            qid=None,
            priority=standard("priority"),
        ),
    )


def table_program(
    match: p.MatchKind,
    widths: Sequence[int],
    *,
    kinds: Sequence[p.MatchKind] | None = None,
    size: int = 1 << 20,
    const: Sequence[Entry] = (),
) -> p.Program:
    """Header ``h`` is the key of table ``t``; action 1 sends to a port, 2 drops (the default).

    A hit also marks the entry's tag (16 bits) in header ``r``, which leaves in front of ``h``.
    """
    key_type = header_type("key_t", *widths)
    result = header_type("result_t", 16)
    headers = [p.Header("h", key_type, metadata=False), p.Header("r", result, metadata=False)]
    kinds = kinds or [match] * len(widths)
    key = tuple(
        p.KeyField(f"h.f{i}", kind, p.FieldRef(1, i), width, (1 << width) - 1)
        for i, (kind, width) in enumerate(zip(kinds, widths, strict=True))
    )
    send = p.Action(
        "send",
        1,
        (p.ActionParam("port", 9), p.ActionParam("tag", 16)),
        (
            p.Assign(standard("egress_spec"), p.Param(0)),
            p.AddHeader(p.HeaderRef(2)),
            p.Assign(p.FieldRef(2, 0), p.Param(1)),
        ),
    )
    drop = p.Action("drop", 2, (), (p.MarkToDrop(standard("egress_spec"), standard("mcast_grp")),))
    table = p.Table(
        name="t",
        id=0,
        match=match,
        key=key,
        implementation=p.Implementation.SIMPLE,
        profile=None,
        size=size,
        counter=0,
        meter=None,
        support_timeout=True,
        actions=(1, 2),
        next=p.ByAction((None, None)),
        next_without_action=None,
        default=p.DefaultEntry(2, b"", False, False),
        const_entries=tuple(const),
    )
    return program(
        headers,
        extract=[1],
        actions=[send, drop],
        tables=[table],
        start=p.TableNode(0),
        counters=[p.Counter("c", 0, direct=True), p.Counter("others", 8, direct=False)],
        deparse=[2, 1],
    )
