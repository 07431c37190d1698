"""Addresses at their session limit, in the tables of an NPU.

An address may come and go faster than the NPU takes Writes, and the updates of one Write have no
order (P4Runtime specification, "Batching and ordering of updates"). So each address has one update
under way at a time, and what is wanted by then decides on the next.
"""

from __future__ import annotations

from finsy.proto import p4r, rpc_code

from controller.messages import LimitSessions
from controller.npu.batcher import Batcher
from controller.npu.pipeline import Pipeline
from controller.npu.tables import Entry, table_entry
from controller.reasons import Drop

_TABLES = {
    Drop.SCREEN_SESSION_LIMIT_SOURCE: ("session_limit_source", "at_source_limit"),
    Drop.SCREEN_SESSION_LIMIT_DESTINATION: ("session_limit_destination", "at_destination_limit"),
}
_MAPPED = 0xFFFF << 32
"""IPv4 addresses as ::ffff:a.b.c.d."""

_Key = tuple[Drop, int, bytes]


class LimitEntries:
    """Brings the tables to what the central point last said."""

    def __init__(self, pipeline: Pipeline, writer: Batcher[bytes, int]) -> None:
        self._pipeline = pipeline
        self._writer = writer
        self._wanted: dict[_Key, bool] = {}
        """Of addresses that have an update under way."""
        self.refused = 0
        """Addresses that the NPU did not take, for want of room say: the central point alone
        refuses their sessions."""

    def take(self, message: LimitSessions) -> None:
        """Name an address, or no longer. A program without the tables does without."""
        if _TABLES[message.screen][0] not in self._pipeline.tables:
            return
        key = (message.screen, message.zone, message.address)
        is_under_way = key in self._wanted
        self._wanted[key] = message.at_limit
        if not is_under_way:
            self._write(key, message.at_limit)

    def _write(self, key: _Key, at_limit: bool) -> None:
        screen, zone, address = key
        table, action = _TABLES[screen]
        value = int.from_bytes(address, "big") | (_MAPPED if len(address) == 4 else 0)
        match = {"zone": zone, "address": value}
        entry = table_entry(self._pipeline, Entry(table, action, {}, match))
        kind = p4r.Update.INSERT if at_limit else p4r.Update.DELETE
        if not at_limit:
            entry.ClearField("action")

        update = p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry))
        self._writer.submit(update.SerializeToString(), self._written, (key, at_limit))

    def _written(self, about: tuple[_Key, bool], code: int) -> None:
        key, at_limit = about
        if at_limit and code not in (rpc_code.OK, rpc_code.ALREADY_EXISTS):
            self.refused += 1
        if self._wanted[key] == at_limit:
            del self._wanted[key]
        else:
            self._write(key, self._wanted[key])
