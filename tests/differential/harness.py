"""Two engines side by side on random packets and entries (``random_input``), compared."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from random_input import CLOCK_NS, PROFILE_ROWS, frame_along_parser, random_entry, random_params

from p4embed.switch import program as p
from p4embed.switch.engine import (
    Engine,
    Matching,
    MeterConfig,
    Metering,
    Op,
    Replica,
    Replicating,
    Selecting,
    Update,
)
from p4embed.switch.native import NativeEngine
from p4embed.switch.reference import ReferenceEngine
from p4embed.switch.trace import TableApplied


@dataclass
class Pair:
    """The reference and the native engine of one program, held against each other."""

    program: p.Program
    rng: random.Random
    now_ns: int = CLOCK_NS
    lookups: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reference = ReferenceEngine(self.program, clock=lambda: self.now_ns)
        self.reference.trace = self._trace
        self.native = NativeEngine(self.program, clock=lambda: self.now_ns)

    def _trace(self, event: object) -> None:
        if isinstance(event, TableApplied):
            self.lookups.setdefault(event.table, []).append(tuple(v for _, v in event.key))

    def engines(self) -> Iterator[Engine]:
        yield self.reference
        yield self.native

    def send(self, port: int, frame: bytes) -> int:
        """Run a frame through both; the number of packets that left."""
        return self.send_burst(port, [frame])

    def send_burst(self, port: int, frames: Sequence[bytes]) -> int:
        """Run frames through both: one after the other, and together. How many packets left."""
        self.now_ns += self.rng.randint(0, CLOCK_NS // 8)
        one = [
            sent for frame in frames for sent in self.reference.process(port, frame, self.now_ns)
        ]
        other = self.native.process_burst(port, frames, self.now_ns)
        told, also = self.reference.take_digests(), self.native.take_digests()
        sent = f"port {port}, frames {' '.join(frame.hex() for frame in frames)}"
        assert told == also, f"{sent}:\nreference {told}\nnative    {also}"
        assert one == other, f"{sent}:\nreference {one}\nnative    {other}"
        return len(one)

    def write(self, count: int) -> None:
        """Insert, change and delete random entries in both."""
        tables = [t for t in self.program.tables if t.key and not t.const_entries]
        updates = []
        for _ in range(count):
            if not tables:
                return
            table = self.rng.choice(tables)
            seen = self.lookups.get(table.name)
            values = (
                self.rng.choice(seen)
                if seen
                else tuple(self.rng.getrandbits(f.width) for f in table.key)
            )
            op = self.rng.choices((Op.INSERT, Op.MODIFY, Op.DELETE), (6, 2, 1))[0]
            entry = random_entry(self.program, table, values, self.rng)
            updates.append(Update(op, self.program.tables_by_name[table.name], entry))
        assert self.reference.write(updates) == self.native.write(updates)

    def set_defaults(self) -> None:
        """Give some tables another default action."""
        for index, table in enumerate(self.program.tables):
            if table.key and self.rng.random() < 0.2:
                action = self.program.actions_by_id[self.rng.choice(table.actions)]
                params = random_params(action, self.rng)
                for engine in self.engines():
                    engine.set_default(index, action.id, params)

    def replicate(self, sessions: int = 8) -> None:
        """Give multicast groups and clone sessions replicas."""
        for number in range(sessions):
            replicas = [
                Replica(self.rng.randint(0, 9), self.rng.randint(0, 9))
                for _ in range(self.rng.randint(0, 3))
            ]
            cut = self.rng.choice((0, 0, 1, 20, 1000))
            for engine in self.engines():
                assert isinstance(engine, Replicating)
                engine.set_multicast_group(number, replicas)
                engine.set_clone_session(number, replicas, cut)

    def set_profiles(self) -> None:
        """Give members actions, and groups members."""
        for index, profile in enumerate(self.program.profiles):
            actions = sorted(
                {
                    a
                    for table in self.program.tables
                    if table.profile == index
                    for a in table.actions
                }
            )
            for row in range(PROFILE_ROWS if actions else 0):
                action = self.program.actions_by_id[self.rng.choice(actions)]
                params = random_params(action, self.rng)
                for engine in self.engines():
                    assert isinstance(engine, Selecting)
                    engine.set_member(index, row, action.id, params)
            for row in range(PROFILE_ROWS if profile.selector is not None else 0):
                members = [self.rng.randrange(PROFILE_ROWS) for _ in range(self.rng.randint(0, 4))]
                for engine in self.engines():
                    assert isinstance(engine, Selecting)
                    engine.set_group(index, row, members)

    def set_value_sets(self) -> None:
        """Give value sets members that look at few bits of the key, so that some match."""
        sizes = {
            transition.value_set: state.key_size
            for state in self.program.parser.states
            for transition in state.transitions
            if isinstance(transition, p.OnSet)
        }
        for index, size in sizes.items():
            members = []
            for _ in range(self.rng.randint(0, 3)):
                mask = 1 << self.rng.randrange(8 * size) | 1 << self.rng.randrange(8 * size)
                value = self.rng.getrandbits(8 * size) & mask
                members.append((value.to_bytes(size, "big"), mask.to_bytes(size, "big")))
            for engine in self.engines():
                assert isinstance(engine, Matching)
                engine.set_value_set(index, members)

    def set_meters(self) -> None:
        """Configure some meters, so that a few packets use them up."""

        def config() -> MeterConfig | None:
            if self.rng.random() < 0.2:
                return None
            rates = (self.rng.choice((0, 1, 50, 4000)) for _ in range(4))
            return MeterConfig(*rates)

        for index, meter in enumerate(self.program.meters):
            for cell in range(0 if meter.direct else min(meter.size, 16)):
                chosen = config()
                for engine in self.engines():
                    assert isinstance(engine, Metering)
                    engine.set_meter(index, cell, chosen)
                    assert engine.meter(index, cell) == chosen
        for number, table in enumerate(self.program.tables):
            for row in self.reference.entries(number) if table.meter is not None else ():
                chosen = config()
                for engine in self.engines():
                    assert isinstance(engine, Metering)
                    assert engine.set_direct_meter(number, row.key, chosen)

    def compare_state(self) -> None:
        """Entries, counters, registers, hits and idle notices must be the same."""
        for index, table in enumerate(self.program.tables):
            rows = {entry.key: entry for entry in self.reference.entries(index)}
            assert rows == {entry.key: entry for entry in self.native.entries(index)}, table.name
            assert self.native.entry_count(index) == len(rows)
            assert self.reference.default(index) == self.native.default(index), table.name
            for key, entry in rows.items():
                assert self.native.get(index, key) == entry
                assert self.reference.direct_count(index, key) == self.native.direct_count(
                    index, key
                ), table.name
                if table.meter is not None:
                    assert self.reference.direct_meter(index, key) == self.native.direct_meter(
                        index, key
                    ), table.name
                assert self.reference.since_last_hit(
                    index, key, self.now_ns
                ) == self.native.since_last_hit(index, key, self.now_ns), table.name
        for index, counter in enumerate(self.program.counters):
            for cell in range(0 if counter.direct else min(counter.size, 1024)):
                assert self.reference.counter(index, cell) == self.native.counter(index, cell), (
                    counter.name,
                    cell,
                )
        for index, register in enumerate(self.program.registers):
            for cell in range(min(register.size, 64)):
                assert self.reference.register(index, cell) == self.native.register(index, cell), (
                    register.name,
                    cell,
                )
        one = {(i.table, i.key) for i in self.reference.idle_entries(self.now_ns)}
        assert one == {(i.table, i.key) for i in self.native.idle_entries(self.now_ns)}

    def close(self) -> None:
        for engine in self.engines():
            engine.close()


def hold_against_each_other(program: p.Program, seed: int, rounds: int, frames: int) -> int:
    """Random frames and entries through both engines; the number of packets that left."""
    rng = random.Random(seed)
    pair = Pair(program, rng)
    left = 0
    corpus: list[tuple[int, bytes]] = []
    try:
        pair.replicate()
        pair.set_profiles()
        for _ in range(rounds):
            for _ in range(frames):
                if corpus and rng.random() < 0.6:
                    # Seen before: by now there may be entries for it.
                    port, frame = rng.choice(corpus)
                else:
                    port, frame = (
                        rng.choice((0, 1, 2, 3, 200, 255)),
                        frame_along_parser(program, rng),
                    )
                    if rng.random() < 0.15:
                        frame = rng.randbytes(rng.randint(0, 120))
                    corpus.append((port, frame))
                left += pair.send(port, frame)
            for _ in range(2):
                port = rng.choice(corpus)[0]
                burst = [rng.choice(corpus)[1] for _ in range(rng.randint(2, 30))]
                left += pair.send_burst(port, burst)
            pair.write(4 * frames)
            pair.set_meters()
            pair.set_value_sets()
            if rng.random() < 0.3:
                pair.set_defaults()
            pair.compare_state()
    finally:
        pair.close()
    return left
