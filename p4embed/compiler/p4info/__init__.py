"""From the checked program to P4Info (P4Runtime specification, "The P4Info Message").

message      the message as a whole; `build`
objects      which objects a program has, and which are used
ids          ids as p4c gives them
annotations  names, ids, documentation, translations
types        types and the widths of values
externs      counters, meters, registers, profiles, digests
packets      controller headers, value sets
files        text, JSON, binary

`message`, `types` and `files` import the protobuf messages, which takes long: they are
imported where they are needed, and not here.
"""
