"""One NPU as the rest of the controller sees it: messages in, messages out.

``post`` takes what ``messages`` says goes to an NPU; what comes from it is handed to
``deliver``. Both happen on the event loop, and nothing here waits.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finsy.proto import p4r, rpc_code

from controller.config.cards import Chassis, NpuSite
from controller.config.schema import Configuration
from controller.messages import (
    CP,
    HOST,
    NEIGHBORS,
    OBSERVER,
    SPUS,
    Actor,
    Distribute,
    InstallWing,
    LimitSessions,
    Message,
    Outbound,
    PacketIn,
    PurgeSpu,
    ReadWing,
    RemoveWing,
    TraceCopy,
    Transmit,
)
from controller.npu.batcher import Batcher
from controller.npu.configured import Configured
from controller.npu.connection import WRITE_BATCH, Connection, NpuError
from controller.npu.counters import Counters
from controller.npu.limits import LimitEntries
from controller.npu.packets import PacketCodec
from controller.npu.pipeline import Pipeline
from controller.npu.turn import Turn
from controller.npu.wings import Wings
from controller.reasons import Punt

_PACKET = bytes((p4r.StreamMessageResponse.DESCRIPTOR.fields_by_name["packet"].number << 3 | 2,))
"""What a ``StreamMessageResponse`` with a packet-in begins with."""

_IDLE_A_TURN = 32
"""Notices of idle wings handled before packets get a turn, at least: a millisecond's work, with the
reads and removals that follow. Thousands come at once where thousands of sessions began together.
While packets come in hundreds, so do notices: else more sessions would begin than end."""
_NEIGHBOR_PUNTS = (Punt.ARP, Punt.ND)
_MISSES = (Punt.MISS, Punt.SYN_PROXY)


class Npu:
    """The client of one NPU. Create it within a running event loop."""

    def __init__(
        self,
        site: NpuSite,
        pipeline: Pipeline,
        deliver: Callable[[Outbound], None],
        clock: Callable[[], int] = time.monotonic_ns,
        turn: Turn | None = None,
    ) -> None:
        """``turn`` is shared by all NPUs of an event loop."""
        turn = turn or Turn()
        self.site = site
        self._turn = turn
        self.connection = Connection(site, turn)
        self._pipeline = pipeline
        self._deliver = deliver
        self._clock = clock
        self._codec = PacketCodec(pipeline, site.number)
        self._writer: Batcher[bytes, int] = Batcher(turn, self._write, WRITE_BATCH)
        self._configured = Configured(pipeline, self.connection, self._writer)
        self.wings = Wings(pipeline, self.connection, self._writer, deliver, turn)
        self.counters = Counters(pipeline, self.connection)
        self._takers: Mapping[type, Callable[[Any], None]] = {
            Transmit: self._transmit,
            InstallWing: self.wings.install,
            RemoveWing: self.wings.remove,
            ReadWing: self.wings.read,
            PurgeSpu: self.wings.purge,
            Distribute: self._configured.distribute,
            LimitSessions: LimitEntries(pipeline, self._writer).take,
        }
        self._idle: deque[p4r.TableEntry] = deque()
        """Wings that were said to be idle and have to be looked at."""
        self.packets_in = 0
        """Packets that the NPU punted and that came here."""

    # -- life -----------------------------------------------------------------------------

    async def start(self, configuration: Configuration, chassis: Chassis) -> None:
        """Connect, load the program, write all that the configuration says. Raises
        ``NpuError``."""
        await self.connection.open()
        is_new = await self.connection.set_pipeline(self._pipeline)
        await self._configured.begin(configuration, chassis, is_new=is_new)
        self.wings.entries.epoch = self._configured.epoch
        self.connection.start(self._received)

    async def apply(self, configuration: Configuration, chassis: Chassis) -> None:
        """Put another configuration into force. Raises ``NpuError``."""
        await self._configured.apply(configuration, chassis)

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        self.wings.stop()
        if not self.connection.is_lost:
            await self.wings.drained()
            await self._writer.drained()
        await self.connection.close()

    # -- messages -------------------------------------------------------------------------

    def post(self, message: Message) -> None:
        """Do what a message to this NPU asks."""
        take = self._takers.get(type(message))
        if take is None:
            raise TypeError(f"no message for an NPU: {message}")
        take(message)

    def _transmit(self, message: Transmit) -> None:
        self.connection.transmit(self._codec.packet_out(message))

    def _write(self, updates: list[bytes], answer: Callable[[Sequence[int]], None]) -> None:
        def done(codes: Sequence[int] | NpuError) -> None:
            if isinstance(codes, NpuError):
                codes = [rpc_code.UNAVAILABLE] * len(updates)
            answer(codes)

        self.connection.begin_write(updates, done)

    def _received(self, message: bytes) -> None:
        if message[:1] == _PACKET:
            packet = self._codec.packet_in(message, self._clock())
            if isinstance(packet, TraceCopy):
                self._deliver((OBSERVER, packet))
            elif packet is not None:
                self.packets_in += 1
                self._turn.packets += 1
                self._deliver((_receiver(packet), packet))
            return
        response = p4r.StreamMessageResponse.FromString(message)
        if response.WhichOneof("update") == "idle_timeout_notification":
            if not self._idle:
                self._turn.handle(self._look_at_idle)
            self._idle.extend(response.idle_timeout_notification.table_entry)

    def _look_at_idle(self) -> None:
        """A few notices, and the others in later turns."""
        idle = self._idle
        count = min(len(idle), max(_IDLE_A_TURN, self._turn.packets))
        self.wings.idle([idle.popleft() for _ in range(count)])
        if idle:
            self._turn.handle(self._look_at_idle)


def _receiver(packet: PacketIn) -> Actor:
    reason = packet.reason
    if reason in _NEIGHBOR_PUNTS:
        return NEIGHBORS
    if reason is Punt.FILTER_REJECT:
        return HOST
    # Of a session: its owner. A miss names an SPU in hash-based distribution.
    if packet.spu and (packet.session_id or reason in _MISSES):
        return SPUS[packet.spu]
    return CP
