"""Streams: packets and notices queued for each controller.

A data plane's thread must never wait for a controller, so each stream has a queue of what it is to
send, and a full queue drops packets (counted) rather than delaying them. What is queued is
translated when there is room to send it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from finsy.proto import p4i, p4r

from p4embed.switch.engine import IdleEntry
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, number
from p4embed.switch.p4runtime.framing import framed
from p4embed.switch.p4runtime.packets import PacketTranslator
from p4embed.switch.p4runtime.pipeline import Pipeline
from p4embed.switch.p4runtime.roles import Scope
from p4embed.switch.p4runtime.target import Target

log = logging.getLogger("p4embed.switch")

MAX_QUEUED = 16384
"""Messages that may wait for a controller."""

IDLE_CHUNK = 100
"""Entries looked up at a time, and most in one IdleTimeoutNotification: some milliseconds, in which
no packet moves."""

_UNKNOWN = PacketTranslator(p4i.ControllerPacketMetadata())
"""Of a program that no controller has described: all of a frame is payload."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Entries that a controller is to hear of."""

    entries: Sequence[IdleEntry]
    start: int = 0
    """Those before were told already."""


_Item = p4r.StreamMessageResponse | Sequence[bytes] | Idle


class Stream:
    """One controller's stream: what is to be sent, until it ends."""

    def __init__(
        self, peer: str, wake: Callable[[], None], pipeline: Pipeline, lock: threading.RLock
    ) -> None:
        """``wake`` says, on any thread, that there is something to ``take``. ``lock`` keeps the
        pipeline from changing while entries are looked up in it."""
        self.peer = peer
        self.scope: Scope | None = None
        """What its role may hear while it is primary; ``None``: everything."""
        self.dropped = 0
        self.ended: P4RuntimeError | bool = False
        """Whether nothing follows; if it ends with an error, which one."""
        self._wake = wake
        self._pipeline = pipeline
        self._lock = lock
        self._queue: deque[tuple[_Item, int]] = deque()
        """With how many messages each counts for."""
        self._waiting = 0
        """Messages in it."""
        self._counting = threading.Lock()
        self._end: P4RuntimeError | bool = False

    def send(self, message: p4r.StreamMessageResponse) -> None:
        """Queue a message; it is never dropped."""
        self._queue.append((message, 0))
        self._wake()

    def offer(self, item: p4r.StreamMessageResponse | Idle) -> None:
        """Queue digests or idle entries, if there is room."""
        if self._room(1):
            self._queue.append((item, 1))
        self._wake()

    def offer_frames(self, frames: Sequence[bytes]) -> None:
        """Queue frames, as far as there is room."""
        room = self._room(len(frames))
        if room:
            self._queue.append((frames if room == len(frames) else frames[:room], room))
        self._wake()

    def _room(self, wanted: int) -> int:
        """Take room for so many messages, or as much as there is; what is over is dropped."""
        with self._counting:
            found = min(wanted, MAX_QUEUED - self._waiting)
            self._waiting += found
            before = self.dropped
            self.dropped += wanted - found
        if before.bit_length() != self.dropped.bit_length():
            log.warning(
                "controller %s reads too slowly: %d messages dropped", self.peer, self.dropped
            )
        return found

    def end(self, error: P4RuntimeError | None = None) -> None:
        """End the stream, with an error or without, once what is queued has been taken."""
        self._end = self._end or error or True
        self._wake()

    @property
    def waits(self) -> bool:
        """Whether there is something to ``take``."""
        return bool(self._queue)

    def take(self, most: int) -> bytes:
        """What to send next, framed for gRPC: of what is queued, until it is ``most`` bytes or
        more. Of idle entries a few at a time, because looking them up takes long."""
        queue, found, size, count = self._queue, [], 0, 0
        target = self._pipeline.running
        while queue and size < most:
            item, messages = queue.popleft()
            if isinstance(item, Idle):
                found.append(self._serialized(item, target))
                behind = item.start + IDLE_CHUNK
                if behind < len(item.entries):
                    # The rest after packets, which somebody waits for.
                    queue.append((Idle(item.entries, behind), messages))
                else:
                    count += messages
                break
            made = self._serialized(item, target)
            found.append(made)
            size += len(made)
            count += messages
        if count:
            with self._counting:
                self._waiting -= count
        if not queue:
            self.ended = self._end
        return b"".join(found)

    def _serialized(self, item: _Item, target: Target | None) -> bytes:
        if isinstance(item, p4r.StreamMessageResponse):
            messages: Iterable[p4r.StreamMessageResponse] = (item,)
        elif isinstance(item, Idle):
            return self._notices(item)
        elif target is not None and self.scope is None:
            return target.packets.messages(item)
        else:
            inward = _UNKNOWN if target is None else target.translator.packet_in
            messages = map(inward.message, item)
        return self._framed(messages)

    def _framed(self, messages: Iterable[p4r.StreamMessageResponse]) -> bytes:
        if self.scope is not None:
            messages = filter(self.scope.hears, messages)
        return b"".join(framed(message.SerializeToString()) for message in messages)

    def _notices(self, idle: Idle) -> bytes:
        entries = idle.entries[idle.start : idle.start + IDLE_CHUNK]
        with self._lock:
            target = self._pipeline.running
            if target is None:
                return b""
            if target.bulk is not None and self.scope is None:
                made = target.bulk.notice(entries)
                if made is not None:
                    return made
            return self._framed(idle_notices(entries, target))


