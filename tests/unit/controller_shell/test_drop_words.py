"""Every reason that a packet may fall for has words that explain it."""

from __future__ import annotations

from controller.operate.drop_words import why
from controller.reasons import Drop


def test_every_reason_is_explained_and_no_two_alike() -> None:
    words = {reason: why(reason) for reason in Drop if reason is not Drop.NONE}
    assert all(0 < len(each) < 80 for each in words.values())
    assert len(set(words.values())) == len(words)


def test_a_screen_is_explained_by_the_words_that_switch_it_on() -> None:
    assert why(Drop.SCREEN_LAND) == "screen: tcp land"
    assert why(Drop.SCREEN_IPV6_ROUTING) == "screen: ip ipv6-extension-header routing-header"
    assert why(Drop.SCREEN_SYN_FLOOD_SOURCE) == "screen: tcp syn-flood source-threshold"
