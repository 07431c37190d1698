"""The part of the configuration that is about TCP connections: its grammar, and its values."""

from __future__ import annotations

from controller.config.problems import Problems
from controller.config.tcp import TCP_SETTINGS, TcpOptions, TcpSettings
from controller.config.tree import Statement, container, flag, leaf, refused
from controller.config.values import number, one_of

_SECOND = 1_000_000_000
TIME_WAIT_DEFAULT = 150
"""Seconds, if ``time-wait-state`` says something but not how long."""

WINDOWS = {"64K": 1 << 16, "128K": 1 << 17, "256K": 1 << 18, "512K": 1 << 19, "1M": 1 << 20}
"""Values of ``maximum-window``, in bytes."""

_MSS = number(64, 65535, "number of bytes")

_NO_TUNNEL = "no tunnel ends at this firewall: remove the line"
_NO_TUNNEL_MSS = f"{_NO_TUNNEL}, or say: set security flow tcp-mss all-tcp mss N"

FLOW_TCP = (
    container(
        "tcp-session",
        flag("no-syn-check"),
        flag("strict-syn-check"),
        flag("no-sequence-check"),
        flag("rst-sequence-check"),
        flag("rst-invalidate-session"),
        flag("fin-invalidate-session"),
        leaf("tcp-initial-timeout", number(4, 300, "number of seconds")),
        leaf("maximum-window", one_of(*WINDOWS)),
        container(
            "time-wait-state",
            flag("session-ageout"),
            leaf("session-timeout", number(2, 600, "number of seconds")),
            flag("apply-to-half-close-state"),
        ),
        refused("no-syn-check-in-tunnel", _NO_TUNNEL),
        refused("aggressive-tcp-ack"),
    ),
    container(
        "tcp-mss",
        container("all-tcp", leaf("mss", _MSS)),
        *(refused(word, _NO_TUNNEL_MSS) for word in ("ipsec-vpn", "gre-in", "gre-out")),
    ),
)
"""What ``security flow`` says of TCP. No tunnel ends at this firewall, so what is about TCP in
tunnels has no meaning here and is refused."""

POLICY_TCP = container(
    "tcp-options",
    flag("syn-check-required"),
    flag("sequence-check-required"),
    leaf("initial-tcp-mss", _MSS),
    leaf("reverse-tcp-mss", _MSS),
    refused("window-scale"),
)
"""What a policy says below ``then permit``."""


def build_tcp(root: Statement, problems: Problems) -> TcpSettings:
    """What holds for every TCP session."""
    session = root.get("security", "flow", "tcp-session")
    mss = root.text("security", "flow", "tcp-mss", "all-tcp", "mss")
    if session is None:
        return TcpSettings(mss=None if mss is None else int(mss))
    strict = session.get("strict-syn-check")
    if strict is not None and session.has("no-syn-check"):
        text = "strict-syn-check and no-syn-check exclude each other; remove one of the two"
        problems.add(strict.place, text)
    initial = session.text("tcp-initial-timeout")
    window = session.text("maximum-window")
    return TcpSettings(
        syn_check=not session.has("no-syn-check"),
        strict_syn_check=strict is not None,
        sequence_check=not session.has("no-sequence-check"),
        rst_sequence_check=session.has("rst-sequence-check"),
        rst_invalidate=session.has("rst-invalidate-session"),
        fin_invalidate=session.has("fin-invalidate-session"),
        initial_timeout=(
            TCP_SETTINGS.initial_timeout if initial is None else int(initial) * _SECOND
        ),
        time_wait=_time_wait(session.get("time-wait-state"), problems),
        half_close=session.has("time-wait-state", "apply-to-half-close-state"),
        maximum_window=TCP_SETTINGS.maximum_window if window is None else WINDOWS[window],
        mss=None if mss is None else int(mss),
    )


def _time_wait(said: Statement | None, problems: Problems) -> int | None:
    if said is None:
        return TCP_SETTINGS.time_wait
    seconds = said.get("session-timeout")
    if said.has("session-ageout"):
        if seconds is not None:
            text = "time-wait-state says both session-timeout and session-ageout; keep one of them"
            problems.add(seconds.place, text)
        return None
    return _SECOND * (TIME_WAIT_DEFAULT if seconds is None else int(seconds.values[0].text))


def tcp_options(
    permit: Statement | None, policy: str, settings: TcpSettings, problems: Problems
) -> TcpOptions | None:
    """What a policy says of TCP; ``None``: nothing.

    As in the original, a policy can ask for a check only where it is off for all others.
    """
    said = None if permit is None else permit.get("tcp-options")
    if said is None:
        return None
    for word, everywhere in (
        ("syn-check", settings.syn_check),
        ("sequence-check", settings.sequence_check),
    ):
        wish = said.get(f"{word}-required")
        if wish is not None and everywhere:
            text = (
                f"{word}-required of policy {policy} means nothing as long as every session is "
                f"checked; add: set security flow tcp-session no-{word}"
            )
            problems.add(wish.place, text)
    initial, reverse = (
        None if value is None else int(value)
        for value in (said.text("initial-tcp-mss"), said.text("reverse-tcp-mss"))
    )
    return TcpOptions(
        said.has("syn-check-required"), said.has("sequence-check-required"), initial, reverse
    )
