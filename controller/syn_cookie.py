"""SYN cookies: a sequence number that says what its sender forgot.

The firewall answers a SYN with a number that it can check when it comes back, and keeps nothing:

    32          29             25       24                              0
    | MSS index | window scale | SACK   | message authentication code   |
       3 bits      4 (15: none)  1 bit     24 bits

The code is keyed (BLAKE2s) with a secret that changes every ``PERIOD`` and is good for two of them;
it covers the six criteria, the client's own number and the other bits. What the client may be told
of its options is what fits; time stamps are not offered, so nothing has to be hidden in them. (The
layout is ours; the idea is D. J. Bernstein's, RFC 4987 section 3.6.)

Guessing costs 2^23 acknowledgements on average, at most as many a second as NPUs hand over.
"""

from __future__ import annotations

from hashlib import blake2s

from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.tcp_options import Offer

PERIOD: Nanoseconds = 32 * SECOND
"""A cookie is good for one to two of these."""

SEGMENT_SIZES = (256, 536, 1024, 1220, 1360, 1400, 1440, 1460)
"""What the client is taken to accept: the largest of these that it does."""

_NO_SCALE = 15
_CODE_BITS = 24
_CODE_MASK = (1 << _CODE_BITS) - 1


class Cookies:
    """Makes and checks them. All who have the same seed know each other's."""

    __slots__ = ("_period", "_secrets", "_seed")

    def __init__(self, seed: bytes) -> None:
        """``seed``: 1 to 32 secret bytes."""
        self._seed = seed
        self._period = -1
        self._secrets = (b"", b"")
        """Of this period, and of the one before."""

    def make(self, flow: FlowKey, client: int, offer: Offer, now: Nanoseconds) -> int:
        """The number to answer a SYN with; ``client`` is the SYN's own."""
        index = sum(size <= offer.mss for size in SEGMENT_SIZES[1:])
        scale = _NO_SCALE if offer.window_scale is None else offer.window_scale
        said = index << 5 | scale << 1 | offer.sack
        return said << _CODE_BITS | _code(self._keys(now)[0], flow, client, said)

    def check(self, flow: FlowKey, client: int, cookie: int, now: Nanoseconds) -> Offer | None:
        """What the client offered when it was given this cookie; ``None``: it never was, or too
        long ago."""
        said, code = cookie >> _CODE_BITS, cookie & _CODE_MASK
        for secret in self._keys(now):
            if _code(secret, flow, client, said) == code:
                scale = said >> 1 & 15
                return Offer(
                    SEGMENT_SIZES[said >> 5],
                    None if scale == _NO_SCALE else scale,
                    bool(said & 1),
                )
        return None

    def number(self, flow: FlowKey, client: int, now: Nanoseconds) -> int:
        """An initial sequence number that nobody can guess, for who does remember."""
        return int.from_bytes(_digest(self._keys(now)[0], flow, client, 0xFF, 4), "big")

    def _keys(self, now: Nanoseconds) -> tuple[bytes, bytes]:
        period = now // PERIOD
        if period != self._period:
            self._period = period
            self._secrets = (self._secret(period), self._secret(period - 1))
        return self._secrets

    def _secret(self, period: int) -> bytes:
        return blake2s(period.to_bytes(8, "big", signed=True), key=self._seed).digest()


def _digest(secret: bytes, flow: FlowKey, client: int, said: int, size: int) -> bytes:
    src, dst, sport, dport, _, token = flow
    rest = sport << 72 | dport << 56 | token << 40 | client << 8 | said
    return blake2s(src + dst + rest.to_bytes(11, "big"), key=secret, digest_size=size).digest()


def _code(secret: bytes, flow: FlowKey, client: int, said: int) -> int:
    return int.from_bytes(_digest(secret, flow, client, said, _CODE_BITS // 8), "big")
