"""Ports that the central point has granted: each has one holder, unless it may be shared, and goes
back when nobody holds it any more."""

from __future__ import annotations

from controller.messages import Actor, NatGranted, ReleaseNat
from controller.simulate import inside
from controller.simulate.books import Books, Entry
from controller.simulate.flow import Flow
from controller.simulate.inside import Binding
from controller.simulate.violation import Rule


class Ports:
    """Watches grants and releases."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._holders: dict[Binding, int] = {}
        """Ports that are granted, and to how many flows."""

    def clear(self) -> None:
        """The central point is gone."""
        self._holders.clear()

    def granted(self, _: Actor, message: NatGranted, __: Flow | None) -> None:
        """To a flow that is known, and nobody else's."""
        books = self._books
        binding = message.grant[:3]
        holders = self._holders.get(binding, 0)
        if holders and not inside.may_share(books.cp, *binding):
            books.broken(Rule.PORTS, f"port {message.grant.port} is given twice", message.flow)
        self._holders[binding] = holders + 1
        entry = books.entries.get(message.flow)
        if entry is None:
            books.broken(Rule.PORTS, "a port for a flow that is not known", message.flow)
            return
        entry.port = binding

    def released(self, message: ReleaseNat) -> None:
        """By an SPU: what its flow has, or had."""
        entry = None if message.flow is None else self._books.entries.get(message.flow)
        binding = message.address, message.protocol, message.port
        if entry is not None and entry.spu == message.spu and entry.port == binding:
            self.free(entry)

    def free(self, entry: Entry) -> None:
        """A flow's port goes back, unless others share it, or a gate: then with that."""
        binding, entry.port = entry.port, None
        if binding is None:
            return
        self._holders[binding] -= 1
        if self._holders[binding]:
            return
        del self._holders[binding]
        cp = self._books.cp
        if inside.is_granted(cp, *binding) and not inside.is_leased(cp, binding):
            what = f"port {binding[2]} has no holder any more"
            self._books.broken(Rule.PORTS, what, entry.forward)