def idle_notices(entries: Sequence[IdleEntry], target: Target) -> list[p4r.StreamMessageResponse]:
    """Notices for those of the entries that still exist, one per table."""
    messages: dict[int, p4r.StreamMessageResponse] = {}
    for entry in entries:
        known = target.translator.by_index.get(entry.table)
        current = None if known is None else target.engine.get(entry.table, entry.key)
        if known is None or current is None:
            continue
        message = messages.setdefault(entry.table, p4r.StreamMessageResponse())
        into = message.idle_timeout_notification.table_entry.add()
        known.unpack_key(entry.key, into)
        into.idle_timeout_ns = current.idle_timeout_ns
        into.metadata = current.metadata
    for message in messages.values():
        message.idle_timeout_notification.timestamp = time.time_ns()
    return list(messages.values())


class Streams:
    """The streams of all primaries: what the data plane's ``Listener`` tells."""

    def __init__(self) -> None:
        self._primaries: tuple[Stream, ...] = ()

    def set_primaries(self, streams: Iterable[Stream]) -> None:
        """Who gets packets and notices from now on."""
        self._primaries = tuple(streams)

    def packets_in(self, frames: Sequence[bytes]) -> None:
        """Frames from the CPU port, for each primary."""
        for stream in self._primaries:
            stream.offer_frames(frames)

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        """Idle entries, for each primary."""
        for stream in self._primaries:
            stream.offer(Idle(entries))

    def send(self, message: p4r.StreamMessageResponse) -> None:
        """A message for each primary."""
        for stream in self._primaries:
            stream.offer(message)


def packet_out_error(error: P4RuntimeError, packet: p4r.PacketOut) -> p4r.StreamMessageResponse:
    """A StreamError for a packet-out that was not sent."""
    message = p4r.StreamMessageResponse()
    message.error.canonical_code = number(error.code)
    message.error.message = error.message
    message.error.packet_out.packet_out.CopyFrom(packet)
    return message


def ack_error(error: P4RuntimeError, ack: p4r.DigestListAck) -> p4r.StreamMessageResponse:
    """A StreamError for an acknowledgement that cannot be."""
    message = p4r.StreamMessageResponse()
    message.error.canonical_code = number(error.code)
    message.error.message = error.message
    message.error.digest_list_ack.digest_list_ack.CopyFrom(ack)
    return message


def unsupported(kind: str) -> p4r.StreamMessageResponse:
    """A StreamError for a message that this server does not know."""
    message = p4r.StreamMessageResponse()
    message.error.canonical_code = number(Code.UNIMPLEMENTED)
    message.error.message = f"{kind} is not supported"
    message.error.other.SetInParent()
    return message
