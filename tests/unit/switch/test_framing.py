"""Messages of gRPC, cut anywhere."""

from __future__ import annotations

import random

import pytest

from p4embed.switch.p4runtime.errors import Code, P4RuntimeError
from p4embed.switch.p4runtime.framing import LONGEST, Messages, framed, message_at


def test_messages_are_put_together() -> None:
    rng = random.Random(1)
    sent = [rng.randbytes(rng.choice((0, 1, 5, 100, 3000))) for _ in range(200)]
    raw = b"".join(map(framed, sent))
    for longest in (1, 7, 50, 5000, len(raw)):
        messages, got, at = Messages(), b"", 0
        while at < len(raw):
            size = rng.randint(1, longest)
            got += messages.add(raw[at : at + size])
            at += size
        assert got == raw
    found, at = [], 0
    while at < len(raw):
        message, at = message_at(raw, at)
        found.append(message)
    assert found == sent


def test_what_is_not_taken() -> None:
    with pytest.raises(P4RuntimeError) as caught:
        Messages().add(framed(b"good") + b"\1" + bytes(4))
    assert caught.value.code is Code.UNIMPLEMENTED
    with pytest.raises(P4RuntimeError) as caught:
        Messages().add(b"\0" + (LONGEST + 1).to_bytes(4, "big"))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
