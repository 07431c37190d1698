"""Pools of ``security nat`` out of the tree of statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from itertools import repeat

from controller.config.nat import (
    INTERFACE_POOL,
    PORTS,
    AddressBlock,
    DestinationPool,
    Nat,
    PortUse,
    SourcePool,
)
from controller.config.nat_overlaps import Claim, check_pools
from controller.config.numbering import Numbers
from controller.config.problems import Problems
from controller.config.tree import Statement
from controller.config.values import port_range
from controller.flow import Address

MAX_ADDRESSES = 65536
"""Addresses of a source pool."""


class NatPoolBuilder:
    """Builds ``source`` and ``destination`` pools, by name."""

    def __init__(
        self, root: Statement, problems: Problems, instances: Iterable[str], before: Nat
    ) -> None:
        self._root = root
        self._problems = problems
        self._instances = ["default", *instances]
        self.source: dict[str, SourcePool] = {}
        self.destination: dict[str, DestinationPool] = {}
        self.claims: list[Claim[SourcePool]] = []
        """The addresses of all source pools."""
        self._source_ids = Numbers({p.name: p.id for p in before.source_pools.values()})
        self._destination_ids = Numbers({p.name: p.id for p in before.destination_pools.values()})

    def build(self) -> None:
        """Fill both. What is wrong is noted."""
        for statement in self._root.each("security", "nat", "source", "pool"):
            pool = self.source[statement.key] = self._source(statement)
            places = (address.place for address in statement.each("address"))
            self.claims += map(Claim, repeat(pool), pool.blocks, places)
        for statement in self._root.each("security", "nat", "source", "pool"):
            self._check_overflow(statement)
        check_pools(self.claims, self._problems)
        for statement in self._root.each("security", "nat", "destination", "pool"):
            target = self._destination(statement)
            if target is not None:
                self.destination[statement.key] = target

    def block(self, statement: Statement) -> AddressBlock | None:
        """``address A``, ``address A/LENGTH`` or ``address A to B``."""
        low = AddressBlock.of(ip_network(statement.key))
        words = statement.words("to")
        if not words:
            return low
        network = ip_network(words[0].text)
        last = int(network.network_address)
        if (
            low.count > 1
            or network.num_addresses > 1
            or network.max_prefixlen // 8 != low.size
            or last < low.first
        ):
            text = f"{statement.key} to {words[0].text}: two addresses, the lower one first"
            self._problems.add(words[0].place, text)
            return None
        return AddressBlock(low.first, last, low.size)

    def instance(self, statement: Statement) -> str | None:
        """What ``routing-instance`` names; the default one is the empty name."""
        words = statement.words("routing-instance")
        if not words:
            return None
        name = words[0].text
        if name not in self._instances:
            self._problems.undefined(words[0].place, "routing instance", name, self._instances)
        return "" if name == "default" else name

    # -- source -------------------------------------------------------------------------------

    def _source(self, pool: Statement) -> SourcePool:
        name = pool.key
        if name == INTERFACE_POOL:
            text = "a pool cannot be called 'interface', which means the egress interface's address"
            self._problems.add(pool.place, text)
        blocks = tuple(self._blocks(pool))
        base = self._host_base(pool, blocks)
        keeps = pool.has("port", "no-translation") or base is not None
        ranges = list(pool.each("port", "range"))
        factor = pool.text("port", "port-overloading-factor")
        if keeps and (ranges or factor is not None):
            why = "no-translation" if base is None else "host-address-base"
            text = f"pool {name} has {why}, hence no port range and no overloading"
            self._problems.add(pool.place, text, name)
        raised, cleared = self._thresholds(pool)
        return SourcePool(
            name=name,
            id=self._source_ids.of(name),
            blocks=blocks,
            instance=self.instance(pool),
            port_use=PortUse.KEEP if keeps else PortUse.TRANSLATE,
            ports=self._ports(pool, ranges),
            overloading=int(factor or 1),
            is_paired=pool.text("address-pooling") == "paired",
            overflow=pool.text("overflow-pool") or "",
            host_base=base,
            raise_threshold=raised,
            clear_threshold=cleared,
        )

    def _blocks(self, pool: Statement) -> Iterator[AddressBlock]:
        seen: list[AddressBlock] = []
        for statement in pool.each("address"):
            block = self.block(statement)
            if block is None:
                continue
            for other in seen:
                if other.size != block.size:
                    text = f"pool {pool.key} has IPv4 and IPv6 addresses; a pool has one family"
                    self._problems.add(statement.place, text)
                    break
                if block.first <= other.last and other.first <= block.last:
                    text = f"{block} overlaps {other} of pool {pool.key}"
                    self._problems.add(statement.place, text)
                    break
            else:
                seen.append(block)
                yield block
        if not pool.has_any("address"):
            text = f"pool {pool.key} needs an address, such as: address 203.0.113.16/28"
            self._problems.add(pool.place, text, pool.key)
        if sum(block.count for block in seen) > MAX_ADDRESSES:
            text = f"pool {pool.key} has more than {MAX_ADDRESSES} addresses"
            self._problems.add(pool.place, text)

    def _host_base(self, pool: Statement, blocks: tuple[AddressBlock, ...]) -> Address | None:
        words = pool.words("host-address-base")
        if not words:
            return None
        network = ip_network(words[0].text)
        base = network.network_address.packed
        if blocks and len(base) != blocks[0].size:
            text = f"host-address-base of pool {pool.key} is of another family than its addresses"
            self._problems.add(words[0].place, text)
            return None
        return base

    def _ports(self, pool: Statement, ranges: list[Statement]) -> range:
        if not ranges:
            return PORTS
        if len(ranges) > 1:
            text = f"pool {pool.key} has several port ranges; one is implemented"
            self._problems.add(ranges[1].place, text)
        low = port_range(ranges[0].key).start
        high = port_range(ranges[0].text("to") or ranges[0].key).start
        if not PORTS.start <= low <= high:
            text = f"port range {low} to {high} of pool {pool.key}: from {PORTS.start} on, "
            self._problems.add(ranges[0].place, text + "the lower one first")
            return PORTS
        return range(low, high + 1)

    def _thresholds(self, pool: Statement) -> tuple[int, int]:
        own = pool.get("pool-utilization-alarm")
        said = own or self._root.get("security", "nat", "source", "pool-utilization-alarm")
        if said is None:
            return 0, 0
        raised, cleared = said.text("raise-threshold"), said.text("clear-threshold")
        if raised is None:
            text = "pool-utilization-alarm needs a raise-threshold"
            self._problems.add(said.place, text)
            return 0, 0
        # Without a word of it the alarm clears at four fifths of where it is raised, as in Junos.
        low = int(raised) * 4 // 5 if cleared is None else int(cleared)
        if low > int(raised):
            text = f"clear-threshold {low} is above raise-threshold {raised}"
            self._problems.add(said.place, text)
        return int(raised), low

    def _check_overflow(self, statement: Statement) -> None:
        words = statement.words("overflow-pool")
        if not words or words[0].text == INTERFACE_POOL:
            return
        name = words[0].text
        other = self.source.get(name)
        if other is None:
            known = [INTERFACE_POOL, *self.source]
            self._problems.undefined(words[0].place, "source pool", name, known)
        elif other.port_use is PortUse.KEEP or name == statement.key:
            text = f"overflow-pool {name} of pool {statement.key} must be another one, with port "
            self._problems.add(words[0].place, text + "translation")
        elif {b.size for b in other.blocks} != {b.size for b in self.source[statement.key].blocks}:
            text = f"overflow-pool {name} is of another family than pool {statement.key}"
            self._problems.add(words[0].place, text)
        elif statement.key in self._chain(name):
            text = f"overflow-pool {name} of pool {statement.key} flows over to it again; "
            self._problems.add(words[0].place, text + "the last of a row needs none")

    def _chain(self, name: str) -> Iterator[str]:
        """A pool, the one it flows over to, the one that one does."""
        seen: set[str] = set()
        while name in self.source and name not in seen:
            yield name
            seen.add(name)
            name = self.source[name].overflow

    # -- destination --------------------------------------------------------------------------

    def _destination(self, pool: Statement) -> DestinationPool | None:
        found = list(pool.each("address"))
        if len(found) != 1:
            text = f"destination pool {pool.key} needs one address, such as: address 10.1.1.5/32"
            self._problems.add(pool.place, text, pool.key)
            return None
        block = self.block(found[0])
        if block is None:
            return None
        port = found[0].text("port")
        number = 0 if port is None else port_range(port).start
        instance = self.instance(pool)
        return DestinationPool(
            pool.key, self._destination_ids.of(pool.key), block, number, instance
        )
