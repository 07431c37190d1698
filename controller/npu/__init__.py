"""The P4Runtime client of one NPU.

``client`` is what others see. ``channel`` speaks gRPC, ``connection`` P4Runtime: arbitration,
stream, Write, Read. ``contract`` says what a program must have, ``pipeline`` finds it in a P4Info.
``program`` (with ``program_screens``) says what a configuration puts into tables and meters,
``tables`` how that is written, and ``configured`` keeps an NPU at it. ``wings`` writes, reads and
removes sessions' entries, made of bytes by ``entries`` and ``wire`` and read by ``readings``;
``purge`` removes those of an SPU that failed. ``packets`` has what goes in and out, ``counters``
what was counted, ``limits`` who may have no more sessions. ``batcher`` and ``turn`` share
RPCs; ``quirks`` are the targets'.
"""
