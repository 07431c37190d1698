"""Lines that would have another effect than they seem to, or none: refused with their place."""

import pytest

from controller.config.build import parse
from controller.config.problems import ConfigurationError

from .test_policy_configuration import BASE

UNIT = "set interfaces ge-1/0/5 unit 0 family "
BOOK = "set security address-book global "
SERVICES = "set security zones security-zone a host-inbound-traffic system-services "


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            "set interfaces ge-01/0/0 unit 0 family inet address 10.9.1.1/24",
            "'ge-01/0/0' is no interface name such as ge-1/0/0",
        ),
        ("set interfaces ge-1/0/00 unit 0", "'ge-1/0/00' is no interface name"),
        (UNIT + "inet address 10.9.1.1/0.0.0.255", "'0.0.0.255' is no prefix length"),
        (UNIT + "inet address 224.1.1.1/24", "no interface's"),
        (UNIT + "inet address 127.0.0.1/8", "no interface's"),
        (UNIT + "inet6 address ff02::1/64", "no interface's"),
        (UNIT + "inet6 address ::1/128", "no interface's"),
        (UNIT + "inet6 address fe80::1%eth0/64", "no '%' in it"),
        (BOOK + "address A 10.0.0.0/0.0.255.255", "'0.0.255.255' is no prefix length"),
        (BOOK + "address A 2001:db8::1%1/128", "no '%' in it"),
        (BOOK + "address A range-address fe80::1%1 to fe80::2", "no '%' in it"),
        (BOOK + "address any 10.1.1.1/32", "any is the name of all addresses already"),
        (
            f"{BOOK}address A 10.1.1.1/32\n{BOOK}address-set any-ipv4 address A",
            "any-ipv4 is the name of all addresses already",
        ),
        (
            "set security zones security-zone b address-book address any-ipv6 10.1.1.1/32",
            "any-ipv6 is the name of all addresses already",
        ),
        (
            "set applications application-set any application junos-http",
            "application-set any is predefined",
        ),
        ("set security zones security-zone any", "'any' is no name of a security zone"),
        ("set security zones security-zone junos-global", "'junos-global' is no name of"),
        ("set security zones security-zone junos-host", "'junos-host' is no name of"),
        (f"{SERVICES}any-service\n{SERVICES}ssh except", "except holds beside 'all' alone"),
        (
            f"{SERVICES}all\n{SERVICES}any-service\n{SERVICES}ssh except",
            "except holds beside 'all' alone",
        ),
        (f"{SERVICES}ssh except", "except holds beside 'all' alone"),
        (f"{SERVICES}all except", "except holds beside 'all' alone"),
        (
            "set security zones security-zone a interfaces ge-1/0/0.0 host-inbound-traffic "
            "system-services ssh except",
            "except holds beside 'all' alone",
        ),
    ],
)
def test_it_is_refused(lines: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(BASE + lines + "\n")
    (problem,) = caught.value.problems
    assert says in problem.text
    assert problem.place.line == len((BASE + lines).splitlines())


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    assert parse("\ufeff" + BASE).zones.keys() == {"a", "b"}
