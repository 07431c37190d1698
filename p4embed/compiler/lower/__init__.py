"""From structured statements to BMv2's parser states, tables and actions.

indices   stack[i] -> a choice among the elements
legalise  P4 arithmetic -> BMv2's unbounded arithmetic
flatten   structured flow -> `ir.Program`, by `actions`, `controls` and `parsers`

The passes run in that order (`p4embed.compiler.driver`).
"""

from p4embed.compiler.lower.flatten import flatten
from p4embed.compiler.lower.indices import resolve_indices
from p4embed.compiler.lower.legalise import legalise

__all__ = ["flatten", "legalise", "resolve_indices"]
