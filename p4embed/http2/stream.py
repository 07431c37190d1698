"""One request and its answer, as one end of a connection has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from p4embed.http2.headers import Header


class Stream:
    """One request and its answer. What comes is told by the ``on_`` methods."""

    __slots__ = ("_sent", "end", "id", "is_read", "outgoing", "room", "untold")

    def __init__(self) -> None:
        self.id = 0
        self.outgoing: deque[bytes] = deque()
        """Data that has not left."""
        self._sent = 0
        """Bytes of its first piece that have."""
        self.end: bytes | None = None
        """A header block that follows, empty for none, once nothing more will."""
        self.room = 0
        """Bytes that the far end takes."""
        self.untold = 0
        """Bytes received that it has not been given room for again."""
        self.is_read = False
        """Whether the far end sends nothing more."""

    def on_headers(self, headers: Sequence[Header]) -> None:
        """Headers or trailers came."""

    def on_data(self, data: bytes) -> None:
        """Data came."""

    def on_end(self) -> None:
        """Nothing more comes."""

    def on_reset(self, code: int) -> None:
        """The far end gave it up."""

    def on_gone(self) -> None:
        """The stream is over: all has been said, or one of both ends gave it up."""

    def refill(self) -> bool:
        """All that was outgoing has left: whether there is more, which is put there."""
        return False

    def take(self, room: int) -> bytes:
        """The next bytes to send, ``room`` at most."""
        outgoing, sent = self.outgoing, self._sent
        pieces = []
        while outgoing and room:
            piece = outgoing[0]
            left = len(piece) - sent
            if left > room:
                pieces.append(piece[sent : sent + room])
                sent += room
                break
            pieces.append(piece[sent:] if sent else piece)
            outgoing.popleft()
            room -= left
            sent = 0
        self._sent = sent
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
