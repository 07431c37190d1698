"""Streams: packets and notices queued for each controller.

A data plane's thread must never wait for a controller, so each stream has a queue of what it is to
send, and a full queue drops packets (counted) rather than delaying them. What is queued is
translated by the stream's own thread.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

from finsy.proto import p4r

from p4embed.switch.engine import IdleEntry
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, number
from p4embed.switch.p4runtime.pipeline import Pipeline
from p4embed.switch.p4runtime.roles import Scope
from p4embed.switch.p4runtime.target import Target

log = logging.getLogger("p4embed.switch")

MAX_QUEUED = 16384
"""Messages that may wait for a controller."""

IDLE_CHUNK = 1000
"""Entries looked up at a time, and most in one IdleTimeoutNotification."""

Idle = tuple[IdleEntry, ...]


class Stream:
    """One controller's stream: what is to be sent, until it ends."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.scope: Scope | None = None
        """What its role may hear while it is primary; ``None``: everything."""
        self._queue: queue.SimpleQueue[
            p4r.StreamMessageResponse | bytes | Idle | P4RuntimeError | None
        ] = queue.SimpleQueue()
        self.dropped = 0

    def send(self, message: p4r.StreamMessageResponse) -> None:
        """Queue a message; it is never dropped."""
        self._queue.put(message)

    def offer(self, item: bytes | Idle | p4r.StreamMessageResponse) -> None:
        """Queue a frame, idle entries or digests, unless the queue is full."""
        if self._queue.qsize() < MAX_QUEUED:
            self._queue.put(item)
            return
        self.dropped += 1
        if self.dropped.bit_count() == 1:
            log.warning(
                "controller %s reads too slowly: %d messages dropped", self.peer, self.dropped
            )

    def end(self, error: P4RuntimeError | None = None) -> None:
        """End the stream, with an error or without."""
        self._queue.put(error)

    def messages(
        self, pipeline: Pipeline, lock: threading.RLock
    ) -> Iterator[p4r.StreamMessageResponse]:
        """What to send, until the end; raises the error that ended the stream.

        ``lock`` keeps the pipeline from changing while entries are looked up in it.
        """
        for message in self._all_messages(pipeline, lock):
            if self.scope is None or self.scope.hears(message):
                yield message

    def _all_messages(
        self, pipeline: Pipeline, lock: threading.RLock
    ) -> Iterator[p4r.StreamMessageResponse]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, P4RuntimeError):
                raise item
            if isinstance(item, bytes):
                yield p4r.StreamMessageResponse(packet=_packet_in(item, pipeline.running))
            elif isinstance(item, tuple):
                for start in range(0, len(item), IDLE_CHUNK):
                    with lock:
                        notices = idle_notices(item[start : start + IDLE_CHUNK], pipeline)
                    yield from notices
            else:
                yield item


def _packet_in(frame: bytes, target: Target | None) -> p4r.PacketIn:
    if target is None:
        return p4r.PacketIn(payload=frame)
    return target.translator.packet_in.unpack(frame)


def idle_notices(
    entries: Sequence[IdleEntry], pipeline: Pipeline
) -> list[p4r.StreamMessageResponse]:
    """Notices for those of the entries that still exist, one per table."""
    target = pipeline.running
    if target is None:
        return []
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
            for frame in frames:
                stream.offer(frame)

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        """Idle entries, for each primary."""
        for stream in self._primaries:
            stream.offer(tuple(entries))

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
