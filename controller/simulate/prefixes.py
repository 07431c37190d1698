"""IPv6 prefixes that the untrusted network knows by others (NPTv6), as RFC 6296 has it."""

from __future__ import annotations

from typing import NamedTuple

from controller.flow import Address


class Prefixes(NamedTuple):
    """A prefix of the dmz, and the one that the untrusted network knows."""

    inside: bytes
    outside: bytes

    @property
    def lines(self) -> list[str]:
        """What says so in a configuration, behind ``set security nat``."""
        rule = f"static rule-set both rule six-{8 * len(self.inside)}"
        return [
            f"{rule} match destination-address {_text(self.outside)}",
            f"{rule} then static-nat nptv6-prefix {_text(self.inside)}",
        ]

    def host(self, number: int) -> Address:
        """A host within; of some the first word that might change says that it must not."""
        subnet = (number % 5).to_bytes(2, "big") if len(self.inside) == 6 else b""
        word = b"\xff\xff" if number % 3 == 0 else b"\0\0"
        return self.inside + subnet + word + number.to_bytes(6, "big")

    def published(self, address: Address) -> Address:
        """How a host is known outside: the word that is not part of the prefix takes up what the
        sum of all words would lose (sections 3.4 and 3.5)."""
        size = len(self.inside)
        at = (
            6
            if size == 6
            else next(n for n in (8, 10, 12, 14) if address[n : n + 2] != b"\xff\xff")
        )
        lost = _sum(self.inside) - _sum(self.outside)
        word = (int.from_bytes(address[at : at + 2], "big") + lost) % 0xFFFF
        return self.outside + address[size:at] + word.to_bytes(2, "big") + address[at + 2 :]


PREFIXES = (
    Prefixes(bytes.fromhex("20010db83001"), bytes.fromhex("20010db8f001")),
    Prefixes(bytes.fromhex("20010db830020005"), bytes.fromhex("20010db8f0020107")),
)


def published(address: Address) -> Address:
    """How the untrusted network knows an address."""
    for prefixes in PREFIXES:
        if address.startswith(prefixes.inside):
            return prefixes.published(address)
    return address


def _text(prefix: bytes) -> str:
    words = [prefix[n : n + 2].hex() for n in range(0, len(prefix), 2)]
    return ":".join(words) + f"::/{8 * len(prefix)}"


def _sum(words: bytes) -> int:
    return sum(int.from_bytes(words[n : n + 2], "big") for n in range(0, len(words), 2))
