"""The software switch: runs BMv2 JSON programs, serves P4Runtime, forwards packets."""
