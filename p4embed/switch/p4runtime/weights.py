"""Weights and sizes of selector groups.

Source: P4Runtime specification, "Group Programming", "One Shot Action Selector Programming".
"""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4i, p4r

from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, invalid, unimplemented

MAX_WEIGHT = 1 << 16
"""Most that the weights of a group may add up to: each is an element of the engine's list."""


def repeated(weighted: Sequence[tuple[int, int]]) -> list[int]:
    """Each number as often as its weight says."""
    total = sum(weight for _, weight in weighted)
    if total > MAX_WEIGHT:
        raise _too_heavy(total)
    return [number for number, weight in weighted for _ in range(weight)]


def _too_heavy(total: int) -> P4RuntimeError:
    return P4RuntimeError(
        Code.RESOURCE_EXHAUSTED, f"weights add up to {total}; expected at most {MAX_WEIGHT}"
    )


def weight_of(info: p4i.ActionProfile, weight: int) -> int:
    """How often a member is in a group; ``INVALID_ARGUMENT`` for a weight that cannot be."""
    if info.weights_disallowed:
        if weight:
            raise invalid(f"weight {weight}; '{info.preamble.name}' takes none")
        return 1
    if weight < 1:
        raise invalid(f"weight {weight}; expected 1 or more")
    most = info.sum_of_members.max_member_weight
    if most and weight > most:
        raise invalid(f"weight {weight}; expected at most {most}")
    return weight


def group_size(info: p4i.ActionProfile, weights: Sequence[int]) -> int:
    """What a group takes of the sizes in P4Info: weights or members, as its semantics say."""
    by_members = info.HasField("sum_of_members") or info.weights_disallowed
    return len(weights) if by_members else sum(weights)


def check_max_size(info: p4i.ActionProfile, max_size: int) -> None:
    """The rules on setting ``max_size``."""
    most = info.max_group_size
    if most and not 0 < max_size <= most:
        raise invalid(f"max_size {max_size}; expected 1..{most}")
    if max_size < 0:
        raise invalid(f"max_size {max_size}; expected 0 or more")


def check_watch(member: p4r.ActionProfileGroup.Member | p4r.ActionProfileAction) -> None:
    """``UNIMPLEMENTED`` for a watch port."""
    if member.watch or member.watch_port:
        raise unimplemented("watch_port is not supported; ports are not watched")


def check_modes(info: p4i.ActionProfile, message: p4r.ActionProfileActionSet) -> None:
    """Only what the selector does anyway."""
    set_ = p4r.ActionProfileActionSet
    if message.action_selection_mode not in (
        set_.DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR,
        set_.HASH,
    ):
        raise unimplemented("action_selection_mode: selectors select by their hash")
    own = set_.SUM_OF_MEMBERS if info.HasField("sum_of_members") else set_.SUM_OF_WEIGHTS
    default = set_.DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR
    if message.size_semantics not in (default, own):
        raise unimplemented("size_semantics other than the selector's own are not supported")
