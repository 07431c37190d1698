"""Persistent NAT: an inside endpoint that keeps its outside one, and can be called there.

The first flow of an inside endpoint makes a binding; further ones share it, to whomever they go.
From outside, whoever the rule permits may call the binding's outside endpoint. A binding ends when
it had no session for its rule's inactivity time-out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from controller.config.nat import Reach, SourceNatRule
from controller.flow import Address, Nanoseconds
from controller.timers import Timers

MAX_PEERS = 4096
"""Whom a binding remembers to have spoken to; beyond that some are forgotten."""


class Inside(NamedTuple):
    """An endpoint as it is: with the session token that it comes with."""

    address: Address
    port: int
    protocol: int
    token: int


class Outside(NamedTuple):
    """An endpoint as the other side knows it."""

    address: Address
    port: int
    protocol: int


@dataclass(slots=True)
class PersistentBinding:
    """An inside and an outside endpoint that belong together."""

    inside: Inside
    outside: Outside
    pool: str
    rule: SourceNatRule
    reach: Reach
    timeout: Nanoseconds
    max_sessions: int
    sessions: int = 0
    peers: set[tuple[Address, int]] = field(default_factory=set)
    """Who was spoken to; port 0 where only hosts matter."""

    def permits(self, address: Address, port: int) -> bool:
        """Whether somebody outside may call."""
        match self.reach:
            case Reach.ANY:
                return True
            case Reach.HOST:
                return (address, 0) in self.peers
            case Reach.HOST_PORT:
                return (address, port) in self.peers

    def note(self, address: Address, port: int) -> None:
        """Somebody was spoken to."""
        if self.reach is not Reach.ANY:
            if len(self.peers) >= MAX_PEERS:
                self.peers.pop()
            self.peers.add((address, port if self.reach is Reach.HOST_PORT else 0))


class PersistentTable:
    """The bindings, by both of their ends."""

    def __init__(self) -> None:
        self._inside: dict[Inside, PersistentBinding] = {}
        self.outside: dict[Outside, PersistentBinding] = {}
        """By their outside ends. (Whether there are any is asked for each packet.)"""
        self._timers: Timers[Outside] = Timers()

    def __len__(self) -> int:
        return len(self.outside)

    def all(self) -> list[PersistentBinding]:
        """Oldest first."""
        return list(self.outside.values())

    def of(self, inside: Inside) -> PersistentBinding | None:
        """The binding of an endpoint inside."""
        return self._inside.get(inside)

    def at(self, outside: Outside) -> PersistentBinding | None:
        """The binding that has an endpoint outside."""
        return self.outside.get(outside)

    def add(self, binding: PersistentBinding) -> None:
        """A new binding, whose outside endpoint was granted for it."""
        self._inside[binding.inside] = binding
        self.outside[binding.outside] = binding

    def join(self, binding: PersistentBinding) -> bool:
        """One more session; whether it may have one."""
        if binding.sessions >= binding.max_sessions:
            return False
        binding.sessions += 1
        self._timers.cancel(binding.outside)
        return True

    def leave(self, binding: PersistentBinding, now: Nanoseconds) -> None:
        """One session less."""
        binding.sessions -= 1
        if not binding.sessions:
            self._timers.set(binding.outside, now + binding.timeout)

    def retire(self, binding: PersistentBinding) -> None:
        """Nobody joins a binding any more; it ends with its last session."""
        binding.timeout = 0
        if self.is_open(binding):
            del self._inside[binding.inside]

    def is_open(self, binding: PersistentBinding) -> bool:
        """Whether further sessions may join."""
        return self._inside.get(binding.inside) is binding

    def remove(self, binding: PersistentBinding) -> None:
        """Forget a binding; its outside endpoint is the caller's to give back."""
        if self.is_open(binding):
            del self._inside[binding.inside]
        del self.outside[binding.outside]
        self._timers.cancel(binding.outside)

    def left(self, binding: PersistentBinding, now: Nanoseconds) -> Nanoseconds | None:
        """How long a binding without sessions will stand; ``None``: it has sessions."""
        at = self._timers.at(binding.outside)
        return None if at is None else max(0, at - now)

    def deadline(self) -> Nanoseconds | None:
        """When the next binding ends."""
        return self._timers.next()

    def due(self, now: Nanoseconds) -> list[PersistentBinding]:
        """Bindings that are over; they are removed."""
        over = [self.outside[outside] for outside in self._timers.due(now)]
        for binding in over:
            self.remove(binding)
        return over
