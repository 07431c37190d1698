"""What both ends of control connections over TCP have in common.

What is said over a control connection has no tags, as gateways read and change it; hosts hear it
by address and port. A gateway may change numbers in it, and nothing else: every line or message
that is heard is held against the one that was said.
"""

from __future__ import annotations

import re
from abc import abstractmethod

from controller.simulate.streams import Stream
from controller.simulate.violation import Rule

_NUMBERS = re.compile(rb"\d+")


def is_alike(said: bytes, heard: bytes) -> bool:
    """Whether texts differ in numbers only."""
    return _NUMBERS.sub(b"0", said) == _NUMBERS.sub(b"0", heard)


class Talk(Stream):
    """A control connection over TCP."""

    __slots__ = ("said", "texts")
    is_changed = True

    def begin(self) -> None:
        self.said: tuple[list[bytes], list[bytes]] = ([], [])
        """By side: what it has said and the other one did not hear yet."""
        self.texts = [b"", b""]
        """By side: what it has heard, and is not complete."""
        super().begin()

    def tell(self, side: int, unit: bytes) -> None:
        """Say a line or message."""
        if self.ends[side].fin_at is None:
            self.said[side].append(unit)
            self.say(side, unit)

    def read(self, side: int, data: bytes) -> None:
        text = self.texts[side] + data
        while size := self.measure(text):
            unit, text = text[:size], text[size:]
            said = self.said[1 - side].pop(0) if self.said[1 - side] else b""
            if not self.is_same(said, unit):
                self.broken(Rule.CONTENTS, f"{said!r} was said, and {unit!r} is heard")
            self.hear(side, unit)
        self.texts[side] = text

    def measure(self, text: bytes) -> int:
        """Size of the first line or message; 0: it is not complete."""
        return text.find(b"\n") + 1

    def is_same(self, said: bytes, heard: bytes) -> bool:
        """Whether a gateway may have made one out of the other."""
        return is_alike(said, heard)

    @abstractmethod
    def hear(self, side: int, unit: bytes) -> None:
        """A line or message is heard."""
