"""Tests of configuration, P4Runtime client, runtime and operator commands."""
