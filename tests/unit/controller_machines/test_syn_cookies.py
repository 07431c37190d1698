"""SYN cookies alone: what one says, and who can say it."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from controller.config.schema import SECOND
from controller.flow import FlowKey
from controller.packet import parse
from controller.reasons import Drop
from controller.spu.splice import Splice
from controller.syn_cookie import PERIOD, SEGMENT_SIZES, Cookies
from controller.tcp_options import Offer

from .guarded import MOD, checked

FLOW = FlowKey(bytes(4), bytes(4), 1, 2, 6, 3)


@settings(max_examples=60, deadline=None)
@given(
    client=st.integers(0, MOD - 1),
    mss=st.integers(0, 65535),
    scale=st.none() | st.integers(0, 14),
    sack=st.booleans(),
    now=st.integers(0, 10**15),
    age=st.integers(0, PERIOD),
)
def test_a_cookie_says_what_its_client_offered(
    client: int, mss: int, scale: int | None, sack: bool, now: int, age: int
) -> None:
    cookies = Cookies(b"seed")
    cookie = cookies.make(FLOW, client, Offer(mss, scale, sack), now)
    said = Cookies(b"seed").check(FLOW, client, cookie, now + age)
    assert said is not None
    assert (said.window_scale, said.sack) == (scale, sack)
    assert said.mss == max([s for s in SEGMENT_SIZES if s <= mss], default=SEGMENT_SIZES[0])
    assert cookies.check(FLOW, client, cookie, now + 2 * PERIOD) is None
    assert cookies.check(FLOW._replace(token=4), client, cookie, now) is None
    assert Cookies(b"other").check(FLOW, client, cookie, now) is None


def test_guesses_fail() -> None:
    cookies, random = Cookies(b"seed"), Random(1)
    assert not any(
        cookies.check(FLOW, 7, random.getrandbits(32), 10 * SECOND) for _ in range(20_000)
    )


@settings(max_examples=40, deadline=None)
@given(
    ours=st.integers(0, MOD - 1),
    server=st.integers(0, MOD - 1),
    seq=st.integers(0, MOD - 1),
    ack=st.integers(0, MOD - 1),
    data=st.binary(max_size=20),
)
def test_what_goes_in_comes_out_again(
    ours: int, server: int, seq: int, ack: int, data: bytes
) -> None:
    splice = Splice(1, ours, Offer(1460, None, True))
    splice.join(server, Offer(1460, None, True))
    frame = bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(dst="192.0.2.1")
        / TCP(seq=seq, ack=ack, flags="A", dport=81)
        / data
    )
    packet = parse(frame)
    assert not isinstance(packet, Drop)
    inside = checked(Ether(splice.inward(packet).frame))
    assert inside[TCP].seq == (seq + ours - server) % MOD
    assert inside[TCP].ack == ack
    outside = checked(Ether(splice.outward(packet).frame))
    assert outside[TCP].ack == (ack - ours + server) % MOD
    assert outside[TCP].seq == seq
