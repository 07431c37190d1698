"""IPv6 prefix translation, checksum-neutral (RFC 6296): no port, no state, no checksum changes."""

from __future__ import annotations

from controller.config.nat import AddressBlock
from controller.flow import Address

SHORT_PREFIX = 48
"""Up to this length the word behind bit 48 makes up for the change (section 3.4); for longer
prefixes the first word of the interface identifier that is not 0xffff does (section 3.5)."""


def prefix_length(block: AddressBlock) -> int:
    """Of a block that is a prefix."""
    return 128 - (block.count - 1).bit_length()


def exchange(address: Address, old: AddressBlock, new: AddressBlock) -> Address | None:
    """An address with another prefix of the same length, and the same checksum; ``None``: it has
    none, as the words that could make up for the change are all 0xffff."""
    length = prefix_length(old)
    moved = new.first + int.from_bytes(address, "big") - old.first
    words = [moved >> shift & 0xFFFF for shift in range(112, -1, -16)]
    at = _adjustable(words, range(3, 4) if length <= SHORT_PREFIX else range(4, 8))
    if at is None:
        return None
    # In ones' complement a sum of 16-bit words is the number they spell, modulo 65535.
    word = (words[at] + int.from_bytes(address, "big") - moved) % 0xFFFF
    words[at] = word
    return b"".join(word.to_bytes(2, "big") for word in words)


def _adjustable(words: list[int], candidates: range) -> int | None:
    return next((at for at in candidates if words[at] != 0xFFFF), None)
