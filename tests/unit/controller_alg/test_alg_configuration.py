"""``security alg``, ``application-protocol`` and ``flow allow-dns-reply``: meant, or refused."""

from __future__ import annotations

import pytest

from controller.config.build import parse
from controller.config.problems import ConfigurationError
from controller.config.schema import DEFAULT_ALGS, Alg


def test_gateways_are_on_unless_switched_off_and_ike_the_other_way_round() -> None:
    assert parse("").algs == DEFAULT_ALGS
    config = parse(
        "set security alg ftp disable\n"
        "set security alg ike-esp-nat enable\n"
        "set security flow allow-dns-reply\n"
    )
    assert config.algs == DEFAULT_ALGS - {Alg.FTP} | {Alg.IKE_ESP}
    assert config.allow_dns_reply
    assert not parse("").allow_dns_reply


def test_application_names_its_gateway() -> None:
    config = parse(
        "set applications application ours protocol tcp\n"
        "set applications application ours destination-port 2121\n"
        "set applications application ours application-protocol ftp\n"
        "set applications application raw protocol tcp\n"
        "set applications application raw destination-port 21\n"
        "set applications application raw application-protocol ignore\n"
    )
    assert config.applications["ours"].alg is Alg.FTP
    assert config.applications["raw"].alg is Alg.IGNORE


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("set security alg mgcp disable", "'mgcp' is known to Junos but not implemented"),
        ("set security alg sunrpc disable", "'sunrpc' is known to Junos but not implemented"),
        ("set security alg ftp ftps-extension", "'ftps-extension' is known to Junos"),
        ("set security alg ftp enable", "expected one of: disable"),
        ("set security alg frp disable", "ftp"),
        (
            "set applications application x application-protocol ms-rpc",
            "'ms-rpc' is known to Junos",
        ),
        (
            "set applications application x protocol udp\n"
            "set applications application x application-protocol ftp",
            "application-protocol ftp needs protocol tcp",
        ),
    ],
)
def test_what_has_no_effect_is_refused_by_name(line: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse(line)
