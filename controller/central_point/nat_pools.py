"""Source NAT pools: which of a pool's addresses a flow gets.

Two kinds. A *translating* pool shares addresses and hands out ports; the ports belong to the
arbiter's ``PortSpace`` of each address, so that whatever else translates to that address (a gate,
an ALG's child) cannot get the same one. A *keeping* pool (``port no-translation``,
``host-address-base``) gives a host an address for itself, and ports stay as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from zlib import crc32

from controller.central_point.free_map import FreeMap
from controller.central_point.port_space import WITH_PORTS, Peer, PortSpace
from controller.config.nat import PortUse, SourcePool
from controller.flow import Address

Host = tuple[Address, int]
"""An inside address and the session token that it comes with: two virtual routers may both have
10.0.0.1."""


class Pool(ABC):
    """What both kinds have."""

    __slots__ = ("addresses", "config", "grants", "is_alarmed", "is_exhausted", "refusals", "used")

    def __init__(self, config: SourcePool) -> None:
        self.config = config
        self.addresses = Addresses(config)
        self.grants = 0
        """Bindings so far."""
        self.refusals = 0
        self.used: Counter[int] = Counter()
        """Bindings that stand, by protocol."""
        self.is_alarmed = False
        self.is_exhausted = False
        """The last flow that asked got nothing."""

    def adopt(self, old: Pool) -> None:
        """Go on where the pool of this name in another configuration stood."""
        self.grants, self.refusals, self.is_alarmed = old.grants, old.refusals, old.is_alarmed

    @abstractmethod
    def grant(
        self, host: Host, protocol: int, port: int, peer: Peer | None
    ) -> tuple[Address, int] | None:
        """An address and port for a flow; ``None``: nothing is left for it."""

    @abstractmethod
    def owners(self) -> Iterator[tuple[Host, int]]:
        """Hosts that have an address, and its number."""

    @abstractmethod
    def utilization(self) -> int:
        """Per cent: of ports, for the protocol that has most; or of addresses."""


class Addresses:
    """The addresses of a pool by number."""

    __slots__ = ("_blocks", "_starts", "count")

    def __init__(self, config: SourcePool) -> None:
        self._blocks = config.blocks
        counts = [block.count for block in config.blocks]
        self._starts = [0, *accumulate(counts)][:-1]
        self.count = sum(counts)

    def at(self, offset: int) -> Address:
        """An address by its number."""
        block = bisect_right(self._starts, offset) - 1
        return self._blocks[block].at(offset - self._starts[block])

    def offset(self, address: Address) -> int:
        """The number of an address; -1: it is none of them."""
        for block, start in zip(self._blocks, self._starts, strict=True):
            if address in block:
                return start + int.from_bytes(address, "big") - block.first
        return -1


class TranslatingPool(Pool):
    """Addresses in turn, ports as they are free."""

    __slots__ = ("_open", "_space", "is_persistent", "pairs")

    def __init__(
        self,
        config: SourcePool,
        find_space: Callable[[Address, int], PortSpace],
        is_persistent: bool,
    ) -> None:
        """``find_space`` gives the ports of an address and protocol. ``is_persistent``: a host gets
        the same address always, and nobody has to keep it in mind (``address-persistent``)."""
        super().__init__(config)
        self._space = find_space
        self.is_persistent = is_persistent
        self._open: dict[int, FreeMap] = {}
        """By protocol: addresses that are not known to be exhausted."""
        self.pairs: dict[Host, list[int]] = {}
        """``address-pooling paired``: by host, the number of its address and of its bindings."""

    def grant(
        self, host: Host, protocol: int, port: int, peer: Peer | None
    ) -> tuple[Address, int] | None:
        """A port of an address. A host that has an address gets no other."""
        config, count = self.config, self.addresses.count
        pair = self.pairs.get(host) if config.is_paired else None
        if pair is not None:
            offset, got = pair[0], self._at(pair[0], protocol, port, peer)
        elif self.is_persistent:
            offset = crc32(host[0]) % count
            got = self._at(offset, protocol, port, peer)
        elif count == 1:
            offset, got = 0, self._at(0, protocol, port, peer)
        else:
            offset, got = self._any(protocol, port, peer)
        if got < 0:
            self.refusals += 1
            return None
        if pair is not None:
            pair[1] += 1
        elif config.is_paired:
            self.pairs[host] = [offset, 1]
        self.grants += 1
        self.used[protocol] += 1
        return self.addresses.at(offset), got

    def _any(self, protocol: int, wanted: int, peer: Peer | None) -> tuple[int, int]:
        count = self.addresses.count
        opened = self._open.get(protocol)
        if opened is None:
            opened = self._open[protocol] = FreeMap(count)
        every = range(count)
        for _ in range(count):
            offset = opened.next(every)
            if offset is None:
                break
            space = self._space(self.addresses.at(offset), protocol)
            got = space.take(wanted, peer)
            if got >= 0:
                return offset, got
            if space.is_full:
                # Until a port of it is given back nobody looks there again. (Else it is this peer
                # alone for whom none is left.)
                opened.take(offset)
        return -1, -1

    def _at(self, offset: int, protocol: int, wanted: int, peer: Peer | None) -> int:
        return self._space(self.addresses.at(offset), protocol).take(wanted, peer)

    def given_back(self, address: Address, protocol: int, host: Host | None) -> None:
        """A port of an address is free again; ``host`` had it by ``grant``."""
        self.used[protocol] -= 1
        opened = self._open.get(protocol)
        if opened is not None:
            opened.give(self.addresses.offset(address))
        pair = self.pairs.get(host) if host is not None else None
        if pair is not None and host is not None:
            pair[1] -= 1
            if not pair[1]:
                del self.pairs[host]

    def owners(self) -> Iterator[tuple[Host, int]]:
        """Pairs."""
        return ((host, pair[0]) for host, pair in self.pairs.items())

    def utilization(self) -> int:
        """Of ports, for the protocol that has most of them in use."""
        if not self.used:
            return 0
        protocol, most = self.used.most_common(1)[0]
        each = len(self.config.ports) * self.config.overloading if protocol in WITH_PORTS else 1
        return most * 100 // (self.addresses.count * each)

    def adopt(self, old: Pool) -> None:
        """Pairs stay where their address does."""
        super().adopt(old)
        if isinstance(old, TranslatingPool) and self.config.is_paired:
            for host, (offset, count) in old.pairs.items():
                new = self.addresses.offset(old.addresses.at(offset))
                if new >= 0:
                    self.pairs[host] = [new, count]


class KeptAddress:
    """An outside address that a host has for itself, ports and all, while it has flows."""

    __slots__ = ("counts", "owner")

    def __init__(self, owner: Host | None) -> None:
        self.owner = owner
        """``None``: a gate has it, for a host whose own flows are over."""
        self.counts: Counter[int] = Counter()
        """Bindings that stand, by protocol."""

    def leave(self, protocol: int) -> bool:
        """A binding is over; whether there was one."""
        if not self.counts[protocol]:
            return False
        self.counts[protocol] -= 1
        return True


Kept = dict[Address, KeptAddress]
"""Addresses that somebody has. They outlive the pool they are from: the arbiter keeps them."""


class KeepingPool(Pool):
    """An address for each host, as long as it has sessions; ports stay."""

    __slots__ = ("_free", "_kept", "hosts")

    def __init__(self, config: SourcePool, kept: Kept) -> None:
        super().__init__(config)
        self._kept = kept
        self._free = FreeMap(self.addresses.count)
        self.hosts: dict[Host, int] = {}
        """The number of each host's address."""
        for address, standing in kept.items():
            offset = self.addresses.offset(address)
            if offset >= 0:
                self._free.take(offset)
                self.used += standing.counts
                if standing.owner is not None:
                    self.hosts[standing.owner] = offset

    def grant(
        self,
        host: Host,
        protocol: int,
        port: int,
        peer: Peer | None,  # noqa: ARG002 - whoever it speaks to
    ) -> tuple[Address, int] | None:
        """The host's address, and the port as it is."""
        offset = self.hosts.get(host)
        if offset is None:
            offset = self._choose(host)
            if offset is None or not self._free.take(offset):
                self.refusals += 1
                return None
            self.hosts[host] = offset
            self._kept[self.addresses.at(offset)] = KeptAddress(host)
        address = self.addresses.at(offset)
        self._kept[address].counts[protocol] += 1
        self.grants += 1
        self.used[protocol] += 1
        return address, port

    def _choose(self, host: Host) -> int | None:
        base = self.config.host_base
        if base is None:
            return self._free.next(range(self._free.size))
        if len(host[0]) != len(base):
            return None
        offset = int.from_bytes(host[0], "big") - int.from_bytes(base, "big")
        return offset if 0 <= offset < self._free.size else None

    def share(self, address: Address, protocol: int, wanted: int) -> int:
        """A gate, or a child, uses the address of a host that has it: the port is the host's."""
        if self._free.take(self.addresses.offset(address)):
            self._kept[address] = KeptAddress(None)
        self._kept[address].counts[protocol] += 1
        self.used[protocol] += 1
        return wanted

    def left(self, address: Address, protocol: int, owner: Host | None, *, is_free: bool) -> None:
        """A binding of an address is over, and perhaps the last one."""
        self.used[protocol] -= 1
        if is_free:
            offset = self.addresses.offset(address)
            self._free.give(offset)
            # A host may have two, if they were of different pools once.
            if owner is not None and self.hosts.get(owner) == offset:
                del self.hosts[owner]

    def owners(self) -> Iterator[tuple[Host, int]]:
        """All hosts that have one."""
        return iter(self.hosts.items())

    def utilization(self) -> int:
        """Of addresses."""
        return (self._free.size - self._free.free) * 100 // self._free.size


def make_pool(
    config: SourcePool,
    find_space: Callable[[Address, int], PortSpace],
    kept: Kept,
    is_persistent: bool,
) -> Pool:
    """The pool for a configuration."""
    if config.port_use is PortUse.KEEP:
        return KeepingPool(config, kept)
    return TranslatingPool(config, find_space, is_persistent)
