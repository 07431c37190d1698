"""Elements of a stack of header unions by an index that only the packet knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from p4embed.switch.load import load_bytes
from p4embed.switch.reference import ReferenceEngine

TYPES = """
header index_t { bit<8> i; }
header h_t { bit<8> a; }
header k_t { bit<16> b; }
header_union u_t { h_t one; k_t two; }
"""
HEADERS = "index_t index; u_t[2] u; u_t single;"


def run(build: Callable[..., Any], frame: bytes, **parts: str) -> bytes:
    """The frame that comes out."""
    parser = parts.pop("parser", "packet.extract(hdr.index);")
    result = build(
        types=TYPES,
        headers=HEADERS,
        parser=f"state start {{ {parser} transition accept; }}",
        **parts,
    )
    assert result.compiled is not None
    engine = ReferenceEngine(load_bytes(result.compiled.json_text().encode()))
    (sent,) = engine.process(1, frame, 0)
    return sent.frame


@pytest.mark.parametrize(
    ("index", "out"), [(0, b"\0\x07"), (1, b"\x01\x07"), (2, b"\x02"), (255, b"\xff")]
)
def test_a_member_is_made_valid_and_written(
    build: Callable[..., Any], index: int, out: bytes
) -> None:
    ingress = "hdr.u[hdr.index.i].one.setValid(); hdr.u[hdr.index.i].one.a = 7;"
    assert run(build, bytes([index]), ingress=ingress) == out


@pytest.mark.parametrize(("index", "out"), [(0, b"\0\0\x05"), (1, b"\x01\x09\0\x05")])
def test_the_other_member_becomes_invalid(
    build: Callable[..., Any], index: int, out: bytes
) -> None:
    ingress = """
        hdr.u[0].one.setValid(); hdr.u[0].one.a = 9;
        hdr.u[hdr.index.i].two.setValid(); hdr.u[hdr.index.i].two.b = 5;
    """
    assert run(build, bytes([index]), ingress=ingress) == out


@pytest.mark.parametrize(("index", "out"), [(0, b"\0\x01"), (1, b"\x01\0\x02"), (9, b"\x09")])
def test_a_union_is_copied_whole(build: Callable[..., Any], index: int, out: bytes) -> None:
    ingress = """
        hdr.u[0].one.setValid(); hdr.u[0].one.a = 1;
        hdr.u[1].two.setValid(); hdr.u[1].two.b = 2;
        hdr.single = hdr.u[hdr.index.i];
    """
    deparser = "packet.emit(hdr.index); packet.emit(hdr.single);"
    assert run(build, bytes([index]), ingress=ingress, deparser=deparser) == out


def test_a_union_is_copied_between_two_variable_places(build: Callable[..., Any]) -> None:
    ingress = """
        hdr.u[0].two.setValid(); hdr.u[0].two.b = 0x0a0b;
        hdr.u[hdr.index.i] = hdr.u[hdr.index.i - 1];
    """
    assert run(build, b"\x01", ingress=ingress) == b"\x01\x0a\x0b\x0a\x0b"


@pytest.mark.parametrize(("index", "out"), [(0, b"\x03"), (1, b"\x01")])
def test_validity_and_fields_are_read(build: Callable[..., Any], index: int, out: bytes) -> None:
    ingress = """
        hdr.u[0].one.setValid(); hdr.u[0].one.a = 3;
        bool any = hdr.u[hdr.index.i].isValid();
        bool one = hdr.u[hdr.index.i].one.isValid();
        bit<8> a = hdr.u[hdr.index.i].one.a;
        if (any && one) { hdr.index.i = a; }
    """
    deparser = "packet.emit(hdr.index);"
    assert run(build, bytes([index]), ingress=ingress, deparser=deparser) == out


@pytest.mark.parametrize(("index", "out"), [(0, b"\0"), (1, b"\x01\x04")])
def test_a_union_is_made_invalid(build: Callable[..., Any], index: int, out: bytes) -> None:
    ingress = """
        hdr.u[0].one.setValid(); hdr.u[0].one.a = 4;
        hdr.u[hdr.index.i].one.setInvalid();
    """
    assert run(build, bytes([index]), ingress=ingress) == out


def test_extracting_ends_the_parser_out_of_bounds(build: Callable[..., Any]) -> None:
    parser = "packet.extract(hdr.index); packet.extract(hdr.u[hdr.index.i].two);"
    ingress = "if (standard_metadata.parser_error == error.StackOutOfBounds) hdr.index.i = 0xee;"
    assert run(build, b"\x01\x0a\x0b", parser=parser) == b"\x01\x0a\x0b"
    assert run(build, b"\x05\x0a", parser=parser, ingress=ingress) == b"\xee\x0a"
