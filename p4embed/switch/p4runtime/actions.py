"""Actions: parameters of one, and the actions of a table by P4Info id.

Source: P4Runtime specification, "Action Specification".
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4i, p4r

from p4embed.switch.p4runtime.bytestrings import Part, canonical, pack
from p4embed.switch.p4runtime.errors import MismatchError, invalid
from p4embed.switch.program import Action, Program, Table

Scope = p4i.ActionRef


class ActionTranslator:
    """Parameters of one action."""

    def __init__(self, info: p4i.Action, action: Action) -> None:
        self.p4info_id = info.preamble.id
        self.name = info.preamble.name
        self.parts = tuple(Part.make(p.id, p.name, p.bitwidth) for p in info.params)
        if [p.width for p in action.params] != [p.width for p in self.parts]:
            raise MismatchError(f"action '{self.name}': parameters differ from the program's")
        self._ids = [part.id for part in self.parts]
        self._fast = [(part.id, part.size, part.limit) for part in self.parts]

    def pack(self, action: p4r.Action) -> bytes:
        """Packed parameters."""
        params = action.params
        packed = []
        if len(params) == len(self._fast):
            for param, (id_, size, limit) in zip(params, self._fast, strict=True):
                value = param.value
                if param.param_id != id_:
                    return self._pack_carefully(action)
                if len(value) == size and value[0] <= limit:
                    packed.append(value)
                elif 0 < len(value) < size:
                    packed.append(value.rjust(size, b"\0"))
                else:
                    return self._pack_carefully(action)
            return b"".join(packed)
        return self._pack_carefully(action)

    def _pack_carefully(self, action: p4r.Action) -> bytes:
        """In any order, of any length."""
        values: dict[int, bytes] = {}
        for param in action.params:
            if param.param_id not in self._ids:
                raise invalid(f"action '{self.name}' has no parameter with id {param.param_id}")
            if param.param_id in values:
                raise invalid(f"action '{self.name}': parameter {param.param_id} is given twice")
            values[param.param_id] = param.value
        packed = []
        for part in self.parts:
            if part.id not in values:
                raise invalid(f"action '{self.name}': parameter '{part.name}' is missing")
            what = f"action '{self.name}' parameter '{part.name}'"
            packed.append(pack(values[part.id], part.size, part.limit, what))
        return b"".join(packed)

    def unpack(self, packed: bytes, into: p4r.Action) -> None:
        """Fill in a message."""
        into.action_id = self.p4info_id
        at = 0
        for part in self.parts:
            into.params.add(param_id=part.id, value=canonical(packed[at : at + part.size]))
            at += part.size


@dataclass(frozen=True)
class TableAction:
    """An action as one table has it: ids are the table's own."""

    translator: ActionTranslator
    json_id: int
    in_entries: bool
    as_default: bool


def table_actions(
    info: p4i.Table, table: Table, infos: dict[int, p4i.Action], program: Program
) -> list[tuple[int, TableAction]]:
    """A table's actions by P4Info id.

    The program may hold an action several times, once per table: take this table's own.
    """
    own = {program.actions_by_id[id_].name: program.actions_by_id[id_] for id_ in table.actions}
    actions = []
    for ref in info.action_refs:
        if ref.id not in infos:
            raise MismatchError(f"table '{table.name}': no action has id {ref.id}")
        name = infos[ref.id].preamble.name
        if name not in own:
            raise MismatchError(f"table '{table.name}' has no action '{name}' in the program")
        translator = ActionTranslator(infos[ref.id], own[name])
        actions.append(
            (
                ref.id,
                TableAction(
                    translator,
                    own[name].id,
                    in_entries=ref.scope != Scope.DEFAULT_ONLY,
                    as_default=ref.scope != Scope.TABLE_ONLY,
                ),
            )
        )
    return actions
