"""Counters of an NPU's program, cell by cell, for operators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from finsy.proto import p4r, rpc_code

from controller.npu.channel import code_name
from controller.npu.connection import Connection, NpuError
from controller.npu.pipeline import Pipeline


class Count(NamedTuple):
    """A counter's cell."""

    packets: int
    bytes: int


class Counters:
    """The counters of one NPU, each by its P4Info alias."""

    def __init__(self, pipeline: Pipeline, connection: Connection) -> None:
        self._pipeline = pipeline
        self._connection = connection

    def __contains__(self, alias: str) -> bool:
        """Whether the program has it."""
        return alias in self._pipeline.counters

    async def read(self, alias: str, cells: Iterable[int]) -> dict[int, Count]:
        """Some cells. Raises ``NpuError``."""
        counter = self._pipeline.counters[alias]
        wanted = [
            p4r.Entity(counter_entry=p4r.CounterEntry(counter_id=counter, index=p4r.Index(index=i)))
            for i in cells
        ]
        found = {}
        async for entity in self._connection.read(wanted):
            cell = entity.counter_entry
            found[cell.index.index] = Count(cell.data.packet_count, cell.data.byte_count)
        return found

    async def read_array(self, alias: str) -> dict[int, Count]:
        """All cells that are not zero; none if the program lacks it. Raises
        ``NpuError``."""
        if alias not in self._pipeline.counters:
            return {}
        wanted = p4r.Entity(
            counter_entry=p4r.CounterEntry(counter_id=self._pipeline.counters[alias])
        )
        found = {}
        async for entity in self._connection.read([wanted]):
            cell = entity.counter_entry
            if cell.data.packet_count:
                found[cell.index.index] = Count(cell.data.packet_count, cell.data.byte_count)
        return found

    async def clear(self, alias: str, cells: Iterable[int]) -> None:
        """Set cells to zero. Raises ``NpuError``."""
        counter = self._pipeline.counters[alias]
        updates = []
        for index in cells:
            entry = p4r.CounterEntry(counter_id=counter, index=p4r.Index(index=index))
            entry.data.SetInParent()
            entity = p4r.Entity(counter_entry=entry)
            updates.append(p4r.Update(type=p4r.Update.MODIFY, entity=entity))
        for code in await self._connection.write(updates):
            if code != rpc_code.OK:
                name = self._connection.name
                raise NpuError(f"{name} refuses to clear {alias}: {code_name(code)}")
