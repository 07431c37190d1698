"""``struct packet``, and the functions that choose from its stacks at run time."""

from __future__ import annotations

from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.headers import member


def packet_struct(context: Context) -> list[str]:
    """``struct packet``: all headers and metadata, and what the runtime keeps of a packet."""
    program, names = context.program, context.names
    lines = ["struct headers {"]
    for header, text in zip(program.headers, names.headers, strict=True):
        if header.stack is None:
            lines.append(f"    {names.struct(header.type)} {text.removeprefix('p->h.')};")
    lines += [
        "    uint8_t _; /* C knows no empty struct */",
        "};",
        "",
        *_temporaries(context),
        "struct packet {",
        "    struct wp_run *run;",
        "    uint8_t *frame;          /* as received; deparse() puts the result in its place */",
        "    uint32_t frame_length;",
        "    uint32_t cursor;         /* bytes that the parser has consumed */",
        "    uint32_t port;           /* where it was received */",
        "    uint32_t ingress_length; /* what counters count */",
        "    uint32_t length;         /* follows headers that come and go */",
        "    uint32_t error;",
        "    uint8_t checksum_error, exited, failed;",
        "    uint32_t clone, resubmit, recirculate; /* 0, or field list + 1 */",
        "    uint64_t clone_session;",
        "    uint64_t truncate;",
        "    uint32_t digest; /* 0, or its index + 1 */",
        *(
            [
                "    uint32_t stop; /* where its ingress waits; 0: at its end */",
                "    struct wp_ahead ahead;",
            ]
            if context.ahead.stops
            else []
        ),
        "    struct headers h;",
    ]
    uncleared: list[str] = []
    for index, (stack, name) in enumerate(zip(program.stacks, names.stacks, strict=True)):
        array = f"    {names.struct(stack.type)} stack_{name}[{len(stack.headers)}];"
        (uncleared if index in context.passing_stacks else lines).append(array)
        lines.append(f"    uint32_t next_{name};")
    for name in names.union_stacks:
        lines.append(f"    uint32_t next_union_{name};")
    lines.append("    uint64_t uncleared[0]; /* what is behind here */")
    lines += uncleared
    if context.temporaries:
        lines.append("    struct temporaries t;")
    lines += ["};", ""]
    for number in range(len(program.union_stacks)):
        lines += _union_stack(context, number)
    for stack, name in zip(program.stacks, names.stacks, strict=True):
        lines += [
            f"static inline {names.struct(stack.type)} *element_{name}(struct packet *p,"
            " uint64_t index)",
            "{",
            f"    return index < {len(stack.headers)} ? &p->stack_{name}[index] : NULL;",
            "}",
            "",
        ]
    return lines


def _temporaries(context: Context) -> list[str]:
    if not context.temporaries:
        return []
    fields = [
        member(context, context.program.field(ref), name)
        for ref, name in context.temporaries.items()
    ]
    return ["/* Written before they are read. */", "struct temporaries {", *fields, "};", ""]


def _union_stack(context: Context, number: int) -> list[str]:
    """Members of a union that is chosen at run time, and what makes all but one invalid."""
    program, names = context.program, context.names
    name = names.union_stacks[number]
    unions = [program.unions[union].headers for union in program.union_stacks[number].unions]
    lines: list[str] = []
    for each in range(len(unions[0])):
        struct = names.struct(program.headers[unions[0][each]].type)
        lines += [
            f"static inline {struct} *member_{name}_{each}(struct packet *p, uint64_t index)",
            "{",
            "    switch (index) {",
            *(f"    case {i}: return &{names.headers[u[each]]};" for i, u in enumerate(unions)),
            "    }",
            "    return NULL;",
            "}",
            "",
        ]
    lines += [
        f"static inline void others_{name}(struct packet *p, uint64_t index, const void *but)",
        "{",
        "    switch (index) {",
    ]
    for index, headers in enumerate(unions):
        lines.append(f"    case {index}:")
        for header in headers:
            text = names.headers[header]
            lines.append(f"        if (but != &{text}) {text}.valid = 0;")
        lines.append("        break;")
    return [*lines, "    }", "}", ""]
