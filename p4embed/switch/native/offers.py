"""What the native engine offers beyond ``Engine``: groups, meters, digests, profiles, sets."""

from __future__ import annotations

import ctypes as c
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from p4embed.switch.engine import Digested, EntryKey, MeterConfig, Replica
from p4embed.switch.native.binding import CLONE, END, LENGTH, MULTICAST, PACKET
from p4embed.switch.native.shape import Shape
from p4embed.switch.program import Program

READ_ROOM = 1 << 18
"""Bytes that one call of the runtime brings."""


class Offers(ABC):
    """The protocols beside ``Engine`` in ``p4embed/switch/engine.py``."""

    program: Program
    _c: c.CDLL
    _clock: Callable[[], int]
    _shapes: list[Shape]
    _params_size: dict[int, int]

    @property
    @abstractmethod
    def handle(self) -> int:
        """The runtime's ``struct wp_engine``."""

    @staticmethod
    def _check_cell(declared: object, index: int) -> None:
        size, name = getattr(declared, "size", 0), getattr(declared, "name", "")
        if not 0 <= index < size:
            raise IndexError(f"'{name}' has cells 0 to {size - 1}, not {index}")

    def _is_key(self, table: int, key: EntryKey) -> bool:
        shape = self._shapes[table]
        return len(key.value) == shape.key_size and len(key.mask) == shape.mask_size

    # -- meters, digests, action profiles, value sets -----------------------------------------

    def meter(self, meter: int, index: int) -> MeterConfig | None:
        """A meter cell's configuration; ``IndexError`` out of range."""
        self._check_cell(self.program.meters[meter], index)
        config = _Config()
        if not self._c.wp_meter(self.handle, meter, index, config):
            return None
        return MeterConfig(*config)

    def set_meter(self, meter: int, index: int, config: MeterConfig | None) -> None:
        """Configure a meter's cell; ``IndexError`` out of range."""
        self._check_cell(self.program.meters[meter], index)
        if self._c.wp_set_meter(self.handle, meter, index, _packed(config), self._clock()):
            raise MemoryError("no memory for a meter")

    def direct_meter(self, table: int, key: EntryKey) -> MeterConfig | None:
        """The configuration of an entry's direct meter."""
        config = _Config()
        if not self._is_key(table, key) or not self._c.wp_direct_meter(
            self.handle, table, key.value, key.mask, key.priority, config
        ):
            return None
        return MeterConfig(*config)

    def set_direct_meter(self, table: int, key: EntryKey, config: MeterConfig | None) -> bool:
        """Configure an entry's direct meter."""
        if not self._is_key(table, key):
            return False
        found = c.c_int()
        if self._c.wp_set_direct_meter(
            self.handle, table, key.value, key.mask, key.priority, _packed(config), self._clock(),
            c.byref(found),
        ):  # fmt: skip
            raise MemoryError("no memory for a meter")
        return bool(found.value)

    def take_digests(self) -> list[Digested]:
        """Digests since the last call, oldest first."""
        taken: list[Digested] = []
        buffer = c.create_string_buffer(READ_ROOM)
        while used := self._c.wp_take_digests(self.handle, buffer, READ_ROOM):
            raw, at = c.string_at(buffer, used), 0
            while at < used:
                (length,) = LENGTH.unpack_from(raw, at)
                at += LENGTH.size
                (digest,) = LENGTH.unpack_from(raw, at)
                taken.append(Digested(digest, raw[at + LENGTH.size : at + length]))
                at += length
        return taken

    def set_member(self, profile: int, member: int, action: int | None, params: bytes) -> None:
        """Set a member's action, or delete the member."""
        if action is not None and self._params_size.get(action) != len(params):
            raise ValueError(f"no action {action} with parameters of {len(params)} bytes")
        number = -1 if action is None else action
        if self._c.wp_set_member(self.handle, profile, member, number, params, len(params)):
            raise MemoryError("no memory for an action profile")

    def set_group(self, profile: int, group: int, members: Sequence[int] | None) -> None:
        """Set a group's members, repeated by weight, or delete the group."""
        packed = b"".join(LENGTH.pack(member) for member in members or ())
        count = END if members is None else len(members)
        if self._c.wp_set_group(self.handle, profile, group, packed, count):
            raise MemoryError("no memory for an action profile")

    def set_value_set(self, value_set: int, members: Sequence[tuple[bytes, bytes]]) -> None:
        """Replace a value set's members."""
        size = len(members[0][0]) if members else 0
        if any(len(value) != size or len(mask) != size for value, mask in members):
            raise ValueError("members of a value set must all have the key's size")
        packed = b"".join(part for member in members for part in member)
        if self._c.wp_set_value_set(self.handle, value_set, packed, len(members), size):
            raise MemoryError("no memory for a value set")

    # -- groups -------------------------------------------------------------------------------

    def set_multicast_group(self, group: int, replicas: Sequence[Replica] | None) -> None:
        """Set a multicast group's copies, or delete the group."""
        self._replicate(MULTICAST, group, replicas or ())

    def set_clone_session(
        self, session: int, replicas: Sequence[Replica] | None, cut: int = 0
    ) -> None:
        """Set a clone session's copies, or delete the session."""
        self._replicate(CLONE, session, replicas or (), cut)

    def _replicate(self, kind: int, number: int, replicas: Sequence[Replica], cut: int = 0) -> None:
        if not 0 <= number < 1 << 16:
            raise ValueError(f"{number} is no multicast group or clone session: 16 bits")
        pairs = b"".join(PACKET.pack(replica.port, replica.instance) for replica in replicas)
        if self._c.wp_replicate(self.handle, kind, number, pairs, len(replicas), cut):
            raise MemoryError("no memory for replicas")


_Config = c.c_uint64 * 4
"""cir, cburst, pir, pburst"""


def _packed(config: MeterConfig | None) -> c.Array[c.c_uint64] | None:
    if config is None:
        return None
    return _Config(config.cir, config.cburst, config.pir, config.pburst)
