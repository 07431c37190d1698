"""The runtime's C functions, as ctypes sees them. Prototypes mirror ``control.h``, ``dataplane.h``.

Calls release the interpreter's lock while they run.
"""

from __future__ import annotations

import ctypes as c
import struct
from functools import cache
from pathlib import Path

from p4embed.switch.native.build import NativeError, runtime_library

UPDATE = struct.Struct("<BBHiIHHQ")
"""``struct wp_update_record``: op, is_const, table, priority, action, sizes, idle time-out."""
ENTRY = struct.Struct("<IHHiQQQQB")
"""``struct wp_entry_record``: size, action, metadata size, priority, idle time-out, packets, bytes,
last hit, is_const."""
PACKET = struct.Struct("<II")
"""``struct wp_packet_record``: port, length."""
LENGTH = struct.Struct("<I")
PRIORITY = struct.Struct("<i")

NO_MEMORY = 255
"""A status that ``wp_write`` gives when memory ran out."""
END = 2**32 - 1
"""A cursor after the last entry."""
NO_CPU_PORT = 2**32 - 1
BURST = 64
"""``WP_BURST``: frames that are processed together."""
MULTICAST, CLONE = 0, 1

_Bytes = c.c_char_p
_Buffer = c.c_void_p
_U32Pointer = c.POINTER(c.c_uint32)
_U64Pointer = c.POINTER(c.c_uint64)


class PortCounts(c.Structure):
    """``struct wp_port_counts``."""

    _fields_ = (
        ("rx_packets", c.c_uint64),
        ("rx_bytes", c.c_uint64),
        ("rx_lost", c.c_uint64),
        ("tx_packets", c.c_uint64),
        ("tx_bytes", c.c_uint64),
        ("tx_lost", c.c_uint64),
    )


class WirePart(c.Structure):
    """``struct wp_wire_part``."""

    _fields_ = (("id", c.c_uint32), ("size", c.c_uint16), ("limit", c.c_uint16))


class WireAction(c.Structure):
    """``struct wp_wire_action``."""

    _fields_ = (
        ("id", c.c_uint32),
        ("json_id", c.c_uint32),
        ("part_count", c.c_uint32),
        ("parts", c.POINTER(WirePart)),
    )


class WireTable(c.Structure):
    """``struct wp_wire_table``."""

    _fields_ = (
        ("id", c.c_uint32),
        ("index", c.c_uint32),
        ("supports_timeout", c.c_uint32),
        ("has_counter", c.c_uint32),
        ("part_count", c.c_uint32),
        ("action_count", c.c_uint32),
        ("parts", c.POINTER(WirePart)),
        ("actions", c.POINTER(WireAction)),
    )


class WireTables(c.Structure):
    """``struct wp_wire_tables``."""

    _fields_ = (("count", c.c_uint32), ("tables", c.POINTER(WireTable)))


class WireHead(c.Structure):
    """``struct wp_wire_head``."""

    _fields_ = (
        ("device_id", c.c_uint64),
        ("election_high", c.c_uint64),
        ("election_low", c.c_uint64),
        ("has_election", c.c_uint32),
        ("updates", c.c_uint32),
        ("bytes", c.c_uint32),
    )


class WireBits(c.Structure):
    """``struct wp_wire_bits``."""

    _fields_ = (("id", c.c_uint32), ("width", c.c_uint32))


class WireHeader(c.Structure):
    """``struct wp_wire_header``."""

    _fields_ = (
        ("size", c.c_uint32),
        ("part_count", c.c_uint32),
        ("parts", c.POINTER(WireBits)),
    )


