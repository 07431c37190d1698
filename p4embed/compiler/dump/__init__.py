"""Programs between the passes as text, for people (`--dump PASS`) and for tests."""

from p4embed.compiler.dump.statements import dump_lowered, dump_tree

__all__ = ["dump_lowered", "dump_tree"]
