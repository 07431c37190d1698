"""Pass `elaborate`: the checked syntax tree as one program with all its instances in it.

program     the package's six blocks, externs, metadata, in their order
blocks      calls of controls, functions and actions, replaced by their bodies
parsers     states of a parser and of those it calls
tables      keys, actions, entries, properties
statements  assignments and flow
calls       what a call stands for, and how its arguments are bound
extern_calls  arguments of a call of an extern
reports     digests, clones with their field lists, log messages
v1model     extern functions and objects as BMv2's primitives
checksums   the two checksum controls and the deparser
expressions values, in the order their side effects happen
lvalues     places, and storing into them
storage     which header or scalar field a variable lives in
values      what an expression can stand for
context     where we are: scope, output, what `return` does
"""

from p4embed.compiler.elaborate.program import elaborate

__all__ = ["elaborate"]
