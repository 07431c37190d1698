"""Arrays with an index: counters, meters, registers.

Source: P4Runtime specification, "CounterEntry", "MeterEntry", "RegisterEntry".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from finsy.proto import p4r

from p4embed.switch.engine import Count, Engine, MeterConfig, Metering, Op
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, invalid, not_found, unimplemented
from p4embed.switch.p4runtime.translate import Translator


class Cells:
    """Writes and reads of cells."""

    def __init__(self, translator: Translator, engine: Engine) -> None:
        self._translator = translator
        self._program = translator.program
        self._engine = engine

    def write_counter(self, op: Op, entry: p4r.CounterEntry) -> None:
        """Overwrite a counter's cell, or all of them."""
        modify_only(op, "a counter")
        counter = _find(self._translator.counters, entry.counter_id, "counter")
        indices = _indices(entry, self._program.counters[counter].size)
        if not entry.HasField("data"):
            return
        count = to_count(entry.data)
        for index in indices:
            self._engine.set_counter(counter, index, count)

    def counters(self, query: p4r.CounterEntry) -> Iterator[p4r.Entity]:
        """One cell, an array's cells, or all."""
        for id_, counter in _selected(self._translator.counters, query.counter_id, "counter"):
            for index in _indices(query, self._program.counters[counter].size):
                entity = p4r.Entity()
                entity.counter_entry.counter_id = id_
                entity.counter_entry.index.index = index
                fill_count(entity.counter_entry.data, self._engine.counter(counter, index))
                yield entity

    def write_meter(self, op: Op, entry: p4r.MeterEntry) -> None:
        """Configure a meter's cell, or all of them."""
        modify_only(op, "a meter")
        meter = _find(self._translator.meters, entry.meter_id, "meter")
        indices = _indices(entry, self._program.meters[meter].size)
        refuse_colors(entry)
        config = to_meter_config(entry.config) if entry.HasField("config") else None
        engine = metering(self._engine)
        for index in indices:
            engine.set_meter(meter, index, config)

    def meters(self, query: p4r.MeterEntry) -> Iterator[p4r.Entity]:
        """One cell, an array's cells, or all."""
        refuse_colors(query)
        engine = metering(self._engine)
        for id_, meter in _selected(self._translator.meters, query.meter_id, "meter"):
            for index in _indices(query, self._program.meters[meter].size):
                entity = p4r.Entity()
                entity.meter_entry.meter_id = id_
                entity.meter_entry.index.index = index
                config = engine.meter(meter, index)
                if config is not None:
                    fill_meter_config(entity.meter_entry.config, config)
                yield entity

    def write_register(self, op: Op, entry: p4r.RegisterEntry) -> None:
        """Overwrite a register's cell, or all of them."""
        modify_only(op, "a register")
        register = _find(self._translator.registers, entry.register_id, "register")
        declared = self._program.registers[register]
        indices = _indices(entry, declared.size)
        if not entry.HasField("data"):
            return
        if entry.data.WhichOneof("data") != "bitstring":
            raise invalid(f"register '{declared.name}': expected data of type bitstring")
        value = int.from_bytes(entry.data.bitstring, "big")
        if not entry.data.bitstring or value.bit_length() > declared.width:
            raise invalid(f"register '{declared.name}' cells have {declared.width} bits")
        for index in indices:
            self._engine.set_register(register, index, value)

    def registers(self, query: p4r.RegisterEntry) -> Iterator[p4r.Entity]:
        """One cell, an array's cells, or all."""
        for id_, register in _selected(self._translator.registers, query.register_id, "register"):
            for index in _indices(query, self._program.registers[register].size):
                value = self._engine.register(register, index)
                entity = p4r.Entity()
                entity.register_entry.register_id = id_
                entity.register_entry.index.index = index
                entity.register_entry.data.bitstring = value.to_bytes(
                    max((value.bit_length() + 7) // 8, 1), "big"
                )
                yield entity


def modify_only(op: Op, what: str) -> None:
    """``INVALID_ARGUMENT`` for what exists as long as its pipeline."""
    if op is not Op.MODIFY:
        raise invalid(f"{what} can only be modified, not inserted or deleted")


def _find(ids: Mapping[int, int], id_: int, what: str) -> int:
    if id_ not in ids:
        raise not_found(f"no {what} has id {id_}")
    return ids[id_]


def _selected(ids: Mapping[int, int], id_: int, what: str) -> list[tuple[int, int]]:
    """The array of this id, or all for id 0."""
    return [(id_, _find(ids, id_, what))] if id_ else list(ids.items())


def _indices(entry: p4r.CounterEntry | p4r.MeterEntry | p4r.RegisterEntry, size: int) -> range:
    """The cells that an entry means: one, or all when ``index`` is not set."""
    if not entry.HasField("index"):
        return range(size)
    index = entry.index.index
    if index < 0:
        raise invalid(f"index {index}; expected 0 or more")
    if index >= size:
        raise P4RuntimeError(Code.OUT_OF_RANGE, f"index {index}; expected less than {size}")
    return range(index, index + 1)


def to_count(data: p4r.CounterData) -> Count:
    """A counter's value from a message."""
    if data.packet_count < 0 or data.byte_count < 0:
        raise invalid(f"counts {data.packet_count} and {data.byte_count}; expected 0 or more")
    return Count(data.packet_count, data.byte_count)


def fill_count(data: p4r.CounterData, count: Count) -> None:
    """A counter's value into a message."""
    data.packet_count, data.byte_count = count.packets, count.bytes
    data.SetInParent()


def metering(engine: Engine) -> Metering:
    """The engine, if its meters can be configured."""
    if isinstance(engine, Metering):
        return engine
    raise unimplemented("this executor has no meters; start with --executor reference")


def refuse_colors(entry: p4r.MeterEntry | p4r.DirectMeterEntry) -> None:
    """Counters per color are optional, and not there."""
    if entry.HasField("counter_data"):
        raise unimplemented("counter_data of meters is not supported")


def to_meter_config(config: p4r.MeterConfig) -> MeterConfig:
    """A two-rate three-color configuration from a message.

    A single-rate two-color meter is one with equal rates and bursts; the third type, with an
    excess burst, is refused as for two rates.
    """
    if min(config.cir, config.cburst, config.pir, config.pburst) < 0:
        raise invalid("a negative rate or burst size; expected 0 or more")
    if config.eburst:
        raise invalid("eburst is set; meters are two-rate three-color markers")
    if config.pir < config.cir:
        raise invalid(f"pir {config.pir} is below cir {config.cir}")
    return MeterConfig(config.cir, config.cburst, config.pir, config.pburst)


def fill_meter_config(into: p4r.MeterConfig, config: MeterConfig) -> None:
    """A configuration into a message."""
    into.cir, into.cburst = config.cir, config.cburst
    into.pir, into.pburst = config.pir, config.pburst
    into.SetInParent()
