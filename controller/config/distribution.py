"""The hash table of SPUs: of a fixed number of buckets, each SPU has a share by its weight.

NPUs hold it in hash-based distribution (Juniper's page ``security-flow-session-and-distribution``:
indices in proportion to the weight), the central point when it balances by hash. If an SPU leaves,
its buckets go to the others and no other bucket changes; if one comes, it takes what it is due and
no more. So a flow's bucket keeps its SPU unless it has to change.
"""

from __future__ import annotations

from collections.abc import Mapping

BUCKETS = 256
"""As in ``p4src/ids.p4``."""


def shares(weights: Mapping[int, int]) -> dict[int, int]:
    """Buckets of each SPU: largest remainders; among equals the lower number is first."""
    total = sum(weights.values())
    if not total:
        return {}
    parts = {spu: divmod(BUCKETS * weight, total) for spu, weight in weights.items()}
    left = BUCKETS - sum(whole for whole, _ in parts.values())
    rest = sorted(parts, key=lambda spu: (-parts[spu][1], spu))[:left]
    return {spu: parts[spu][0] + (spu in rest) for spu in sorted(parts)}


def buckets(weights: Mapping[int, int], previous: bytes = b"") -> bytes:
    """The SPU of each bucket; as few as possible differ from ``previous``.

    ``weights`` are those of the SPUs in service. Without any, ``previous`` stays as it is.
    """
    due = shares(weights)
    if not due:
        return previous
    if not previous:
        return bytes(spu for spu, count in due.items() for _ in range(count))
    table = bytearray(previous)
    open_: list[int] = []
    for bucket, spu in enumerate(previous):
        if due.get(spu, 0):
            due[spu] -= 1
        else:
            open_.append(bucket)
    takers = (spu for spu, count in due.items() for _ in range(count))
    for bucket, spu in zip(open_, takers, strict=True):
        table[bucket] = spu
    return bytes(table)
