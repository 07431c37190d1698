"""States of a connection, against a table written from RFC 9293, section 3.10.7.

Somebody between client and server sees what both are in by what passes: the table names, for each
state, what a segment of the client and of the server makes of it. Anything that is not named
changes nothing.
"""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from controller.flow import Direction
from controller.packet import ACK, FIN, PSH, RST, SYN
from controller.reasons import Close
from controller.spu.tcp import TcpState, TcpTracker, opens

CLIENT, SERVER = Direction.FORWARD, Direction.REVERSE
OPENING, ANSWERED, ESTABLISHED, HALF_CLOSED, TIME_WAIT, RESET = TcpState

CLIENT_CLOSED, SERVER_CLOSED = "client closed", "server closed"
"""The two ways to be half closed."""

TABLE = {
    # SYN-SENT: only an acknowledged SYN, or a RST, is an answer.
    (OPENING, SERVER, "SYN ACK"): ANSWERED,
    # SYN-RECEIVED: the acknowledgement of its SYN makes the server ESTABLISHED; a FIN brings one.
    (ANSWERED, CLIENT, "ACK"): ESTABLISHED,
    (ANSWERED, CLIENT, "FIN ACK"): CLIENT_CLOSED,
    (ANSWERED, CLIENT, "FIN"): CLIENT_CLOSED,
    (ANSWERED, SERVER, "FIN ACK"): SERVER_CLOSED,
    (ANSWERED, SERVER, "FIN"): SERVER_CLOSED,
    # FIN-WAIT-1 of one, CLOSE-WAIT of the other.
    (ESTABLISHED, CLIENT, "FIN ACK"): CLIENT_CLOSED,
    (ESTABLISHED, CLIENT, "FIN"): CLIENT_CLOSED,
    (ESTABLISHED, SERVER, "FIN ACK"): SERVER_CLOSED,
    (ESTABLISHED, SERVER, "FIN"): SERVER_CLOSED,
    # LAST-ACK, TIME-WAIT. A FIN that comes again changes nothing before.
    (CLIENT_CLOSED, SERVER, "FIN ACK"): TIME_WAIT,
    (CLIENT_CLOSED, SERVER, "FIN"): TIME_WAIT,
    (SERVER_CLOSED, CLIENT, "FIN ACK"): TIME_WAIT,
    (SERVER_CLOSED, CLIENT, "FIN"): TIME_WAIT,
}

FLAGS = {
    "": 0,
    "ACK": ACK,
    "SYN": SYN,
    "SYN ACK": SYN | ACK,
    "FIN": FIN,
    "FIN ACK": FIN | ACK,
    "RST": RST,
    "RST ACK": RST | ACK,
}


def reach(state: object) -> TcpTracker:
    """A connection in this state."""
    ways = {
        OPENING: [],
        ANSWERED: [(SERVER, SYN | ACK)],
        ESTABLISHED: [(SERVER, SYN | ACK), (CLIENT, ACK)],
        CLIENT_CLOSED: [(SERVER, SYN | ACK), (CLIENT, ACK), (CLIENT, FIN | ACK)],
        SERVER_CLOSED: [(SERVER, SYN | ACK), (CLIENT, ACK), (SERVER, FIN | ACK)],
        TIME_WAIT: [(SERVER, SYN | ACK), (CLIENT, FIN | ACK), (SERVER, FIN | ACK)],
        RESET: [(SERVER, RST | ACK)],
    }
    tracker = TcpTracker()
    for direction, flags in [(CLIENT, SYN), *ways[state]]:
        tracker.observe(direction, flags)
    return tracker


def name(tracker: TcpTracker) -> object:
    """The state, half-closed ones by who closed."""
    if tracker.state is HALF_CLOSED:
        return {1: CLIENT_CLOSED, 2: SERVER_CLOSED}[tracker.fins]
    return tracker.state


def test_every_segment_in_every_state() -> None:
    states = (OPENING, ANSWERED, ESTABLISHED, CLIENT_CLOSED, SERVER_CLOSED, TIME_WAIT, RESET)
    for state, direction, (words, flags) in product(states, Direction, FLAGS.items()):
        tracker = reach(state)
        assert name(tracker) == state
        changed = tracker.observe(direction, flags | PSH)
        expected = TABLE.get((state, direction, words), state)
        if words.startswith("RST"):
            expected = RESET
        assert name(tracker) == expected, (state, direction, words)
        begins_anew = state is TIME_WAIT and words.startswith("FIN")
        assert (changed is None) == (expected == state and not begins_anew)


def test_close_reasons_name_who_ended_it() -> None:
    assert reach(TIME_WAIT).close_reason is Close.TCP_FIN
    for direction, reason in ((CLIENT, Close.TCP_CLIENT_RST), (SERVER, Close.TCP_SERVER_RST)):
        tracker = reach(ESTABLISHED)
        tracker.observe(direction, RST)
        tracker.observe(Direction(1 - direction), RST)  # the second one does not matter
        assert tracker.close_reason is reason


def test_fins_of_a_connection_that_is_not_open_yet_are_remembered() -> None:
    tracker = TcpTracker()
    for direction in (CLIENT, SERVER):
        assert tracker.state is OPENING
        tracker.observe(direction, FIN | ACK)
    assert tracker.state is TIME_WAIT


def test_one_met_in_its_middle_is_established() -> None:
    assert TcpTracker(is_new=False).state is ESTABLISHED


def test_strict_handshake_lets_data_pass_with_the_last_ack_at_the_earliest() -> None:
    for state, direction, flags, is_empty in product(
        (OPENING, ANSWERED), Direction, FLAGS.values(), (True, False)
    ):
        if flags & RST or (state is ANSWERED and direction is CLIENT and flags in (ACK, FIN | ACK)):
            may = True
        else:
            may = is_empty and not flags & FIN
        assert reach(state).allows(direction, flags, is_empty) == may
    for state in (ESTABLISHED, CLIENT_CLOSED, SERVER_CLOSED, TIME_WAIT):
        assert all(reach(state).allows(d, f, False) for d, f in product(Direction, FLAGS.values()))


@given(st.lists(st.tuples(st.sampled_from(Direction), st.integers(0, 63)), max_size=12))
def test_it_never_goes_back(segments: list[tuple[Direction, int]]) -> None:
    tracker = TcpTracker()
    for direction, flags in segments:
        before = tracker.state
        tracker.observe(direction, flags)
        assert tracker.state >= before
        if flags & RST:
            assert tracker.state is RESET


def test_what_opens_a_connection() -> None:
    assert [f for f in range(64) if opens(f)] == [f for f in range(64) if f & 0x17 == SYN]
