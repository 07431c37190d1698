"""Load balancing: which SPU gets a new session.

Three ways (``Balancing``). All respect three bounds: an SPU that is not in service gets nothing, an
SPU that is full gets nothing (its share goes to the one with the least), and the chassis as a whole
may be full before its SPUs are. Pending wings count like sessions, so a burst of
first packets spreads too. A session of IPv6 takes two places (``flow.places``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zlib import crc32

from controller.config.cards import Balancing, CpSite, SpuSite
from controller.config.distribution import buckets, shares
from controller.flow import FlowKey, places

_LEAST = CpSite()


class _Member:
    """An SPU by what counts here."""

    __slots__ = ("capacity", "in_service", "ipv6", "load", "number", "weight")

    def __init__(self, site: SpuSite) -> None:
        self.number = site.number
        self.capacity = site.max_sessions
        self.weight = site.share
        self.load = 0
        """Places taken."""
        self.ipv6 = 0
        """Sessions that took two."""
        self.in_service = True


class Balance:
    """Picks SPUs, and knows how many sessions each has."""

    def __init__(self, sites: Mapping[int, SpuSite], cp: CpSite = _LEAST) -> None:
        self._members = {number: _Member(sites[number]) for number in sorted(sites)}
        self.capacity = sum(member.capacity for member in self._members.values())
        """Places that all SPUs together have."""
        self.maximum = min(cp.max_sessions or self.capacity, self.capacity)
        """Places that the chassis may fill."""
        self.total = 0
        """Places that sessions and pending wings take."""
        self.buckets = b""
        """The SPU of each bucket of a flow's hash; only SPUs in service, unless there is none."""
        self._turns = b""
        self._turn = 0
        self._in_service: list[_Member] = []
        self._pick: Callable[[FlowKey, int], _Member | None] = {
            Balancing.LEAST_SESSIONS: self._least,
            Balancing.WEIGHTED_ROUND_ROBIN: self._next,
            Balancing.HASH: self._by_hash,
        }[cp.balancing]
        self._refresh()

    # -- picking ------------------------------------------------------------------------------

    def pick(self, flow: FlowKey) -> int | None:
        """The SPU for a new session, counted as its load already; ``None``: there is no room."""
        need = places(flow)
        if self.total + need > self.maximum:
            return None
        member = self._pick(flow, need)
        if member is None:
            return None
        member.load += need
        member.ipv6 += need - 1
        self.total += need
        return member.number

    def prefer(self, spu: int, flow: FlowKey) -> int | None:
        """Like ``pick``, but this SPU if it is in service and has room (its NPU chose it)."""
        member = self._members.get(spu)
        if member is not None and member.in_service and self.take(spu, flow):
            return spu
        return self.pick(flow)

    def due(self, flow: FlowKey) -> int:
        """The SPU whose a flow is by its hash, however full it is; 0: there is none."""
        return self.buckets[bucket_of(flow)] if self.buckets else 0

    def take(self, spu: int, flow: FlowKey) -> bool:
        """Count a session for a given SPU, in service or not; whether it exists and has room."""
        member = self._members.get(spu)
        need = places(flow)
        if member is None or not _fits(member, need) or self.total + need > self.maximum:
            return False
        member.load += need
        member.ipv6 += need - 1
        self.total += need
        return True

    def give_back(self, spu: int, flow: FlowKey) -> int:
        """A session or pending wing of an SPU is gone; how many are left."""
        need = places(flow)
        self.total -= need
        member = self._members[spu]
        member.load -= need
        member.ipv6 -= need - 1
        return member.load - member.ipv6

    def _least(self, _flow: FlowKey, need: int) -> _Member | None:
        """The one that has the least for its weight; among equals the lowest number."""
        best = None
        least = float("inf")
        for member in self._in_service:
            load = member.load
            if load + need <= member.capacity:
                fill = load / member.weight
                if fill < least:
                    best, least = member, fill
        return best

    def _next(self, flow: FlowKey, need: int) -> _Member | None:
        turns = self._turns
        if not turns:
            return None
        turn = self._turn
        self._turn = turn + 1 if turn + 1 < len(turns) else 0
        member = self._members[turns[turn]]
        return member if _fits(member, need) else self._least(flow, need)

    def _by_hash(self, flow: FlowKey, need: int) -> _Member | None:
        if not self._in_service:
            return None
        member = self._members[self.buckets[bucket_of(flow)]]
        return member if _fits(member, need) else self._least(flow, need)

    # -- who takes part -----------------------------------------------------------------------

    def set_in_service(self, spu: int, is_in_service: bool) -> None:
        """From now on, an SPU gets new sessions or does not."""
        self._members[spu].in_service = is_in_service
        self._refresh()

    def _refresh(self) -> None:
        # Without room, an SPU is never picked, so its weight must not matter.
        self._in_service = [m for m in self._members.values() if m.in_service and m.capacity]
        weights = {member.number: member.weight for member in self._in_service}
        self.buckets = buckets(weights, self.buckets)
        self._turns = turns(weights)
        self._turn = 0

    @property
    def in_service(self) -> int:
        """How many SPUs get new sessions, as long as they have room."""
        return len(self._in_service)

    # -- what it looks like -------------------------------------------------------------------

    def capacity_of(self, spu: int) -> int:
        """Places that an SPU has."""
        return self._members[spu].capacity

    def places_of(self, spu: int) -> int:
        """Places that an SPU's sessions and pending wings take."""
        return self._members[spu].load

    def load_of(self, spu: int) -> int:
        """Sessions and pending wings of an SPU."""
        member = self._members[spu]
        return member.load - member.ipv6

    @property
    def load(self) -> Mapping[int, int]:
        """Sessions and pending wings by SPU."""
        return {number: self.load_of(number) for number in self._members}

    @property
    def ipv6(self) -> Mapping[int, int]:
        """Those of them that are of IPv6."""
        return {number: member.ipv6 for number, member in self._members.items()}


def _fits(member: _Member, need: int) -> bool:
    return member.load + need <= member.capacity


def turns(weights: Mapping[int, int]) -> bytes:
    """A round of SPUs, each as often as its share of 256 says and as evenly spread as may be: the
    next is always the one that is furthest behind its due."""
    due = shares(weights)
    total = sum(due.values())
    credit = dict.fromkeys(due, 0)
    table = bytearray()
    for _ in range(total):
        for spu, share in due.items():
            credit[spu] += share
        best = max(due, key=lambda spu: (credit[spu], -spu))
        credit[best] -= total
        table.append(best)
    return bytes(table)


def bucket_of(flow: FlowKey) -> int:
    """A flow's bucket; both directions of a flow that is not translated have the same."""
    one = flow.src + flow.sport.to_bytes(2, "big")
    other = flow.dst + flow.dport.to_bytes(2, "big")
    if one > other:
        one, other = other, one
    return crc32(other, crc32(one, flow.protocol)) & 0xFF
