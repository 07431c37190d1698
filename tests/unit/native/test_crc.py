"""CRC-32 of the runtime, which takes eight bytes at a time, against zlib's."""

from __future__ import annotations

import ctypes
import random
import zlib

from p4embed.switch.native.build import runtime_library


def test_every_length_up_to_several_rounds() -> None:
    crc32 = ctypes.CDLL(str(runtime_library())).wp_crc32
    crc32.restype, crc32.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_uint32)
    rng = random.Random(32)
    for length in range(70):
        data = rng.randbytes(length)
        assert crc32(data, length) == zlib.crc32(data), data.hex()
