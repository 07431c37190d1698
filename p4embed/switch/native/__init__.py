"""The native executor: generated C (``codegen/``) and the runtime that it runs in.

bytes.h, wide.h, hash.h   numbers in network order; wide numbers; the tables' keyed hash
table.c                   tables: exact, lpm, ternary, range
checksum.c                hash algorithms
engine.c                  a program's state, and the workplace of a thread
control.c                 what Python calls: writes, reads, counters, one packet
port.c, inbox.c           interfaces: opening and sending; receiving
ring.c, xsk.c             the memory shared with the kernel that frames come and go by
pcap.c                    recording what passes interfaces
mailbox.c                 frames for the controller
dataplane.c               the thread that forwards
pipeline.h                what generated code includes
build.py, binding.py      compile and cache; ctypes
engine.py, dataplane.py   ``NativeEngine``, ``NativeDataplane``
"""

from p4embed.switch.native.build import NativeError
from p4embed.switch.native.dataplane import NativeDataplane
from p4embed.switch.native.engine import NativeEngine

__all__ = ["NativeDataplane", "NativeEngine", "NativeError"]
