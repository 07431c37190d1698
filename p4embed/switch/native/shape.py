"""How a table's keys and entries lie in the runtime's records."""

from __future__ import annotations

from p4embed.switch.engine import TO_GROUP, TO_MEMBER, Entry, EntryKey
from p4embed.switch.native.binding import ENTRY
from p4embed.switch.program import Program, Table


class Shape:
    """Sizes of one table's records."""

    def __init__(self, table: Table, program: Program) -> None:
        self.name = table.name
        self.key_size = table.key_size
        self.mask_size = table.key_size if table.masked else 0
        self.actions = {a: program.actions_by_id[a].params_size for a in table.actions}
        if table.default is not None:
            self.actions.setdefault(table.default.action, len(table.default.params))
        if table.profile is not None:
            self.actions |= {TO_MEMBER: 4, TO_GROUP: 4}
        self.params_room = max(self.actions.values(), default=0)
        self.record_size = ENTRY.size + self.key_size + self.mask_size + self.params_room

    def key(self, raw: bytes, at: int, priority: int) -> EntryKey:
        """The key whose value and mask stand at ``at``."""
        end = at + self.key_size
        return EntryKey(raw[at:end], raw[end : end + self.mask_size], priority)

    def entry(self, raw: bytes, at: int) -> Entry:
        """The entry whose record stands at ``at``."""
        _, action, metadata_size, priority, idle, _, _, _, const = ENTRY.unpack_from(raw, at)
        at += ENTRY.size
        key = self.key(raw, at, priority)
        at += self.key_size + self.mask_size
        params = raw[at : at + self.actions[action]]
        at += self.params_room
        return Entry(key, action, params, idle, raw[at : at + metadata_size], bool(const))
