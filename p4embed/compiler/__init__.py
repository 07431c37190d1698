"""The P4_16 compiler for target bmv2, architecture v1model: one pass, one module."""
