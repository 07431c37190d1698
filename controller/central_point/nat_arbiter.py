"""NAT arbitration: one place grants addresses and ports, so none is given twice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from controller.central_point.nat_pools import (
    Host,
    KeepingPool,
    Kept,
    Pool,
    TranslatingPool,
    make_pool,
)
from controller.central_point.persistent_nat import (
    Inside,
    Outside,
    PersistentBinding,
    PersistentTable,
)
from controller.central_point.port_space import WITH_PORTS, Peer, PortSpace
from controller.config.nat import INTERFACE_POOL, NO_NAT, PORTS, Nat, SourcePool
from controller.flow import Address, AnyFlow, Nanoseconds
from controller.messages import AllocateNat, Grant, NatNotice


@dataclass(frozen=True, slots=True)
class PoolView:
    """A source pool as an operator sees it."""

    config: SourcePool
    used: int
    """Bindings that stand."""
    addresses_used: int
    pairs: int
    """Hosts that have an address of the pool for now."""
    grants: int
    refusals: int
    utilization: int
    is_alarmed: bool


def _tell_nobody(_: NatNotice) -> None:
    pass


class NatArbiter:
    """Grants ports of translated addresses, each to one binding at a time (but see
    ``port-overloading-factor``), and addresses of pools.

    Ports belong to an address and protocol, whoever asks: an interface's rule, a pool, a gate. A
    protocol without ports has port 0 only, hence one binding per address.
    """

    def __init__(self, ports: range = PORTS, nat: Nat = NO_NAT) -> None:
        """``ports`` are those of addresses that are in no pool."""
        self.now: Nanoseconds = 0
        """The time of the message in hand."""
        self.tell: Callable[[NatNotice], None] = _tell_nobody
        """Called with alarms."""
        self.persistent = PersistentTable()
        self._ports = ports
        self._nat = nat
        self._spaces: dict[tuple[Address, int], PortSpace] = {}
        self._kept: Kept = {}
        self._pools: dict[str, Pool] = {}
        self._pool_of_space: dict[tuple[Address, int], TranslatingPool] = {}
        self._starts: dict[int, list[int]] = {}
        self._blocks: dict[int, list[tuple[int, Pool]]] = {}
        self._has_keeping = False
        self.configure(nat)

    # -- configuration ------------------------------------------------------------------------

    def configure(self, nat: Nat, own: Container[Address] | None = None) -> None:
        """Other pools are in force. Bindings that stand stay, in the pool that has their address
        now, if one has. ``own`` are addresses of interfaces, if these may have changed too:
        persistent bindings of rules, pools and interfaces that are no more take no new session."""
        self._nat = nat
        old, self._pools = self._pools, {}
        for name, config in nat.source_pools.items():
            before = old.get(name)
            if before is not None and before.config == config and not self._rules_changed(before):
                self._pools[name] = before
                continue
            pool = make_pool(config, self._space, self._kept, nat.address_persistent)
            if before is not None:
                pool.adopt(before)
            self._pools[name] = pool
        self._has_keeping = any(isinstance(p, KeepingPool) for p in self._pools.values())
        self._index()
        self._attach()
        stale = [
            binding
            for binding in self.persistent.all()
            if binding.rule not in nat.source or not self._still_has(binding, old, own)
        ]
        for binding in stale:
            self.persistent.retire(binding)
        self.clear_persistent(stale)

    def _still_has(
        self, binding: PersistentBinding, old: Mapping[str, Pool], own: Container[Address] | None
    ) -> bool:
        """Whether a binding's address is where it was, and under the same terms."""
        address, name = binding.outside.address, binding.pool
        if name == INTERFACE_POOL:
            return own is None or address in own
        if name not in self._pools or name not in old:
            return False
        config, before = self._pools[name].config, old[name].config
        terms = config.port_use, config.host_base
        return address in config and terms == (before.port_use, before.host_base)

    def _rules_changed(self, pool: Pool) -> bool:
        return isinstance(pool, TranslatingPool) and (
            pool.is_persistent is not self._nat.address_persistent
        )

    def _index(self) -> None:
        """Which pool an address is in: by bisection."""
        self._starts, self._blocks = {4: [], 16: []}, {4: [], 16: []}
        every = [
            (block.size, block.first, block.last, pool)
            for pool in self._pools.values()
            for block in pool.config.blocks
        ]
        for size, first, last, pool in sorted(every, key=lambda entry: entry[:2]):
            self._starts[size].append(first)
            self._blocks[size].append((last, pool))

    def _attach(self) -> None:
        """Spaces that there are belong to the pools in force; empty ones go."""
        spaces, self._spaces, self._pool_of_space = self._spaces, {}, {}
        for pool in self._pools.values():
            if isinstance(pool, TranslatingPool):
                pool.used.clear()
        for (address, protocol), space in spaces.items():
            if space.used:
                self._adopt((address, protocol), space)

    def _adopt(self, key: tuple[Address, int], space: PortSpace) -> None:
        self._spaces[key] = space
        pool = self._pool_of(key[0])
        if isinstance(pool, TranslatingPool):
            space.configure(pool.config.ports, pool.config.overloading)
            self._pool_of_space[key] = pool
            pool.used[key[1]] += space.used
        else:
            space.configure(self._ports, self._nat.interface_overloading)

    def _pool_of(self, address: Address) -> Pool | None:
        starts = self._starts[len(address)]
        if not starts:
            return None
        value = int.from_bytes(address, "big")
        at = bisect_right(starts, value) - 1
        if at < 0:
            return None
        last, pool = self._blocks[len(address)][at]
        return pool if value <= last else None

    def _space(self, address: Address, protocol: int) -> PortSpace:
        key = address, protocol
        space = self._spaces.get(key)
        if space is None:
            space = PortSpace(protocol, self._ports, self._nat.interface_overloading)
            self._adopt(key, space)
        return space

    # -- ports of an address ------------------------------------------------------------------

    def allocate(
        self, address: Address, protocol: int, wanted: int, peer: Peer | None = None
    ) -> int | None:
        """A free port of an address, the one ``wanted`` if it is free and in range; ``None``:
        exhausted. Only with a ``peer`` may it be one that others share."""
        if self._has_keeping:
            pool = self._pool_of(address)
            if isinstance(pool, KeepingPool):
                return pool.share(address, protocol, wanted)
        space = self._spaces.get((address, protocol)) or self._space(address, protocol)
        port = space.take(wanted, peer)
        if port < 0:
            return None
        if self._pool_of_space:
            owner = self._pool_of_space.get((address, protocol))
            if owner is not None:
                owner.used[protocol] += 1
        return port

    def release(
        self,
        address: Address,
        protocol: int,
        port: int,
        host: Host | None = None,
        peer: Peer | None = None,
        *,
        is_persistent: bool = True,
    ) -> bool:
        """Free a binding; whether it was granted. ``host`` and ``peer`` are those that it was
        granted for, if any. ``is_persistent``: it may be a session of a persistent binding, of
        which others may have the address and port, too, if their pool translates no ports."""
        if is_persistent and self.persistent.outside:
            binding = self.persistent.at(Outside(address, port, protocol))
            if binding is not None:
                self.persistent.leave(binding, self.now)
                return True
        return self._release(address, protocol, port, host, peer)

    def _release(
        self, address: Address, protocol: int, port: int, host: Host | None, peer: Peer | None
    ) -> bool:
        key = address, protocol
        space = self._spaces.get(key)
        if space is not None and space.give(port, peer):
            if self._pool_of_space:
                owner = self._pool_of_space.get(key)
                if owner is not None:
                    owner.given_back(address, protocol, host)
                    if owner.is_alarmed:
                        self._watch(owner)
            return True
        standing = self._kept.get(address)
        if standing is None or not standing.leave(protocol):
            return False
        is_free = not standing.counts.total()
        if is_free:
            del self._kept[address]
        pool = self._pool_of(address)
        if isinstance(pool, KeepingPool):
            pool.left(address, protocol, standing.owner, is_free=is_free)
            if pool.is_alarmed:
                self._watch(pool)
        return True

    # -- rules --------------------------------------------------------------------------------

    def grant(self, ask: AllocateNat) -> Grant | None:
        """What a flow's source becomes, by the rule that it names; ``None``: nothing is left."""
        rule, out = ask.rule, ask.routed
        if rule is None or out is None:
            port = self.allocate(ask.address, ask.protocol, ask.port)
            return None if port is None else Grant(ask.address, ask.protocol, port)
        if rule.persistence is None:
            return self._grant(ask, rule.pool, out)
        flow = ask.flow
        inside = Inside(flow.src, flow.sport, ask.protocol, flow.token)
        binding = self.persistent.of(inside)
        if binding is None:
            granted = self._grant(ask, rule.pool, None)
            if granted is None:
                return None
            outside = Outside(granted.address, granted.port, ask.protocol)
            binding = PersistentBinding(
                inside, outside, granted.pool, rule, rule.persistence.reach,
                rule.persistence.timeout, rule.persistence.max_sessions,
            )  # fmt: skip
            self.persistent.add(binding)
        if not self.persistent.join(binding):
            return None
        binding.note(out.dst, out.dport)
        address, port, protocol = binding.outside
        return Grant(address, protocol, port, binding.pool, is_persistent=True)

    def _grant(self, ask: AllocateNat, name: str, out: AnyFlow | None) -> Grant | None:
        """``out``: the flow, if its port may be shared with flows to others."""
        protocol = ask.protocol
        pool = self._pools.get(name)
        if pool is None:
            if name != INTERFACE_POOL:
                return None  # gone with the configuration that it was in
            peer = None
            if out is not None and self._nat.interface_overloading > 1:
                peer = out.dst, out.dport
            port = self.allocate(ask.address, protocol, ask.port, peer)
            if port is None:
                return None
            return Grant(ask.address, protocol, port, INTERFACE_POOL, peer)
        peer = None
        if out is not None and pool.config.overloading > 1:
            peer = out.dst, out.dport
        flow = ask.flow
        found = pool.grant((flow.src, flow.token), protocol, ask.port, peer)
        if found is not None:
            pool.is_exhausted = False
            if pool.config.raise_threshold and not pool.is_alarmed:
                self._watch(pool)
            return Grant(found[0], protocol, found[1], name, peer)
        if not pool.is_exhausted:
            pool.is_exhausted = True
            self.tell(NatNotice(self.now, name, pool.utilization(), None))
        overflow = pool.config.overflow
        return self._grant(ask, overflow, out) if overflow else None

    def _watch(self, pool: Pool) -> None:
        """Raise or clear the alarm of a pool."""
        config, now = pool.config, pool.utilization()
        if not pool.is_alarmed and config.raise_threshold and now >= config.raise_threshold:
            pool.is_alarmed = True
            self.tell(NatNotice(self.now, config.name, now, True))
        elif pool.is_alarmed and (not config.raise_threshold or now < config.clear_threshold):
            pool.is_alarmed = False
            self.tell(NatNotice(self.now, config.name, now, False))

    # -- persistent bindings ------------------------------------------------------------------

    def call(
        self, src: Address, sport: int, dst: Address, dport: int, protocol: int
    ) -> PersistentBinding | None:
        """Somebody outside calls: the binding that takes it, with one session more."""
        binding = self.persistent.at(Outside(dst, dport, protocol))
        if binding is None or not binding.permits(src, sport):
            return None
        if not self.persistent.is_open(binding):
            return None
        return binding if self.persistent.join(binding) else None

    def tick(self) -> None:
        """End bindings that had no session for long enough."""
        for binding in self.persistent.due(self.now):
            self._forget(binding)

    def clear_persistent(self, bindings: list[PersistentBinding]) -> int:
        """Forget bindings without sessions; how many."""
        idle = [b for b in bindings if not b.sessions and self.persistent.at(b.outside) is b]
        for binding in idle:
            self.persistent.remove(binding)
            self._forget(binding)
        return len(idle)

    def _forget(self, binding: PersistentBinding) -> None:
        address, port, protocol = binding.outside
        host = binding.inside.address, binding.inside.token
        self._release(address, protocol, port, host, None)

    # -- what it looks like -------------------------------------------------------------------

    def in_use(self) -> dict[tuple[Address, int], int]:
        """Bindings that stand by address and protocol, where there are any."""
        found = {key: space.used for key, space in self._spaces.items() if space.used}
        for address, standing in self._kept.items():
            found[address, 0] = standing.counts.total()
        return found

    def pool(self, name: str) -> PoolView | None:
        """A pool by its name."""
        pool = self._pools.get(name)
        if pool is None:
            return None
        if isinstance(pool, KeepingPool):
            hosts = len(pool.hosts)
            addresses = hosts
        else:
            assert isinstance(pool, TranslatingPool)
            hosts = len(pool.pairs)
            of = self._pool_of_space.items()
            addresses = len({a for (a, p), o in of if o is pool and self._spaces[a, p].used})
        return PoolView(
            pool.config, pool.used.total(), addresses, hosts, pool.grants, pool.refusals,
            pool.utilization(), pool.is_alarmed,
        )  # fmt: skip

    def interface_ports(self) -> Iterator[tuple[Address, int, int, int]]:
        """Of addresses that are in no pool: address, protocol, ports in use, ports there are."""
        for (address, protocol), space in self._spaces.items():
            if space.used and (address, protocol) not in self._pool_of_space:
                room = len(self._ports) * space.factor if protocol in WITH_PORTS else 1
                yield address, protocol, space.used, room

    def pairs(self) -> Iterator[tuple[str, Address, Address]]:
        """Hosts that have an address of a pool for themselves or for now: pool, inside, outside."""
        for name, pool in self._pools.items():
            for (inside, _), offset in pool.owners():
                yield name, inside, pool.addresses.at(offset)

    def clear_statistics(self) -> None:
        """Count grants and refusals from zero again."""
        for pool in self._pools.values():
            pool.grants = pool.refusals = 0
