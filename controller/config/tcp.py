"""What a configuration says about TCP connections, as values (``security flow tcp-session``,
``security flow tcp-mss`` and ``tcp-options`` of a policy).

Names, defaults and ranges: Juniper's published YANG models (junos-es) and CLI reference.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.flow import Nanoseconds

_SECOND: Nanoseconds = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """``then permit tcp-options``: what a policy wants for its own sessions."""

    syn_check: bool = False
    """``syn-check-required``, where the rest of the firewall says ``no-syn-check``."""
    sequence_check: bool = False
    """``sequence-check-required``, where the rest says ``no-sequence-check``."""
    initial_mss: int | None = None
    """The most that a SYN of the client may announce, in bytes; before ``TcpSettings.mss``."""
    reverse_mss: int | None = None
    """Likewise of the server."""


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """What holds for every TCP session."""

    syn_check: bool = True
    """A session begins with a SYN. Off: with any segment but a RST (``no-syn-check``)."""
    strict_syn_check: bool = False
    """No data before the handshake is complete."""
    sequence_check: bool = True
    """Sequence and acknowledgement numbers are within the windows (off: ``no-sequence-check``)."""
    rst_sequence_check: bool = False
    """A RST has the number of the segment before it, or of the next one."""
    rst_invalidate: bool = False
    """A RST ends its session at once, not after ``spu.tcp_path.AFTER_RST``."""
    fin_invalidate: bool = False
    """The first FIN ends its session at once."""
    initial_timeout: Nanoseconds = 20 * _SECOND
    """How long a connection that is not established may be silent."""
    time_wait: Nanoseconds | None = 2 * _SECOND
    """From the last FIN of a connection that both sides closed to the end of its session;
    ``None``: its service's time-out (``time-wait-state session-ageout``)."""
    half_close: bool = False
    """Whether a connection that one side closed may be silent for ``time_wait`` only."""
    maximum_window: int = 1 << 18
    """The largest window that passes a gateway, which acknowledges in the receiver's name, in
    bytes."""
    mss: int | None = None
    """``tcp-mss all-tcp``: the most that a SYN may announce, in bytes."""


TCP_SETTINGS = TcpSettings()
"""What holds unless something else is configured."""
