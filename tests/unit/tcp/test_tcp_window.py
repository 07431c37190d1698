"""The sequence check against two ends that do as RFC 9293 and RFC 7323 say, in plain integers.

The ends (``End``) know what the firewall can only bound. Between them is a network that loses,
repeats and reorders on both sides of the firewall. What an end that keeps to the rules sends is
never held up, however its first number lies to 2**32; what is out of both ends' windows always is.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.flow import Direction
from controller.packet import ACK, FIN, RST, SYN
from controller.spu.tcp_window import Segment, Windows

from .tcp_ends import (
    ACTIONS,
    CLIENT,
    MOD,
    PASS,
    SERVER,
    Connection,
    Whole,
    connections,
    histories,
    replay,
)


@settings(max_examples=250, deadline=None)
@given(connections, histories)
def test_nothing_that_its_receiver_would_take_is_held_up(
    parts: tuple[tuple[int, int], tuple[int, int], tuple[int, int] | None],
    history: list[tuple[int, Direction, int, int]],
) -> None:
    replay(Connection(*parts), history)


@settings(max_examples=150, deadline=None)
@given(connections, histories)
def test_what_an_end_sends_passes_if_it_comes_in_order(
    parts: tuple[tuple[int, int], tuple[int, int], tuple[int, int] | None],
    history: list[tuple[int, Direction, int, int]],
) -> None:
    """Also what its receiver would only acknowledge: without that nobody would get on."""
    connection = Connection(*parts)
    for number, side, a, b in history:
        ACTIONS[number % PASS](connection, side, a, b)
        for sender, segment in connection.before:
            assert connection.pass_(sender, segment), (sender, segment)
        connection.before.clear()


@settings(max_examples=150, deadline=None)
@given(connections, histories, st.sampled_from(Direction), st.integers(1, 1 << 30), st.data())
def test_what_is_beyond_both_bounds_is_held_up(
    parts: tuple[tuple[int, int], tuple[int, int], tuple[int, int] | None],
    history: list[tuple[int, Direction, int, int]],
    side: Direction,
    off: int,
    data: st.DataObject,
) -> None:
    connection = Connection(*parts)
    replay(connection, history)
    own, peer = connection.ends[side], connection.ends[1 - side]
    widest = max(peer.room, 65535, peer.edge - peer.rcv_nxt)
    late = Whole(max(own.nxt, peer.edge + 1) + off, 0, ACK, own.rcv_nxt, 1)
    early = Whole(own.iss - 2 * widest - off, 0, ACK, own.rcv_nxt, 1)
    unsent = Whole(own.nxt, 0, ACK, peer.nxt + off, 1)
    before = list(connection.firewall)
    forged = data.draw(st.sampled_from((late, early, unsent)))
    for flags in (ACK, ACK | RST, ACK | FIN):
        segment = Whole(forged.seq, forged.size, flags, forged.ack, forged.window)
        assert not connection.firewall.take(side, segment.on_wire())
    assert list(connection.firewall) == before, "nothing is learned from it"


# -- cases by hand ------------------------------------------------------------------------------


def established(shifts: tuple[int, int] | None = None) -> Windows:
    """A client at 1001, a server at 5001, each with a window of 1000."""
    windows = Windows.fresh()
    mine, theirs = shifts or (None, None)
    assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 0, mine))
    assert windows.take(SERVER, Segment(5000, 1001, SYN | ACK, 1000, 0, theirs))
    assert windows.take(CLIENT, Segment(1001, 5001, ACK, 1000, 0))
    return windows


@pytest.mark.parametrize(
    ("segment", "may"),
    [
        (Segment(1001, 5001, ACK, 1000, 1000), True),
        (Segment(2001, 5001, ACK, 1000, 1), True),  # knocks at the edge
        (Segment(2002, 5001, ACK, 1000, 0), True),  # has knocked
        (Segment(2003, 5001, ACK, 1000, 0), False),
        (Segment(1000, 5001, ACK, 1000, 0), True),  # keeps alive
        (Segment(0, 5001, ACK, 1000, 0), True),
        (Segment(MOD - 1, 5001, ACK, 1000, 0), False),
        (Segment(1001, 5002, ACK, 1000, 5), False),  # nobody sent that
        (Segment(1001, 3000, ACK, 1000, 5), True),
        (Segment(1001, 2999, ACK, 1000, 5), False),  # two windows ago
        (Segment(2001, 0, RST, 0, 0), True),
        (Segment(2003, 0, RST, 0, 0), False),
        (Segment(1001, 5001, RST | ACK, 0, 0), True),
        (Segment(1001, 5002, RST | ACK, 0, 0), False),
        (Segment(77, 0, SYN, 1000, 0), True),  # a client that knows of no connection
    ],
)
def test_in_place_or_not(segment: Segment, may: bool) -> None:
    assert established().take(CLIENT, segment) == may


def test_windows_are_scaled_only_if_both_offer_it_and_never_in_a_syn() -> None:
    far = Segment(1001 + 8000, 5001, ACK, 1000, 0)
    ack = Segment(5001, 1001, ACK, 1000, 0)
    for shifts, may in (((2, 3), True), ((2, None), False), ((None, 3), False), (None, False)):
        windows = established(shifts)  # type: ignore[arg-type]
        assert not windows.take(CLIENT, far), "the window of a SYN is not scaled"
        assert windows.take(SERVER, ack)
        assert windows.take(CLIENT, far) == may


def test_a_syn_that_comes_again_with_another_number_counts_until_it_is_answered() -> None:
    windows = Windows.fresh()
    assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 0))
    assert windows.take(CLIENT, Segment(9000, 0, SYN, 1000, 0))
    assert not windows.take(SERVER, Segment(5000, 1001, SYN | ACK, 1000, 0))
    assert windows.take(SERVER, Segment(5000, 9001, SYN | ACK, 1000, 0))
    # A server without memory (SYN cookies) may answer the next SYN with another number.
    assert windows.take(CLIENT, Segment(9000, 0, SYN, 1000, 0))
    assert windows.take(SERVER, Segment(6000, 9001, SYN | ACK, 1000, 0))
    assert windows.take(CLIENT, Segment(9001, 6001, ACK, 1000, 0))
    assert windows.take(SERVER, Segment(8000, 9001, SYN | ACK, 1000, 0)), "it does no harm"
    assert not windows.take(SERVER, Segment(8001, 9001, ACK, 1000, 0))


def test_both_may_speak_first() -> None:
    windows = Windows.fresh()
    for side, seq, ack, flags in (
        (CLIENT, 1000, 0, SYN),
        (SERVER, 5000, 0, SYN),
        (CLIENT, 1000, 5001, SYN | ACK),
        (SERVER, 5000, 1001, SYN | ACK),
        (CLIENT, 1001, 5001, ACK),
        (SERVER, 5001, 1001, ACK),
    ):
        assert windows.take(side, Segment(seq, ack, flags, 1000, 0))
    assert not windows.take(SERVER, Segment(6003, 1001, ACK, 1000, 0))


def test_both_may_speak_first_and_one_answer_get_lost() -> None:
    windows = Windows.fresh()
    assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 0))
    assert windows.take(SERVER, Segment(5000, 0, SYN, 1000, 0))
    assert windows.take(CLIENT, Segment(1000, 5001, SYN | ACK, 1000, 0))
    assert windows.take(SERVER, Segment(5001, 1001, ACK, 1000, 7))


def test_a_refusal_has_to_name_the_connection() -> None:
    for ack, flags, may in (
        (1001, ACK, True),
        (1000, ACK, False),
        (1002, ACK, False),
        (0, 0, False),
    ):
        windows = Windows.fresh()
        assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 0))
        assert windows.take(SERVER, Segment(0, ack, RST | flags, 0, 0)) == may


def test_a_server_that_has_an_old_connection_may_say_so() -> None:
    windows = Windows.fresh()
    assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 0))
    assert windows.take(SERVER, Segment(300, 100, ACK, 1000, 0))
    assert windows.take(CLIENT, Segment(100, 0, RST, 0, 0)), "RFC 9293, section 3.5.1, figure 9"


def test_a_connection_is_not_made_by_what_does_not_acknowledge_the_servers_syn() -> None:
    """RFC 9293, section 3.10.7.4: in SYN-RECEIVED the server resets whoever says so."""
    for ack, flags, may in (
        (5000, ACK, False),
        (4500, ACK, False),
        (5002, ACK, False),
        (4500, RST | ACK, True),
        (5001, ACK, True),
    ):
        windows = Windows.fresh()
        assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 0))
        assert windows.take(SERVER, Segment(5000, 1001, SYN | ACK, 1000, 0))
        assert windows.take(CLIENT, Segment(1001, ack, flags, 1000, 10)) == may


def test_a_server_may_send_data_before_its_syn_is_acknowledged() -> None:
    windows = Windows.fresh()
    assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 5))
    assert windows.take(SERVER, Segment(5000, 1006, SYN | ACK, 1000, 0))
    assert windows.take(SERVER, Segment(5001, 1006, ACK, 1000, 20))
    assert windows.take(CLIENT, Segment(1006, 5001, ACK, 1000, 0))


def test_data_with_a_syn_and_right_behind_it_counts() -> None:
    windows = Windows.fresh()
    assert windows.take(CLIENT, Segment(1000, 0, SYN, 1000, 100))
    assert windows.take(CLIENT, Segment(1101, 0, 0, 1000, 50))
    assert windows.take(SERVER, Segment(5000, 1101, SYN | ACK, 1000, 0))
    assert windows.take(SERVER, Segment(5001, 1151, ACK, 1000, 0))


def test_what_later_fragments_carry_may_be_acknowledged() -> None:
    windows = established()
    assert windows.take(CLIENT, Segment(1001, 5001, ACK, 1000, 400, None, True))
    assert windows.take(SERVER, Segment(5001, 1901, ACK, 1000, 0))
    assert windows.take(CLIENT, Segment(1901, 5001, ACK, 1000, 10))


def test_an_exact_rst_is_where_its_sender_or_what_its_peer_waits_for_is() -> None:
    windows = established()
    assert windows.take(CLIENT, Segment(1001, 5001, ACK, 1000, 100))
    assert windows.take(CLIENT, Segment(1101, 5001, ACK, 1000, 100))
    assert windows.take(SERVER, Segment(5001, 1051, ACK, 700, 0))
    exact = [seq for seq in range(900, 1300) if windows.is_exact(CLIENT, seq)]
    assert exact == [1051, 1101, 1201]
    last = windows.last_word(CLIENT)
    assert last == Segment(5001, 1051, ACK, 950, 0), "up to where it let the client go"
    assert windows.take(SERVER, last), "it says nothing new"
    assert all(Windows.fresh().is_exact(side, 5) for side in Direction)
