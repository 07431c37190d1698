"""What an NPU does with a packet, predicted from docs/ARCHITECTURE.md and RFCs alone.

It shares no code with the P4 program and is written the other way round: it reads bytes where
they lie instead of parsing headers one by one, and computes a packet that leaves from the one
that came. Where both agree on random packets, a mistake would have to have been made twice.

``reading``   a frame's facts: what is in it, and where it breaks off
``screens``   which screens find a packet
``npu``       interfaces and wings in, outcome out

Blind spots: what keeps state (floods, sweeps, meters, fragments that follow their first) and
filters, class of service and trace have cases of their own only.
"""
