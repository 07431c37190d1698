"""What a configuration says about TCP connections, and what it must not say."""

from __future__ import annotations

import pytest

from controller.config.build import parse
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, Configuration
from controller.config.tcp import TCP_SETTINGS, TcpOptions, TcpSettings

ZONES = """\
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-2/0/0 unit 0 family inet address 10.2.2.1/24
set security zones security-zone a interfaces ge-1/0/0.0
set security zones security-zone b interfaces ge-2/0/0.0
"""
POLICY = "set security policies from-zone a to-zone b policy p "
PERMIT = f"""\
{POLICY}match source-address any
{POLICY}match destination-address any
{POLICY}match application any
{POLICY}then permit
"""
OPTIONS = f"{POLICY}then permit tcp-options "
SESSION = "set security flow tcp-session "


def read(*lines: str) -> Configuration:
    return parse(ZONES + PERMIT + "".join(f"{line}\n" for line in lines))


def test_without_a_word_the_defaults_hold() -> None:
    configuration = read()
    assert configuration.tcp == TCP_SETTINGS
    assert (TCP_SETTINGS.syn_check, TCP_SETTINGS.sequence_check) == (True, True)
    assert TCP_SETTINGS.initial_timeout == 20 * SECOND
    assert configuration.policies[0].tcp is None
    assert not configuration.zones["a"].tcp_rst


def test_every_word_has_its_value() -> None:
    words = (
        "no-syn-check",
        "no-sequence-check",
        "rst-sequence-check",
        "rst-invalidate-session",
        "fin-invalidate-session",
        "tcp-initial-timeout 300",
        "maximum-window 128K",
        "time-wait-state session-timeout 2",
        "time-wait-state apply-to-half-close-state",
    )
    configuration = read(
        *(SESSION + word for word in words),
        "set security flow tcp-mss all-tcp mss 1350",
        "set security zones security-zone b tcp-rst",
        *(OPTIONS + word for word in ("syn-check-required", "sequence-check-required")),
        *(OPTIONS + word for word in ("initial-tcp-mss 64", "reverse-tcp-mss 65535")),
    )
    assert configuration.tcp == TcpSettings(
        syn_check=False,
        sequence_check=False,
        rst_sequence_check=True,
        rst_invalidate=True,
        fin_invalidate=True,
        initial_timeout=300 * SECOND,
        time_wait=2 * SECOND,
        half_close=True,
        maximum_window=128 * 1024,
        mss=1350,
    )
    assert configuration.policies[0].tcp == TcpOptions(True, True, 64, 65535)
    assert [zone.tcp_rst for zone in configuration.zones.values()] == [False, True]
    assert read(SESSION + "strict-syn-check").tcp.strict_syn_check
    assert read("set security flow tcp-mss all-tcp mss 900").tcp.mss == 900


@pytest.mark.parametrize(
    ("word", "seconds", "half_close"),
    [
        ("session-timeout 30", 30, False),
        ("apply-to-half-close-state", 150, True),
        ("session-ageout", None, False),
    ],
)
def test_time_wait_state(word: str, seconds: int | None, half_close: bool) -> None:
    tcp = read(f"{SESSION}time-wait-state {word}").tcp
    assert tcp.time_wait == (None if seconds is None else seconds * SECOND)
    assert tcp.half_close == half_close


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (("strict-syn-check", "no-syn-check"), "exclude each other"),
        (("time-wait-state session-ageout", "time-wait-state session-timeout 9"), "keep one"),
        (("tcp-initial-timeout 3",), "from 4 to 300"),
        (("time-wait-state session-timeout 601",), "from 2 to 600"),
        (("maximum-window 3M",), "unknown word '3M'"),
        (("no-syn-check-in-tunnel",), "known to Junos but not implemented"),
        (("aggressive-tcp-ack",), "known to Junos but not implemented"),
    ],
)
def test_what_contradicts_or_has_no_effect_is_refused(lines: tuple[str, ...], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        read(*(SESSION + line for line in lines))


@pytest.mark.parametrize("word", ["syn-check", "sequence-check"])
def test_a_policy_asks_for_a_check_only_where_others_have_none(word: str) -> None:
    with pytest.raises(ConfigurationError, match=f"add: set security flow tcp-session no-{word}"):
        read(f"{OPTIONS}{word}-required")


@pytest.mark.parametrize("word", ["ipsec-vpn", "gre-in", "gre-out"])
def test_mss_in_tunnels_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{word}' is known to Junos but not"):
        read(f"set security flow tcp-mss {word} mss 1300")
