"""The two-rate three-color marker.

Source: RFC 2698, color-blind mode; behavioral-model's meters count time in whole microseconds.
"""

from __future__ import annotations

from p4embed.switch.engine import MeterConfig

GREEN, YELLOW, RED = 0, 1, 2

_SECOND = 10**6
"""Microseconds."""


class _Bucket:
    def __init__(self, rate: int, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._earned = 0
        """Since the bucket was made, whether they fitted or not: rounding never adds up."""

    def fill(self, elapsed_us: int) -> None:
        earned = elapsed_us * self._rate // _SECOND
        if earned > self._earned:
            self._tokens = min(self._tokens + earned - self._earned, self._burst)
            self._earned = earned

    def take(self, tokens: int) -> bool:
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True


class Meter:
    """A configured cell."""

    def __init__(self, config: MeterConfig, now_ns: int) -> None:
        self.config = config
        self._start_ns = now_ns
        self._committed = _Bucket(config.cir, config.cburst)
        self._peak = _Bucket(config.pir, config.pburst)

    def color(self, tokens: int, now_ns: int) -> int:
        """The color of a packet that needs so many tokens."""
        elapsed_us = max(now_ns - self._start_ns, 0) // 1000
        self._committed.fill(elapsed_us)
        self._peak.fill(elapsed_us)
        if not self._peak.take(tokens):
            return RED
        return GREEN if self._committed.take(tokens) else YELLOW
