"""The reference executor: simple_switch, written to be read beside its specification.

The oracle for the native executor, the tracer for people, and a library: no root, interface or
server needed. What happens to a packet is in ``traffic.py``.

    engine = ReferenceEngine(load_file("npu.json"))
    engine.trace = print
    sent = engine.process(port=1, frame=frame, now_ns=0)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from p4embed.switch import program as p
from p4embed.switch.engine import (
    Count,
    Digested,
    Entry,
    EntryKey,
    IdleEntry,
    MeterConfig,
    Replica,
    Sent,
    Status,
    Update,
)
from p4embed.switch.program import DROP_PORT
from p4embed.switch.state import CloneSession, State
from p4embed.switch.trace import Tracer
from p4embed.switch.traffic import PacketRun


class ReferenceEngine:
    """An ``Engine`` (see ``engine.py``) that interprets the program. Thread-safe."""

    def __init__(
        self,
        program: p.Program,
        drop_port: int = DROP_PORT,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.program = program
        self.trace: Tracer | None = None
        self._clock = clock
        """Time of writes; packets bring their own."""
        self._state = State(program, drop_port)
        self._lock = threading.Lock()
        self._digests: list[Digested] = []

    # -- packets ------------------------------------------------------------------------------

    def process(self, port: int, frame: bytes, now_ns: int) -> list[Sent]:
        """Run one packet to the end."""
        with self._lock:
            run = PacketRun(self.program, self._state, self.trace, now_ns)
            sent = run.process(port, frame)
            self._digests += run.digests
            return sent

    def take_digests(self) -> list[Digested]:
        """Digests of the packets since the last call."""
        with self._lock:
            taken, self._digests = self._digests, []
            return taken

    def idle_entries(self, now_ns: int) -> list[IdleEntry]:
        """Entries idle for their time-out."""
        with self._lock:
            return self._state.idle_entries(now_ns)

    # -- entries ------------------------------------------------------------------------------

    def write(self, updates: Sequence[Update]) -> list[Status]:
        """Apply changes in order."""
        with self._lock:
            return self._state.write(updates, self._clock())

    def write_together(self, updates: Sequence[Update]) -> list[Status]:
        """Apply changes in order; packets wait for every ``write`` to end anyway."""
        return self.write(updates)

    def get(self, table: int, key: EntryKey) -> Entry | None:
        """The entry with exactly this key."""
        with self._lock:
            row = self._state.tables[table].rows.get(key)
            return None if row is None else row.entry

    def entries(self, table: int) -> Iterator[Entry]:
        """All entries of a table, as of now."""
        with self._lock:
            return iter([row.entry for row in self._state.tables[table].rows.values()])

    def entry_count(self, table: int) -> int:
        """How many entries a table holds."""
        with self._lock:
            return len(self._state.tables[table].rows)

    def set_default(self, table: int, action: int | None, params: bytes) -> None:
        """Set or restore the default action."""
        with self._lock:
            if action is None:
                self._state.tables[table].reset_default()
            else:
                self._state.tables[table].set_default(action, params)

    def default(self, table: int) -> tuple[int, bytes] | None:
        """The default action and its parameters; ``None`` without one."""
        with self._lock:
            default = self._state.tables[table].default
            return None if default is None else (default.action, default.params)

    def direct_count(self, table: int, key: EntryKey) -> Count | None:
        """A direct counter's cell."""
        with self._lock:
            row = self._state.tables[table].rows.get(key)
            return None if row is None else row.counted

    def set_direct_count(self, table: int, key: EntryKey, count: Count) -> bool:
        """Overwrite a direct counter's cell."""
        with self._lock:
            return self._state.set_direct_count(table, key, count)

    def since_last_hit(self, table: int, key: EntryKey, now_ns: int) -> int | None:
        """Nanoseconds since the entry was last hit or written."""
        with self._lock:
            row = self._state.tables[table].rows.get(key)
            return None if row is None else max(now_ns - row.last_hit_ns, 0)

    # -- counters, registers, groups ----------------------------------------------------------

    def counter(self, counter: int, index: int) -> Count:
        """A counter's cell."""
        with self._lock:
            return self._state.counter(counter, index)

    def set_counter(self, counter: int, index: int, count: Count) -> None:
        """Overwrite a counter's cell."""
        with self._lock:
            self._state.set_counter(counter, index, count)

    def meter(self, meter: int, index: int) -> MeterConfig | None:
        """A meter cell's configuration."""
        with self._lock:
            return self._state.meter(meter, index)

    def set_meter(self, meter: int, index: int, config: MeterConfig | None) -> None:
        """Configure a meter's cell."""
        with self._lock:
            self._state.set_meter(meter, index, config, self._clock())

    def direct_meter(self, table: int, key: EntryKey) -> MeterConfig | None:
        """The configuration of an entry's direct meter."""
        with self._lock:
            row = self._state.tables[table].rows.get(key)
            return None if row is None or row.meter is None else row.meter.config

    def set_direct_meter(self, table: int, key: EntryKey, config: MeterConfig | None) -> bool:
        """Configure an entry's direct meter."""
        with self._lock:
            return self._state.set_direct_meter(table, key, config, self._clock())

    def register(self, register: int, index: int) -> int:
        """A register's cell; ``IndexError`` out of range."""
        with self._lock:
            value = self._state.register(register, index)
        if value is None:
            raise IndexError(f"register '{self.program.registers[register].name}' cell {index}")
        return value

    def set_register(self, register: int, index: int, value: int) -> None:
        """Overwrite a register's cell."""
        with self._lock:
            self._state.set_register(register, index, value)

    def set_multicast_group(self, group: int, replicas: Sequence[Replica] | None) -> None:
        """Set a multicast group's copies, or delete the group."""
        with self._lock:
            if replicas is None:
                self._state.multicast_groups.pop(group, None)
            else:
                self._state.multicast_groups[group] = tuple(replicas)

    def set_clone_session(
        self, session: int, replicas: Sequence[Replica] | None, cut: int = 0
    ) -> None:
        """Set a clone session's copies, or delete the session."""
        with self._lock:
            if replicas is None:
                self._state.clone_sessions.pop(session, None)
            else:
                self._state.clone_sessions[session] = CloneSession(tuple(replicas), cut)

    # -- action profiles, value sets ------------------------------------------------------------

    def set_member(self, profile: int, member: int, action: int | None, params: bytes) -> None:
        """Set a member's action, or delete the member."""
        with self._lock:
            self._state.set_member(profile, member, action, params)

    def set_group(self, profile: int, group: int, members: Sequence[int] | None) -> None:
        """Set a group's members, or delete the group."""
        with self._lock:
            self._state.set_group(profile, group, members)

    def set_value_set(self, value_set: int, members: Sequence[tuple[bytes, bytes]]) -> None:
        """Replace a value set's members."""
        with self._lock:
            self._state.set_value_set(value_set, members)

    def close(self) -> None:
        """Nothing to free."""
