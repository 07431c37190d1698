"""Small programs around one construct, compiled in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from p4embed.compiler.diagnostics import Diagnostics, SourceFile
from p4embed.compiler.driver import Compiled, compile_checked
from p4embed.compiler.emit import document as emit_json
from p4embed.compiler.frontend import load_source
from p4embed.compiler.syntax.preprocess import PreprocessorOptions

TEMPLATE = """#include <core.p4>
#include <v1model.p4>
{types}
struct headers_t {{ {headers} }}
struct metadata_t {{ {metadata} }}
{declarations}
parser P(packet_in packet, out headers_t hdr, inout metadata_t meta,
         inout standard_metadata_t standard_metadata) {{
    {parser}
}}
control V(inout headers_t hdr, inout metadata_t meta) {{ apply {{ {verify} }} }}
control I(inout headers_t hdr, inout metadata_t meta,
          inout standard_metadata_t standard_metadata) {{
    {locals}
    apply {{ {ingress} }}
}}
control E(inout headers_t hdr, inout metadata_t meta,
          inout standard_metadata_t standard_metadata) {{
    {egress_locals}
    apply {{ {egress} }}
}}
control C(inout headers_t hdr, inout metadata_t meta) {{ apply {{ {compute} }} }}
control D(packet_out packet, in headers_t hdr) {{ apply {{ {deparser} }} }}
V1Switch(P(), V(), I(), E(), C(), D()) main;
"""

DEFAULTS = {
    "types": "header h_t { bit<8> a; bit<8> b; bit<16> c; int<8> s; bit<8> n; }",
    "headers": "h_t h; h_t g;",
    "metadata": "bit<8> x; bit<16> y; bool flag; int<8> z;",
    "declarations": "",
    "parser": "state start { packet.extract(hdr.h); transition accept; }",
    "verify": "",
    "locals": "",
    "ingress": "",
    "egress_locals": "",
    "egress": "",
    "compute": "",
    "deparser": "packet.emit(hdr);",
}


def source_of(**parts: str) -> str:
    """A whole program; each part fills its place in `TEMPLATE`."""
    unknown = parts.keys() - DEFAULTS.keys()
    assert not unknown, f"no such part: {unknown}"
    return TEMPLATE.format(**(DEFAULTS | parts))


@dataclass
class Result:
    """A compiled program, its text after each pass, its JSON, and what was said."""

    diagnostics: Diagnostics
    compiled: Compiled | None
    dumps: dict[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[str]:
        """`line:column: severity: message` of every diagnostic."""
        return [
            f"{d.span.line}:{d.span.column}: {d.severity.value}: {d.message}"
            if d.span
            else f"{d.severity.value}: {d.message}"
            for d in self.diagnostics
        ]

    @property
    def json(self) -> dict[str, Any]:
        """BMv2 JSON as plain data."""
        assert self.compiled is not None, self.diagnostics.render()
        return emit_json.to_json(self.compiled.program)

    def p4info(self) -> Any:
        """The P4Info message."""
        assert self.compiled is not None, self.diagnostics.render()
        info = self.compiled.p4info(self.diagnostics)
        assert not self.diagnostics.failed, self.diagnostics.render()
        return info


def compile_source(text: str) -> Result:
    """Compile a whole program given as text."""
    diagnostics = Diagnostics()
    result = Result(diagnostics, None)
    checked = load_source(SourceFile("test.p4", text), PreprocessorOptions(), diagnostics)
    assert checked is not None, diagnostics.render()
    result.compiled = compile_checked(
        checked, "test.p4", diagnostics, lambda name, dump: result.dumps.update({name: dump})
    )
    return result


@pytest.fixture
def compile_text() -> Callable[[str], Result]:
    """Compiles a whole program given as text."""
    return compile_source


@pytest.fixture
def program_text() -> Callable[..., str]:
    """Puts parts into the frame of a whole program."""
    return source_of


@pytest.fixture
def build() -> Callable[..., Result]:
    """Compiles a program made of parts; fails if that gives errors."""

    def make(**parts: str) -> Result:
        result = compile_source(source_of(**parts))
        assert result.compiled is not None, result.diagnostics.render()
        return result

    return make


@pytest.fixture
def refuse() -> Callable[..., list[str]]:
    """Messages of a program made of parts that the back end must refuse."""

    def make(**parts: str) -> list[str]:
        result = compile_source(source_of(**parts))
        assert result.compiled is None, "compiled, but must be refused"
        return result.messages

    return make
