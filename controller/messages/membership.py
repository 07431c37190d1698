"""SPUs that come and go, as the central point hears of it."""

from __future__ import annotations

from enum import Enum

from controller.flow import FlowKey
from controller.value import value


@value
class SpuFailed:
    """Whoever notices -> CP: this SPU is gone, with all it knew. No new flow goes there; pending
    flows are forgotten; its wings are taken off the NPUs (``PurgeSpu``), and then go its sessions'
    entries, NAT bindings and gates. Messages of it that are still under way change nothing."""

    spu: int
    why: str
    flow: FlowKey | None = None
    """What it failed on, if that is known: such packets are kept from other SPUs for a while."""


@value
class SpuJoined:
    """SPU -> CP: an SPU that knows nothing wants to take part. It says so (again and again) until
    it is accepted, and does nothing else. The CP accepts once all of an earlier one with this
    number is cleared away; if nobody said that the earlier one failed, this message does."""

    spu: int
    incarnation: int
    """Tells this SPU from earlier ones with its number; any number that none of them had."""


@value
class SpuAccepted:
    """CP -> SPU: take part. Comes again if ``SpuJoined`` does."""

    spu: int
    incarnation: int
    last_session_id: int
    """The newest id that the CP knows of its predecessors; new ids begin behind it, so that what
    is still under way for old sessions meets no new one. 0: there was none."""


class SpuState(Enum):
    """What the CP holds of an SPU; the value is what a person reads."""

    ONLINE = "Online"
    DRAINING = "Draining"
    CLEARING = "Clearing"
    """It failed, and its sessions are being cleared away."""
    OFFLINE = "Offline"


MembershipMessage = SpuFailed | SpuJoined | SpuAccepted
