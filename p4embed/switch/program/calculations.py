"""Hash algorithms, calculations and checksums.

Source: behavioral-model ``docs/JSON_format.md``, "calculations" and "checksums".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from p4embed.switch.program.expressions import BoolExpr, FieldRef


class Algorithm(Enum):
    """Hash algorithms of simple_switch."""

    CRC16 = "crc16"
    CRC16_CUSTOM = "crc16_custom"
    CRC32 = "crc32"
    CRC32_CUSTOM = "crc32_custom"
    CRC_CCITT = "crcCCITT"
    CSUM16 = "csum16"
    XOR16 = "xor16"
    IDENTITY = "identity"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class InputConst:
    """A constant of ``width`` bits in a calculation's input."""

    value: int
    width: int


@dataclass(frozen=True, slots=True)
class InputHeader:
    """All fields of a header in a calculation's input."""

    header: int


@dataclass(frozen=True, slots=True)
class InputPayload:
    """The payload, that is what the parser left.

    ``JSON_format.md`` also names the headers behind the last one in the input; simple_switch
    leaves them out, and so do we.
    """


CalculationInput = FieldRef | InputConst | InputHeader | InputPayload


@dataclass(frozen=True, slots=True)
class Calculation:
    """A named calculation.

    Its inputs are joined bit by bit, then padded with zeros on the right to whole bytes; fields of
    invalid headers are left out.
    """

    name: str
    algorithm: Algorithm
    inputs: tuple[CalculationInput, ...]


@dataclass(frozen=True, slots=True)
class Checksum:
    """A field that must equal, and is set to, a calculation's result.

    Nothing happens while the target's header is invalid or ``condition`` is false.
    """

    name: str
    target: FieldRef
    calculation: int
    verify: bool
    """Compared after the parser; a difference sets ``checksum_error``."""
    update: bool
    """Stored before the deparser."""
    condition: BoolExpr
