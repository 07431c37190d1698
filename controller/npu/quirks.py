"""Where targets differ from the P4Runtime specification or from each other, in one place.

Observed on BMv2's ``simple_switch_grpc`` with its PI library, unless noted. It looks for idle
entries once a second, and PI gathers notices for up to 100 ms: a notice is late by up to about
1.1 s. It also repeats the notice of an entry that stays idle.
"""

from __future__ import annotations

from finsy.proto import rpc_code

from controller.reasons import Drop

FULL_CODES = frozenset((rpc_code.RESOURCE_EXHAUSTED, rpc_code.UNKNOWN))
"""What an update that does not fit into its table answers. The specification wants
RESOURCE_EXHAUSTED; PI passes the target's own failure on as UNKNOWN."""


def install_failure(code: int) -> Drop:
    """The reason that a failed INSERT or MODIFY stands for."""
    return Drop.NPU_TABLE_FULL if code in FULL_CODES else Drop.NPU_LOST
