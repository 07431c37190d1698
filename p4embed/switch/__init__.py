"""The software switch: runs BMv2 JSON programs, serves P4Runtime, forwards packets.

program, load*        the program, and loading it from BMv2 JSON, completely checked
engine                the seam: a program's state and packets through it
reference             the readable executor, and its parts, each beside a part of the
                      specification: traffic, packet, parsing, primitives, expressions, checksum,
                      matching, state
trace                 what happened to a packet, step by step
native/, codegen/     the fast executor: generated C and a small runtime
dataplane             the seam between engines, interfaces and the server
ports, interface, pcap    the reference data plane
files                     a data plane between pcap files
p4runtime/            the P4Runtime server
options, process, cli the command line

As a library, without root, interfaces or server:

    from p4embed.switch import ReferenceEngine, load_file

    engine = ReferenceEngine(load_file("npu.json"))
    engine.trace = print
    sent = engine.process(port=1, frame=frame, now_ns=0)
"""

from p4embed.switch.engine import Engine, Entry, EntryKey, Op, Sent, Status, Update
from p4embed.switch.load import LoadError, load_bytes, load_file
from p4embed.switch.program import Program
from p4embed.switch.reference import ReferenceEngine

__all__ = [
    "Engine",
    "Entry",
    "EntryKey",
    "LoadError",
    "Op",
    "Program",
    "ReferenceEngine",
    "Sent",
    "Status",
    "Update",
    "load_bytes",
    "load_file",
]
