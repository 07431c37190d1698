"""The pocket P4 toolchain: a P4_16/v1model compiler and a BMv2-compatible switch.

``compiler`` turns P4_16 source into BMv2 JSON and P4Info; ``switch`` loads BMv2 JSON, serves
P4Runtime and forwards packets. They meet at those files only: neither imports the other.
"""
