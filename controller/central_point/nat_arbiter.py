"""NAT arbitration: one place grants ports, so none is given twice."""

from __future__ import annotations

from collections import deque

from controller.flow import Address
from controller.packet import ICMP, ICMPV6, TCP, UDP

PORTS = range(1024, 65536)
"""Ports and ICMP identifiers that are granted (Junos: source NAT pool port range)."""

_WITH_PORTS = frozenset((TCP, UDP, ICMP, ICMPV6))


class _Pool:
    """Ports of one address and protocol; each operation is O(1), amortised.

    A port granted because it was wanted stays in the queue of free ones and is skipped when it
    comes to the front; ``queued`` keeps it from being queued a second time on release.
    """

    __slots__ = ("free", "granted", "ports", "queued")

    def __init__(self, ports: range) -> None:
        self.ports = ports
        self.free = deque(ports)
        self.queued = bytearray(b"\1") * len(ports)
        self.granted: set[int] = set()

    def allocate(self, wanted: int) -> int | None:
        granted = self.granted
        if wanted in self.ports and wanted not in granted:
            granted.add(wanted)
            return wanted
        free, first = self.free, self.ports.start
        while free:
            port = free.popleft()
            self.queued[port - first] = 0
            if port not in granted:
                granted.add(port)
                return port
        return None

    def release(self, port: int) -> bool:
        if port not in self.granted:
            return False
        self.granted.remove(port)
        at = port - self.ports.start
        if not self.queued[at]:
            # To the back: a port rests as long as possible before it is granted again.
            self.queued[at] = 1
            self.free.append(port)
        return True


class NatArbiter:
    """Grants ports of translated addresses, each to one binding at a time.

    A protocol without ports has port 0 only, hence one binding per address.
    """

    def __init__(self, ports: range = PORTS) -> None:
        self._ports = ports
        self._pools: dict[tuple[Address, int], _Pool] = {}

    def allocate(self, address: Address, protocol: int, wanted: int) -> int | None:
        """A free port, the one ``wanted`` if it is free and in range; ``None``: exhausted."""
        pool = self._pools.get((address, protocol))
        if pool is None:
            pool = _Pool(self._ports if protocol in _WITH_PORTS else range(1))
            self._pools[address, protocol] = pool
        return pool.allocate(wanted)

    def release(self, address: Address, protocol: int, port: int) -> bool:
        """Free a port; whether it was granted."""
        pool = self._pools.get((address, protocol))
        return pool is not None and pool.release(port)

    def in_use(self) -> dict[tuple[Address, int], int]:
        """Granted ports by address and protocol, where there are any."""
        return {key: len(pool.granted) for key, pool in self._pools.items() if pool.granted}