_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "wp_engine_open": (c.c_void_p, (c.c_void_p, c.c_uint64, c.c_uint64, c.c_uint32)),
    "wp_engine_close": (None, (c.c_void_p,)),
    "wp_run_new": (c.c_void_p, (c.c_void_p,)),
    "wp_run_delete": (None, (c.c_void_p,)),
    "wp_write": (None, (c.c_void_p, _Bytes, c.c_uint32, c.c_uint64, c.c_int, _Buffer)),
    "wp_meter": (c.c_int, (c.c_void_p, c.c_uint32, c.c_uint32, _Buffer)),
    "wp_set_meter": (c.c_int, (c.c_void_p, c.c_uint32, c.c_uint32, _Buffer, c.c_uint64)),
    "wp_direct_meter": (
        c.c_int,
        (c.c_void_p, c.c_uint32, _Bytes, _Bytes, c.c_int32, _Buffer),
    ),
    "wp_set_direct_meter": (
        c.c_int,
        (
            c.c_void_p,
            c.c_uint32,
            _Bytes,
            _Bytes,
            c.c_int32,
            _Buffer,
            c.c_uint64,
            c.POINTER(c.c_int),
        ),
    ),
    "wp_set_member": (
        c.c_int,
        (c.c_void_p, c.c_uint32, c.c_uint32, c.c_int32, _Bytes, c.c_uint32),
    ),
    "wp_set_group": (c.c_int, (c.c_void_p, c.c_uint32, c.c_uint32, _Bytes, c.c_uint32)),
    "wp_set_value_set": (
        c.c_int,
        (c.c_void_p, c.c_uint32, _Bytes, c.c_uint32, c.c_uint32),
    ),
    "wp_take_digests": (c.c_uint32, (c.c_void_p, _Buffer, c.c_uint32)),
    "wp_get": (
        c.c_uint32,
        (c.c_void_p, c.c_uint32, _Bytes, _Bytes, c.c_int32, _Buffer, c.c_uint32),
    ),
    "wp_entries": (c.c_uint32, (c.c_void_p, c.c_uint32, _U32Pointer, _Buffer, c.c_uint32)),
    "wp_entry_count": (c.c_uint32, (c.c_void_p, c.c_uint32)),
    "wp_set_default": (None, (c.c_void_p, c.c_uint32, c.c_int32, _Bytes, c.c_uint32)),
    "wp_default": (c.c_int32, (c.c_void_p, c.c_uint32, _Buffer)),
    "wp_set_direct_count": (
        c.c_int,
        (c.c_void_p, c.c_uint32, _Bytes, _Bytes, c.c_int32, c.c_uint64, c.c_uint64),
    ),
    "wp_counter": (None, (c.c_void_p, c.c_uint32, c.c_uint32, _U64Pointer, _U64Pointer)),
    "wp_set_counter": (None, (c.c_void_p, c.c_uint32, c.c_uint32, c.c_uint64, c.c_uint64)),
    "wp_register": (None, (c.c_void_p, c.c_uint32, c.c_uint32, _Buffer)),
    "wp_set_register": (None, (c.c_void_p, c.c_uint32, c.c_uint32, _Bytes)),
    "wp_register_limbs": (c.c_uint32, (c.c_void_p, c.c_uint32)),
    "wp_idle": (
        c.c_uint32,
        (c.c_void_p, c.c_uint32, c.c_uint64, _U32Pointer, c.c_uint32, _Buffer, c.c_uint32),
    ),
    "wp_replicate": (
        c.c_int,
        (c.c_void_p, c.c_int, c.c_uint32, _Bytes, c.c_uint32, c.c_uint32),
    ),
    "wp_process": (c.c_uint32, (c.c_void_p, c.c_uint32, _Bytes, c.c_uint32, c.c_uint64)),
    "wp_outputs": (None, (c.c_void_p, _Buffer)),
    "wp_table_memory": (c.c_uint64, (c.c_void_p, c.c_uint32)),
    "wp_wire_parse": (
        c.c_int,
        (
            c.POINTER(WireTables),
            _Bytes,
            c.c_uint32,
            _Buffer,
            c.c_uint32,
            c.POINTER(WireHead),
        ),
    ),
    "wp_wire_read": (
        c.c_int,
        (
            c.POINTER(WireTables),
            c.c_void_p,
            _Bytes,
            c.c_uint32,
            c.c_uint64,
            _Buffer,
            c.c_uint32,
            c.POINTER(WireHead),
        ),
    ),
    "wp_wire_idle": (
        c.c_uint32,
        (
            c.POINTER(WireTables),
            c.c_void_p,
            c.c_uint32,
            _Bytes,
            c.c_uint32,
            c.c_uint64,
            _Buffer,
            c.c_uint32,
        ),
    ),
    "wp_wire_packets_in": (
        c.c_uint32,
        (c.POINTER(WireHeader), _Bytes, c.c_uint32, _Buffer, c.c_uint32),
    ),
    "wp_wire_packets_out": (
        c.c_uint32,
        (
            c.POINTER(WireHeader),
            _Bytes,
            c.c_uint32,
            _Buffer,
            c.c_uint32,
            _U32Pointer,
            _U32Pointer,
        ),
    ),
    "wp_dataplane_open": (c.c_void_p, (c.c_uint32, c.c_int)),
    "wp_dataplane_close": (None, (c.c_void_p,)),
    "wp_dataplane_attach": (c.c_int, (c.c_void_p, c.c_uint32, _Bytes, _Bytes)),
    "wp_dataplane_detach": (None, (c.c_void_p, c.c_uint32)),
    "wp_dataplane_use": (c.c_int, (c.c_void_p, c.c_void_p)),
    "wp_dataplane_inject": (None, (c.c_void_p, _Bytes, c.c_uint32)),
    "wp_dataplane_bell": (c.c_int, (c.c_void_p,)),
    "wp_dataplane_try_fetch": (c.c_uint32, (c.c_void_p, _Buffer, c.c_uint32, _U32Pointer)),
    "wp_dataplane_fetch": (c.c_uint32, (c.c_void_p, _Buffer, c.c_uint32, _U32Pointer)),
    "wp_dataplane_end_fetch": (None, (c.c_void_p,)),
    "wp_dataplane_mapped": (c.c_int, (c.c_void_p, c.c_uint32)),
    "wp_dataplane_counts": (c.c_int, (c.c_void_p, c.c_uint32, c.POINTER(PortCounts))),
    "wp_dataplane_cpu_lost": (c.c_uint64, (c.c_void_p,)),
}


@cache
def runtime() -> c.CDLL:
    """The runtime, compiled if need be."""
    library = _load(runtime_library())
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def load_program(path: Path) -> tuple[c.CDLL, int]:
    """A program's shared object (keep it) and the address of its ``struct wp_program``."""
    runtime()
    library = _load(path)
    return library, c.addressof(c.c_char.in_dll(library, "wp_program"))


def _load(path: Path) -> c.CDLL:
    try:
        return c.CDLL(str(path))
    except OSError as error:
        raise NativeError(
            f"cannot load {path}: {error}; remove it to have it built again"
        ) from None
