"""What ``security flow`` has in force for sessions: a part of ``show security flow status``."""

from __future__ import annotations

from controller.config.schema import SECOND, Configuration
from controller.config.tcp import TcpSettings
from controller.flow import Nanoseconds


def settings(configuration: Configuration) -> list[str]:
    """Lines, those of TCP first."""
    depth = configuration.queue_depth
    gone = configuration.route_change_timeout
    return [
        "  Flow TCP session",
        *_tcp(configuration.tcp),
        "  Flow session",
        f"    Pending session queue length: {depth.value}, {depth.packets} packets",
        f"    Route change timeout: {'off' if gone is None else _seconds(gone)}",
        f"    DNS answers that nobody asked for: "
        f"{'let in' if configuration.allow_dns_reply else 'dropped'}",
        f"    Forced IP reassembly: {_on(configuration.force_reassembly)}",
        f"    SYN flood protection mode: {configuration.syn_flood_mode.value}",
    ]


def _tcp(tcp: TcpSettings) -> list[str]:
    waits = "as the service" if tcp.time_wait is None else _seconds(tcp.time_wait)
    closes = [
        word
        for word, invalidates in (("RST", tcp.rst_invalidate), ("FIN", tcp.fin_invalidate))
        if invalidates
    ]
    return [
        f"    SYN check: {_on(tcp.syn_check)}, strict: {_on(tcp.strict_syn_check)}",
        f"    Sequence check: {_on(tcp.sequence_check)}, of RSTs: {_on(tcp.rst_sequence_check)}",
        f"    Invalidate session on: {', '.join(closes) or 'none'}",
        f"    Initial timeout: {_seconds(tcp.initial_timeout)}, time-wait: {waits}, "
        f"for half-closed: {_on(tcp.half_close)}",
        f"    MSS of all TCP: {'off' if tcp.mss is None else tcp.mss}",
    ]


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"


def _seconds(time: Nanoseconds) -> str:
    return f"{time // SECOND} s"
