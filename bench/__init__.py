"""Benchmarks: they measure and report, and assert nothing."""
