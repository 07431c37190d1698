"""Fragments, ``security flow``: words and what they mean.

Names and ranges as in Juniper's YANG models (junos-es, security flow); a time-out of 0, the default
there, is one of ours.
"""

from __future__ import annotations

from typing import TypedDict

from controller.config.schema import SECOND
from controller.config.tree import Statement, flag, leaf, refused
from controller.config.values import number
from controller.flow import Nanoseconds

_TIMEOUT = 5

FRAGMENTS = (
    flag("force-ip-reassembly"),
    flag("preserve-incoming-fragment-size"),
    leaf("fragment-reassembly-timeout", number(0, 60, "number of seconds")),
    refused("fragment-limit"),
)


class FragmentSettings(TypedDict):
    """Of a ``Configuration``."""

    force_reassembly: bool
    preserve_fragment_size: bool
    reassembly_timeout: Nanoseconds


def fragment_settings(root: Statement) -> FragmentSettings:
    """What ``security flow`` says of fragments."""
    said = int(root.text("security", "flow", "fragment-reassembly-timeout") or 0)
    return FragmentSettings(
        force_reassembly=root.has("security", "flow", "force-ip-reassembly"),
        preserve_fragment_size=root.has("security", "flow", "preserve-incoming-fragment-size"),
        reassembly_timeout=(said or _TIMEOUT) * SECOND,
    )
