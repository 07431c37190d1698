"""``set`` lines about address books, applications and policies to a ``Configuration``."""

from ipaddress import ip_address, ip_network

import pytest

from controller.config.build import parse
from controller.config.problems import ConfigurationError
from controller.config.schema import (
    GLOBAL_ZONE,
    NEVER,
    SECOND,
    Action,
    AddressRange,
    Alg,
    Configuration,
    Rematch,
    Wildcard,
)

BASE = """\
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/1 unit 0 family inet address 10.2.2.1/24
set security zones security-zone a interfaces ge-1/0/0.0
set security zones security-zone b interfaces ge-1/0/1.0
"""
P = "set security policies from-zone a to-zone b policy p "
G = "set security policies global policy g "
ANY = "match source-address any\n{0}match destination-address any\n{0}match application any\n"


def build(text: str) -> Configuration:
    return parse(BASE + text)


def error(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        build(text)
    return str(caught.value)


def rule(prefix: str, match: dict[str, str], then: str = "permit") -> str:
    words = {"source-address": "any", "destination-address": "any", "application": "any"} | match
    lines = [f"{prefix}match {word} {value}".rstrip() for word, value in words.items()]
    return "\n".join([*lines, f"{prefix}then {then}\n"])


def test_address_books_have_prefixes_ranges_wildcards_and_sets() -> None:
    config = build(
        "set security address-book global address one 10.0.0.0/24\n"
        "set security address-book global address few range-address 10.0.1.5 to 10.0.1.9\n"
        "set security address-book global address odd wildcard-address 10.0.0.1/255.0.0.255\n"
        "set security address-book global address-set inner address [ few odd ]\n"
        "set security address-book global address-set all address one\n"
        "set security address-book global address-set all address-set inner\n"
        + rule(P, {"source-address": "all"})
    )
    (policy,) = config.policies
    few = AddressRange(ip_address("10.0.1.5"), ip_address("10.0.1.9"))
    assert policy.sources == (ip_network("10.0.0.0/24"), few, Wildcard(0x0A000001, 0xFF0000FF))
    assert [(name.name, name.book) for name in policy.source_names] == [("all", "global")]


def test_the_book_of_a_zone_comes_before_the_global_one() -> None:
    config = build(
        "set security address-book global address host 10.9.9.9/32\n"
        "set security address-book inside address host 10.1.1.10/32\n"
        "set security address-book inside attach zone a\n"
        "set security zones security-zone b address-book address host 10.2.2.10/32\n"
        + rule(P, {"source-address": "host", "destination-address": "host"})
        + rule(G, {"source-address": "host"})
    )
    policy, everywhere = config.policies
    assert policy.sources == (ip_network("10.1.1.10/32"),)
    assert policy.destinations == (ip_network("10.2.2.10/32"),)
    assert everywhere.sources == (ip_network("10.9.9.9/32"),)


def test_applications_have_terms_types_time_outs_and_algs() -> None:
    config = build(
        "set applications application game term t1 protocol udp destination-port 27000-27015\n"
        "set applications application game term t1 inactivity-timeout never\n"
        "set applications application game term t2 protocol tcp source-port 1024-65535\n"
        "set applications application game term t2 alg ftp\n"
        "set applications application probe icmp-type timestamp icmp-code 0\n"
        "set applications application my-ftp protocol tcp destination-port 2121\n"
        "set applications application my-ftp application-protocol ftp inactivity-timeout 90\n"
        "set applications application-set most application [ game probe ]\n"
        "set applications application-set every application my-ftp application-set most\n".replace(
            " application-set most\n", "\nset applications application-set every "
            "application-set most\n"
        )
        + rule(P, {"application": "every"})
    )  # fmt: skip
    ftp, udp, tcp, probe = config.policies[0].applications
    assert (ftp.alg, ftp.inactivity_timeout) == (Alg.FTP, 90 * SECOND)
    assert (udp.name, udp.protocol, udp.inactivity_timeout) == ("game", 17, NEVER)
    assert (tcp.name, tcp.alg, tcp.source_ports) == ("game", Alg.FTP, range(1024, 65536))
    assert (probe.protocol, probe.destination_ports) == (1, range(13 << 8, (13 << 8) + 1))


def test_predefined_applications_may_have_terms_and_sets() -> None:
    config = build(rule(P, {"application": "[ junos-sip junos-cifs ]"}))
    assert [(app.name, app.protocol) for app in config.policies[0].applications] == [
        ("junos-sip", 17),
        ("junos-sip", 6),
        ("junos-netbios-session", 6),
        ("junos-smb-session", 6),
    ]


def test_policies_are_global_excluded_counted_and_rejected() -> None:
    config = build(
        "set security address-book global address lan 10.1.0.0/16\n"
        + rule(G, {"source-address": "lan", "from-zone": "a", "source-address-excluded": ""})
        + rule(P, {}, "reject")
        + P + "then count\n"
        + "set security policies policy-rematch extensive\n"
        + "set security policies policy-stats system-wide enable\n"
    )  # fmt: skip
    policy, everywhere = config.policies
    assert (policy.action, policy.count, policy.index) == (Action.REJECT, True, 4)
    assert (everywhere.from_zone, everywhere.from_zones) == (GLOBAL_ZONE, ("a",))
    assert (everywhere.sources_excluded, everywhere.destinations_excluded) == (True, False)
    assert config.policy_rematch is Rematch.EXTENSIVE
    assert config.policy_stats


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set security address-book global address x dns-name example.com",
         "'dns-name' is known to Junos but not implemented here"),
        ("set security address-book global address x range-address 10.0.0.9 to 10.0.0.1",
         "the lower end first"),
        ("set security address-book global address x wildcard-address 10.0.0.1/0.0.0.255",
         "a mask starts with a 1 bit"),
        ("set security address-book mine address x 10.0.0.0/8",
         "address-book mine needs an 'attach zone'"),
        ("set security address-book mine attach zone c", "unknown zone 'c'"),
        ("set security address-book m attach zone a\nset security address-book n attach zone a",
         "zone a has the address-book m attached already"),
        (rule(P, {"source-address": "nobody"}), "unknown address 'nobody'"),
        (rule(P, {"source-address-excluded": ""}), "needs named addresses, not any"),
        (rule(P, {}) + P + "then reject",
         "policy p says both 'then permit' and 'then reject'"),
        (rule(P, {}, "permit services-offload") + P + "then permit no-services-offload",
         "says both services-offload and no-services-offload"),
        (rule(G, {"from-zone": "c"}), "unknown zone 'c'"),
        ("set applications application x protocol gre destination-port 5", "gre has no ports"),
        ("set applications application x protocol tcp icmp-type 8", "its protocol is tcp"),
        ("set applications application x icmp-code 1", "needs an icmp-type with it"),
        ("set applications application x protocol tcp\nset applications application x term t "
         "protocol udp", "has terms: say its protocol in one of them"),
        ("set applications application-set s application-set s", "contains itself"),
        ("set applications application junos-http protocol tcp", "is predefined"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    assert message in error(text)


def test_sets_are_judged_once_and_the_remedy_would_be_right() -> None:
    said = error(
        "set security address-book m attach zone a\n"
        "set security address-book m attach zone b\n"
        "set security address-book m address host 10.0.0.1/32\n"
        "set security address-book m address-set s address nobody\n"
        "set applications application-set t application nothing\n"
        + rule(P, {"source-address": "s", "application": "t"})
        + rule(G, {"application": "t"})
    )
    first, second = said.splitlines()
    assert first.endswith("unknown address 'nobody'; expected one of: host")
    assert "unknown application 'nothing'" in second
