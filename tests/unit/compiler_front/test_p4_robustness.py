"""Whatever the input, the front end answers with diagnostics, never with an exception."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.compiler.diagnostics import Diagnostics, SourceFile
from p4embed.compiler.frontend import load_source
from p4embed.compiler.syntax.preprocess import PreprocessorOptions

SEED = """\
#include <core.p4>
#define W 8
typedef bit<W> byte_t;
enum bit<4> Kind { A = 1, B = 2 }
header h_t { byte_t a; bit<(2 * W)> b; varbit<32> v; }
header_union u_t { h_t x; }
struct s_t { h_t h; h_t[3] hs; u_t u; tuple<bool, byte_t> t; }
struct g_t<T> { T f; }
extern Reg<T> { Reg(bit<32> n); void read(out T v, in bit<32> i); abstract T get(in T x); }
const g_t<byte_t> g = { f = 3 };
byte_t twice(in byte_t x) { return x |+| x; }
parser P(packet_in p, out s_t s)(bool deep) {
    value_set<byte_t>(4) vs;
    state start {
        p.extract(s.h, 16);
        p.extract(s.hs.next, 8);
        transition select(s.h.a, s.h.b) { (1, 2 &&& 3): start; (vs, _): accept; default: more; }
    }
    state more { verify(deep, error.NoMatch); transition reject; }
}
control C(inout s_t s, in Kind k)(bit<32> n) {
    Reg<byte_t>(n + 1) r = { byte_t get(in byte_t x) { return x; } };
    action set(inout byte_t d, byte_t v) { d = v; }
    table t {
        key = { s.h.a : exact; s.h.b[11:4] : ternary @name("b"); k : exact; }
        actions = { set(s.h.a); NoAction; }
        default_action = set(s.h.a, W > 3 ? 1 : 2);
        const entries = { (1, 2 &&& 0xF0, Kind.A) : set(s.h.a, 5); (_, _, _) : NoAction; }
        size = 16;
    }
    apply {
        bit<16> x = s.h.a ++ (byte_t) 8s1;
        if (!s.h.isValid() && t.apply().hit) { s.h = {#}; } else if (x > 3) { s.hs.pop_front(1); }
        switch (t.apply().action_run) { set: NoAction: { exit; } default: { return; } }
        switch (k) { Kind.A: { x = 1; } }
        for (bit<8> i in 1 .. 4) { x += (bit<16>) i << 2; }
        r.read(s.h.a, 0);
        s.t = { true, twice(x = s.h.a) };
    }
}
"""
PIECES = re.findall(r"\w+|\s+|[^\w\s]+", SEED)
WORDS = sorted({p for p in PIECES if p.strip()})


def load_text(text: str) -> Diagnostics:
    """Run the whole front end."""
    diagnostics = Diagnostics()
    result = load_source(SourceFile("fuzz.p4", text), PreprocessorOptions(), diagnostics)
    assert (result is None) == diagnostics.failed
    diagnostics.render()
    return diagnostics


def test_the_seed_is_right() -> None:
    """So that mutations of it reach every part of the checker."""
    assert not load_text(SEED).failed, load_text(SEED).render()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    load_text(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_any_words(words: list[str]) -> None:
    load_text(" ".join(words))


@settings(max_examples=250, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(PIECES) - 1),
            st.sampled_from(["delete", "double", "replace", "swap"]),
            st.sampled_from(WORDS),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_mutated_programs(changes: list[tuple[int, str, str]]) -> None:
    pieces = list(PIECES)
    for at, how, word in changes:
        match how:
            case "delete":
                pieces[at] = " "
            case "double":
                pieces[at] *= 2
            case "replace":
                pieces[at] = f" {word} "
            case _:
                other = (at * 7 + len(word)) % len(pieces)
                pieces[at], pieces[other] = pieces[other], pieces[at]
    load_text("".join(pieces))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SEED)))
def test_cut_off_programs(length: int) -> None:
    load_text(SEED[:length])


@pytest.mark.parametrize(
    "text",
    [
        "const bit<8> x = " + "(" * 10_000 + "1" + ")" * 10_000 + ";",
        "const bit<8> x = " + "-" * 10_000 + "1;",
        "const bit<8> x = 1" + " + 1" * 5_000 + ";",
        "const int x = 1" + " << 4000" * 100 + ";",
        "const int x = " + "9" * 10_000 + ";",
        "control c() { apply { " + "{" * 5_000,
        "control c() { apply { " + "if (true) " * 5_000,
        "typedef " + "tuple<" * 5_000,
        "const bool x = " + "a < " * 3_000 + "b;",
        "header h { } typedef h" + "[1]" * 3_000 + " t;",
        "const bit<8> x = y" + ".a" * 5_000 + ";",
        "@a" + "(" * 5_000,
    ],
    ids=lambda text: text[:24],
)
def test_deep_nesting_ends_in_a_message(text: str) -> None:
    assert load_text(text).failed


def test_long_chains_that_are_legal() -> None:
    chain = "if (x == 1) { x = 2; } else " * 2_000
    text = f"control c(inout bit<8> x) {{ apply {{ {chain} {{ }} x = 1{' + 1' * 900}; }} }}"
    assert not load_text(text).failed
