"""Programs between the passes as text, for people (`--dump PASS`) and for tests.

syntax      the syntax tree, before and after the checker
statements  structured statements, and the lowered program
"""

from p4embed.compiler.dump.statements import dump_lowered, dump_tree
from p4embed.compiler.dump.syntax import dump_checked, dump_syntax

__all__ = ["dump_checked", "dump_lowered", "dump_syntax", "dump_tree"]
