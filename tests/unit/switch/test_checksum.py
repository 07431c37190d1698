"""Hash algorithms against published check values."""

from __future__ import annotations

import pytest

from p4embed.switch.checksum import ALGORITHMS, csum16, xor16
from p4embed.switch.program import Algorithm

CHECK = b"123456789"
"""The input of the check values in the catalogue of CRC algorithms."""


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        (Algorithm.CRC16, 0xBB3D),  # CRC-16/ARC
        (Algorithm.CRC16_CUSTOM, 0xBB3D),
        (Algorithm.CRC32, 0xCBF43926),  # CRC-32/ISO-HDLC
        (Algorithm.CRC32_CUSTOM, 0xCBF43926),
        (Algorithm.CRC_CCITT, 0x29B1),  # CRC-16/IBM-3740
        (Algorithm.IDENTITY, 0x3132333435363738),
    ],
)
def test_check_values(algorithm: Algorithm, value: int) -> None:
    assert ALGORITHMS[algorithm](CHECK) == value


def test_every_algorithm_takes_any_input() -> None:
    assert set(ALGORITHMS) == set(Algorithm)
    for function in ALGORITHMS.values():
        for data in (b"", b"\0", b"\xff" * 33):
            assert 0 <= function(data) < 1 << 64


def test_internet_checksum() -> None:
    # The example of RFC 1071, section 3: the sum is ddf2.
    assert csum16(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2
    assert csum16(b"\x01") == csum16(b"\x01\x00")
    assert csum16(b"") == 0xFFFF


def test_xor() -> None:
    assert xor16(bytes.fromhex("f00f 0ff0 01")) == 0xFEFF
