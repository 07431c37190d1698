"""Extern instances in P4Info: counters, meters, registers, action profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finsy.proto import p4i

from p4embed.compiler import ast
from p4embed.compiler.checked import EnumValue
from p4embed.compiler.elaborate.values import Unsupported
from p4embed.compiler.p4info import ids
from p4embed.compiler.p4info.annotations import (
    Message,
    number_of,
)
from p4embed.compiler.p4info.objects import Found, Kind

if TYPE_CHECKING:
    from p4embed.compiler.p4info.message import Builder

COUNTER_UNITS = {
    "packets": p4i.CounterSpec.PACKETS,
    "bytes": p4i.CounterSpec.BYTES,
    "packets_and_bytes": p4i.CounterSpec.BOTH,
}
METER_UNITS = {"packets": p4i.MeterSpec.PACKETS, "bytes": p4i.MeterSpec.BYTES}


def counter(builder: Builder, found: Found) -> None:
    """An indexed counter."""
    message = builder.info.counters.add()
    builder.preamble(message, ids.COUNTER, found)
    message.spec.unit = COUNTER_UNITS[_unit(found)]
    message.size = _size(found)


def direct_counter(builder: Builder, found: Found, table_id: int) -> None:
    """The counter of a table."""
    message = builder.info.direct_counters.add()
    builder.preamble(message, ids.DIRECT_COUNTER, found)
    message.spec.unit = COUNTER_UNITS[_unit(found)]
    message.direct_table_id = table_id


def meter(builder: Builder, found: Found) -> None:
    """An indexed meter."""
    message = builder.info.meters.add()
    builder.preamble(message, ids.METER, found)
    message.spec.unit = METER_UNITS[_unit(found)]
    message.size = _size(found)


def direct_meter(builder: Builder, found: Found, table_id: int) -> None:
    """The meter of a table."""
    message = builder.info.direct_meters.add()
    builder.preamble(message, ids.DIRECT_METER, found)
    message.spec.unit = METER_UNITS[_unit(found)]
    message.direct_table_id = table_id


def register(builder: Builder, found: Found) -> None:
    """A register array."""
    message = builder.info.registers.add()
    builder.preamble(message, ids.REGISTER, found)
    message.size = _size(found)
    instance = found.instance
    assert instance is not None
    element = next(iter(instance.type_arguments.values()))
    message.type_spec.CopyFrom(builder.types.convert(element))


def action_profile(builder: Builder, found: Found) -> None:
    """An action profile, or a selector, with the tables that use it."""
    message = builder.info.action_profiles.add()
    builder.preamble(
        message,
        ids.ACTION_PROFILE,
        found,
        ("max_group_size", "selector_size_semantics", "max_member_weight"),
    )
    message.with_selector = found.instance_of == "action_selector"
    message.size = _size(found)
    group = number_of(found.annotations, "max_group_size")
    if group is not None and message.with_selector:
        message.max_group_size = group
    if message.with_selector:
        _selector_size(message, found.annotations)
    users = sorted(
        table.name
        for table in builder.objects
        if table.kind is Kind.TABLE
        and (used := table.property_object("implementation")) is not None
        and used.name == found.name
    )
    message.table_ids.extend(builder.symbols.id(ids.TABLE, name) for name in users)


def _selector_size(message: Message, annotations: list[ast.Annotation]) -> None:
    """`@selector_size_semantics("sum_of_members")` and its like."""
    for a in annotations:
        if a.name != "selector_size_semantics":
            continue
        meaning = str(a.literals[0]).lower() if a.literals else ""
        if meaning == "sum_of_weights":
            message.sum_of_weights.SetInParent()
        elif meaning == "sum_of_members":
            message.sum_of_members.SetInParent()
            weight = number_of(annotations, "max_member_weight")
            if weight is not None:
                message.sum_of_members.max_member_weight = weight
        else:
            raise Unsupported(
                '@selector_size_semantics wants "sum_of_weights" or "sum_of_members"', a.span
            )


def _unit(found: Found) -> str:
    assert found.instance is not None
    unit = found.instance.constructor_arguments["type"]
    assert isinstance(unit, EnumValue)
    return unit.name


def _size(found: Found) -> int:
    assert found.instance is not None
    size = found.instance.constructor_arguments["size"]
    if isinstance(size, EnumValue):
        size = size.value
    assert isinstance(size, int)
    return size
