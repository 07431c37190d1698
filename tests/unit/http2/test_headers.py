"""HPACK as it is done here, against hpack."""

from __future__ import annotations

from hpack import Decoder, Encoder, HeaderTuple
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.http2.headers import NO_TABLE, HeaderDecoder, spelt_out

HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b":path", b":status", b"te", b"grpc-timeout", b"content-type", b"x"]),
        st.binary(max_size=300),
    ),
    max_size=8,
)
BOUNDED = settings(max_examples=60, deadline=None)


def plain(headers: object) -> list[tuple[bytes, bytes]]:
    assert isinstance(headers, list | tuple)
    return [(bytes(name), bytes(value)) for name, value in headers]


@given(st.lists(HEADERS, max_size=6))
@BOUNDED
def test_anybody_can_decode_what_is_sent(blocks: list[list[tuple[bytes, bytes]]]) -> None:
    decoder, before = Decoder(), NO_TABLE
    for headers in blocks:
        assert plain(decoder.decode(before + spelt_out(tuple(headers)), raw=True)) == headers
        before = b""


def test_settings_of_the_peer_change_nothing() -> None:
    decoder, before = Decoder(), NO_TABLE
    decoder.max_allowed_table_size = 0
    headers = ((b"a", b"b"), (b"long", bytes(400)))
    for _ in range(3):
        assert plain(decoder.decode(before + spelt_out(headers), raw=True)) == list(headers)
        before = b""


@given(st.lists(st.tuples(HEADERS, st.sampled_from([None, 0, 100, 4096])), max_size=30))
@BOUNDED
def test_what_is_remembered_is_what_was_meant(
    blocks: list[tuple[list[tuple[bytes, bytes]], int | None]],
) -> None:
    """An encoder that uses its table, with blocks that come again and again."""
    encoder, decoder = Encoder(), HeaderDecoder(1 << 16)
    for headers, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        for _ in range(3):
            block = encoder.encode([HeaderTuple(*header) for header in headers])
            assert list(decoder.headers(block)) == headers
