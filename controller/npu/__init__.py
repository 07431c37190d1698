"""The P4Runtime client of one NPU."""
