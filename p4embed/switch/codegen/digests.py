"""Digests: what a packet tells the controller as ingress leaves it."""

from __future__ import annotations

from p4embed.switch import program as p
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.values import Unsupported

MOST_DIGEST_BYTES = 8000
"""The runtime has room for so many (``WP_DIGEST_MAX``)."""


def function(context: Context) -> list[str]:
    """What digests carry: fields, each padded to whole bytes."""
    program = context.program
    if not program.digests:
        return []
    lines = [
        "/* Send what the packet has to tell as ingress left it. */",
        "static void learn(struct packet *p)",
        "{",
        "    uint8_t data[WP_DIGEST_MAX];",
        "    switch (p->digest - 1) {",
    ]
    for index, digest in enumerate(program.digests):
        lines.append(f"    case {index}: /* {digest.name} */")
        at = 0
        for ref in digest.fields:
            field = program.field(ref)
            size = p.byte_width(field.width)
            if field.variable:
                raise Unsupported(f"digest '{digest.name}': a field of variable length")
            call = "wide_store" if field.width > 128 else "wp_store128" if size > 8 else "wp_store"
            lines.append(f"        {call}(data + {at}, {size}, {context.lvalue(ref)});")
            at += size
        if at > MOST_DIGEST_BYTES:
            raise Unsupported(f"digest '{digest.name}' of {at} bytes")
        lines += [f"        wp_learn(p->run->engine, {index}, data, {at});", "        break;"]
    return [*lines, "    }", "    p->digest = 0;", "}", ""]
