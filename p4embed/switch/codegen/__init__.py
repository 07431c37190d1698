"""From a ``Program`` to one C file, readable beside the P4 source.

One function per header type (extract, emit), parser state, action, table and control, with the P4
names kept. What differs from program to program is generated; tables, checksums and packet I/O are
the runtime's (``native/``).

    names.py        C identifiers
    values.py       C expressions with the range of integers they may take
    expressions.py  P4 expressions
    header_access.py headers, stack elements, union members
    headers.py      headers: structs, extract, emit, compare
    primitives.py   the statements of actions
    parser.py       parser states
    calculations.py hashes and checksums
    tables.py       keys, lookups, action dispatch, definitions
    controls.py     ingress and egress
    digests.py      what packets tell the controller
    packet_struct.py what is kept of a packet
    features.py     what a program asks of the traffic manager
    pipeline.py     what happens before, between and after the controls
    generate.py     puts the file together
"""

from p4embed.switch.codegen.generate import generate
from p4embed.switch.codegen.values import Unsupported

__all__ = ["Unsupported", "generate"]
