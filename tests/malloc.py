"""What the C library has handed out."""

from __future__ import annotations

import ctypes as c
import gc


class Malloc(c.Structure):
    """``struct mallinfo2``."""

    _fields_ = tuple(
        (name, c.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    )  # fmt: skip


def in_use() -> int:
    """Bytes that malloc has handed out and not got back."""
    gc.collect()
    mallinfo = c.CDLL(None).mallinfo2
    mallinfo.restype = Malloc
    told = mallinfo()
    return int(told.uordblks) + int(told.hblkhd)
