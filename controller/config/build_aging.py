"""Early ageing, ``security flow aging``: its words and what they mean.

Names, ranges and defaults as in Juniper's YANG models (junos-es, security flow).
"""

from __future__ import annotations

from controller.config.problems import Problems
from controller.config.schema import SECOND, Aging
from controller.config.tree import Statement, container, leaf
from controller.config.values import number

_DEFAULT_AGEOUT = 20
_FULL = 100

AGING = container(
    "aging",
    leaf("early-ageout", number(1, 65535, "number of seconds")),
    leaf("low-watermark", number(0, _FULL, "percentage")),
    leaf("high-watermark", number(0, _FULL, "percentage")),
)


def aging(root: Statement, problems: Problems) -> Aging | None:
    """``None`` without a high watermark below 100 %: a table cannot be fuller than full."""
    statement = root.get("security", "flow", "aging")
    if statement is None:
        return None
    high = int(statement.text("high-watermark") or _FULL)
    low = int(statement.text("low-watermark") or _FULL)
    if low > high:
        text = f"low-watermark {low} is above high-watermark {high}; it is where ageing ends"
        problems.add(statement.place, text)
    ageout = int(statement.text("early-ageout") or _DEFAULT_AGEOUT)
    return Aging(ageout * SECOND, low, high) if high < _FULL else None
