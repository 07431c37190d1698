"""Instances of v1model's extern objects: arrays, direct ones, action profiles."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import EnumValue, Instance
from p4embed.compiler.elaborate.context import Context, Site, World
from p4embed.compiler.elaborate.values import InstanceValue, Unsupported, scalar_type
from p4embed.compiler.ir import tree

ALGORITHMS = frozenset(
    ("crc32", "crc32_custom", "crc16", "crc16_custom", "random", "identity", "csum16", "xor16")
)


def create(world: World, instance: Instance, path: str) -> None:
    """The array behind an indexed counter, meter or register.

    Raises:
        Unsupported: BMv2 has no such object.
    """
    span = instance.node.span
    program = world.program
    match instance.declaration.name:
        case "counter":
            program.counters.append(ir.Counter(path, size_of(instance), source=span))
        case "meter":
            unit = unit_of(instance)
            program.meters.append(ir.Meter(path, size_of(instance), unit, source=span))
        case "register":
            variables = list(instance.type_arguments.values())
            element = scalar_type(variables[0]) if variables else None
            if element is None or isinstance(element, ir.VarBits):
                raise Unsupported("a register of this type is not supported on target bmv2", span)
            width = element.width if isinstance(element, ir.Bits) else 1
            program.registers.append(ir.Register(path, size_of(instance), width, span))
        case "direct_counter" | "direct_meter" | "action_profile" | "action_selector":
            return
        case name:
            raise Unsupported(f"extern '{name}' is not supported on target bmv2", span)


def size_of(instance: Instance) -> int:
    """The constructor's `size`."""
    size = instance.constructor_arguments["size"]
    if isinstance(size, EnumValue) and size.value is not None:
        return size.value
    assert isinstance(size, int)
    return size


def unit_of(instance: Instance) -> str:
    """The constructor's `type`: packets, bytes or packets_and_bytes."""
    unit = instance.constructor_arguments["type"]
    assert isinstance(unit, EnumValue)
    return unit.name


def _expect(value: InstanceValue, names: tuple[str, ...], given: ast.TableProperty) -> None:
    if value.instance.declaration.name not in names:
        raise Unsupported(
            f"'{given.name}' wants an instance of {' or '.join(names)}, "
            f"not of {value.instance.declaration.name}",
            given.value.span,
        )


def _only_table(
    ctx: Context, value: InstanceValue, table: tree.Table, given: ast.TableProperty
) -> None:
    """A direct object belongs to one table."""
    owner = ctx.world.direct.setdefault(value.path, table.name)
    if owner != table.name:
        raise Unsupported(
            f"'{value.path}' already belongs to table '{owner}'; "
            "a direct counter or meter has one table",
            given.value.span,
        )


def check_direct_meters(world: World) -> None:
    """Every direct meter that is read belongs to a table that is applied."""
    for path, span in world.meter_reads.items():
        if path not in world.direct:
            world.diagnostics.error(
                f"direct meter '{path}' is read, but belongs to no table that is applied",
                span,
                "name it in the table: 'meters = ...;'",
            )


def bind_direct_counter(
    ctx: Context, value: InstanceValue, table: tree.Table, given: ast.TableProperty
) -> None:
    """`counters = value`"""
    _expect(value, ("direct_counter",), given)
    _only_table(ctx, value, table, given)
    table.with_counters = True
    span = value.instance.node.span
    ctx.world.program.counters.append(ir.Counter(value.path, 0, table.name, span))


def bind_direct_meter(
    ctx: Context, value: InstanceValue, table: tree.Table, given: ast.TableProperty
) -> None:
    """`meters = value`; the field for the result is known once `read` was seen."""
    _expect(value, ("direct_meter",), given)
    _only_table(ctx, value, table, given)
    table.meter = value.path
    (result,) = value.instance.type_arguments.values() or (None,)
    type_ = None if result is None else scalar_type(result)
    if not isinstance(type_, ir.Bits):
        raise Unsupported("a direct meter of this type is not supported on target bmv2", given.span)
    target = direct_meter_result(ctx, value, type_)
    ctx.world.program.meters.append(
        ir.Meter(
            value.path,
            table.size,
            unit_of(value.instance),
            table.name,
            target,
            value.instance.node.span,
        )
    )


def direct_meter_result(ctx: Context, value: InstanceValue, type_: ir.Bits) -> ir.FieldRef:
    """Where BMv2 leaves the colour of a direct meter."""
    known = ctx.world.meter_results.get(value.path)
    if known is None:
        known = ctx.storage.temporary(type_, f"{value.path}.color")
        ctx.world.meter_results[value.path] = known
    return known


def bind_implementation(
    ctx: Context,
    value: InstanceValue,
    table: tree.Table,
    inputs: list[ir.FieldRef],
    given: ast.TableProperty,
) -> None:
    """`implementation = value`"""
    _expect(value, ("action_profile", "action_selector"), given)
    table.profile = value.path
    pipeline = ctx.world.program.ingress
    if ctx.site is Site.EGRESS:
        pipeline = ctx.world.program.egress
    known = next((p for p in pipeline.profiles if p.name == value.path), None)
    if known is not None:
        if known.inputs != tuple(inputs):
            raise Unsupported(
                f"the tables of selector '{value.path}' select by different keys; "
                "target bmv2 has one choice of inputs for a selector",
                given.value.span,
            )
        return
    algorithm = None
    if value.instance.declaration.name == "action_selector":
        chosen = value.instance.constructor_arguments["algorithm"]
        assert isinstance(chosen, EnumValue)
        algorithm = chosen.name
    pipeline.profiles.append(
        ir.ActionProfile(value.path, size_of(value.instance), algorithm, tuple(inputs))
    )
