"""The ports of one translated address and one protocol."""

from __future__ import annotations

from collections import Counter, deque

from controller.central_point.free_map import FreeMap
from controller.flow import Address
from controller.packet import ICMP, ICMPV6, TCP, UDP

WITH_PORTS = frozenset((TCP, UDP, ICMP, ICMPV6))
"""Protocols with ports, or identifiers that serve as such."""

Peer = tuple[Address, int]
"""Whom a flow speaks to: address and port."""


class PortSpace:
    """Ports, each granted to one flow at a time.

    With an overloading factor, flows to different peers share a port once no free one is left; a
    port that was granted without a peer is never shared. A protocol without ports has port 0 only.
    """

    __slots__ = ("_free", "_sharing", "factor", "ports", "used")

    def __init__(self, protocol: int, ports: range, factor: int = 1) -> None:
        """``ports`` may be granted, each ``factor`` times; both may change at any time."""
        with_ports = protocol in WITH_PORTS
        self._free = FreeMap(65536 if with_ports else 1)
        self.ports = ports if with_ports else range(1)
        self.factor = factor if with_ports else 1
        self._sharing: _Sharing | None = None
        self.used = 0
        """Bindings that stand."""

    def configure(self, ports: range, factor: int) -> None:
        """Other ports may be granted from now on; bindings that stand stay."""
        if self._free.size > 1:
            if factor > self.factor and self._sharing is not None:
                self._sharing.reopen()
            self.ports, self.factor = ports, factor

    @property
    def is_full(self) -> bool:
        """Whether nobody gets a port any more, whomever it speaks to."""
        if self.factor == 1 or self._sharing is None:
            return True  # only asked when none was free
        return not self._sharing.has_room

    def take(self, wanted: int, peer: Peer | None = None) -> int:
        """A port, the one wanted if it is free; -1: none is left."""
        free, ports = self._free, self.ports
        if wanted in ports and free.take(wanted):
            port = wanted
        else:
            found = free.next(ports)
            if found is None:
                return self._share(peer)
            port = found
            free.take(port)
        self.used += 1
        if self.factor > 1 and peer is not None:
            if self._sharing is None:
                self._sharing = _Sharing()
            self._sharing.begin(port, peer)
        return port

    def _share(self, peer: Peer | None) -> int:
        if self.factor == 1 or peer is None or self._sharing is None:
            return -1
        port = self._sharing.join(self.ports, self.factor, peer)
        if port >= 0:
            self.used += 1
        return port

    def give(self, port: int, peer: Peer | None = None) -> bool:
        """Give a port back; whether it was granted (to this peer, where ports are shared)."""
        if not 0 <= port < self._free.size:
            return False
        sharing = self._sharing
        if sharing is not None and port in sharing.counts:
            if peer is None or not sharing.leave(port, peer):
                return False
            if port in sharing.counts:
                self.used -= 1
                return True
        if not self._free.give(port):
            return False
        self.used -= 1
        return True


class _Sharing:
    """Who shares which port."""

    __slots__ = ("_peers", "_queue", "_queued", "_wide", "counts")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        """Flows of each port that may be shared."""
        self._peers: set[tuple[int, Peer]] = set()
        self._wide: Counter[Peer] = Counter()
        """On how many ports somebody is spoken to."""
        self._queue: deque[int] = deque()
        """Ports that may take more; who is no longer in ``counts`` is skipped."""
        self._queued: set[int] = set()

    @property
    def has_room(self) -> bool:
        """Whether some port may take more, as far as is known."""
        return bool(self._queue)

    def begin(self, port: int, peer: Peer) -> None:
        self.counts[port] = 1
        self._enter(port, peer)

    def _enter(self, port: int, peer: Peer) -> None:
        self._peers.add((port, peer))
        self._wide[peer] += 1
        self._enqueue(port)

    def _enqueue(self, port: int) -> None:
        if port not in self._queued:
            self._queued.add(port)
            self._queue.append(port)

    def reopen(self) -> None:
        """More flows may share each port than before."""
        for port in self.counts:
            self._enqueue(port)

    def join(self, ports: range, factor: int, peer: Peer) -> int:
        queue, counts = self._queue, self.counts
        if self._wide[peer] >= len(counts):
            return -1  # it is spoken to on all of them
        for _ in range(len(queue)):
            port = queue.popleft()
            self._queued.discard(port)
            count = counts.get(port, factor)
            if count >= factor:
                continue  # full, and queued again when somebody leaves; or free
            if port not in ports or (port, peer) in self._peers:
                self._enqueue(port)
                continue
            counts[port] = count + 1
            self._enter(port, peer)
            return port
        return -1

    def leave(self, port: int, peer: Peer) -> bool:
        if (port, peer) not in self._peers:
            return False
        self._peers.remove((port, peer))
        self._wide[peer] -= 1
        if not self._wide[peer]:
            del self._wide[peer]
        self.counts[port] -= 1
        if self.counts[port]:
            self._enqueue(port)
        else:
            del self.counts[port]
        return True
