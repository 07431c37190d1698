"""Early ageing, the SPU's part: while the table is too full, sessions end after ``early-ageout``.

Sessions are looked at in the order in which they began, some at a time, and as few as needed. What
an SPU sees no packets of (Express Path) its NPUs are asked about. If not enough of them are idle,
it looks again after a while.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.config.schema import SECOND
from controller.flow import Nanoseconds, places
from controller.messages import AgeEarly
from controller.spu.core import Core
from controller.spu.live_path import LivePath
from controller.spu.session import SessionState

SLICE = 500
"""Sessions looked at without a break."""
PAUSE: Nanoseconds = SECOND
"""Between two rounds."""
SOON: Nanoseconds = SECOND // 50
"""Until sessions that end are gone, and NPUs have answered."""


class EarlyAgeing:
    """Ends idle sessions until the central point is content."""

    def __init__(self, core: Core, live: LivePath) -> None:
        self._core = core
        self._live = live
        self._floor: int | None = None
        """Places to keep (``flow.places``); ``None``: nothing is to be done."""
        self._round: Iterator[int] | None = None
        self._asked: set[int] = set()
        """Sessions that end, or that NPUs are asked about."""
        self._next: Nanoseconds = 0

    def take(self, message: AgeEarly) -> None:
        """The central point says how many places its sessions may take."""
        core = self._core
        self._floor = message.floor
        aging = core.config.aging
        if message.floor is None or aging is None:
            self._floor = self._round = None
            core.early_ageout = 0
            return
        core.early_ageout = aging.early_ageout
        self._next = core.now

    def due(self) -> Nanoseconds:
        """When ``tick`` is, if it is wanted."""
        return self._next

    def tick(self) -> None:
        """Look at some sessions."""
        core, limit = self._core, self._core.early_ageout
        assert self._floor is not None
        sessions = core.sessions
        asked = self._asked
        for session_id in [i for i in asked if i not in sessions or _is_decided(core, i)]:
            asked.remove(session_id)
        # Those that NPUs are asked about count as if they ended.
        ending = sum(places(sessions[i].wings[0].key) for i in asked)
        wanted = len(sessions) + core.ipv6_sessions - ending - self._floor
        self._next = core.now + SOON
        for _ in range(SLICE):
            if wanted <= 0:
                return
            if self._round is None:
                self._round = iter(list(sessions))
            session_id = next(self._round, 0)
            if not session_id:
                self._round = None
                self._next = core.now + PAUSE
                return
            session = sessions.get(session_id)
            if (
                session is not None
                and session.state is SessionState.ACTIVE
                and session_id not in asked
                and core.now - session.last_seen >= limit
            ):
                asked.add(session_id)
                wanted -= places(session.wings[0].key)
                self._live.look(session)
        self._next = core.now


def _is_decided(core: Core, session_id: int) -> bool:
    """Whether NPUs have answered, and the session goes on."""
    session = core.sessions[session_id]
    return session.state is not SessionState.CLOSING and session.probe is None
