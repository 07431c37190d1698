"""IPv6 prefix translation: the examples of RFC 6296, its properties, and a session through it."""

from ipaddress import ip_address, ip_network

from controller_machines.world import World, answer, configuration, policy
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6

from controller.config.nat import Nat
from controller.packet import checksum
from controller.spu.nptv6 import exchange

from .pools import block, both_ways

INSIDE, OUTSIDE = block("fd01:203:405::/48"), block("2001:db8:1::/48")


def text(address: bytes | None) -> str:
    assert address is not None
    return str(ip_address(address))


def test_the_example_of_the_rfc() -> None:
    inside, outside = "fd01:203:405:1::1234", "2001:db8:1:d550::1234"  # RFC 6296, appendix B
    assert text(exchange(ip_address(inside).packed, INSIDE, OUTSIDE)) == outside
    assert text(exchange(ip_address(outside).packed, OUTSIDE, INSIDE)) == inside


@given(st.sampled_from([(48, "fd01:203:405::/48", "2001:db8:1::/48"),
                        (64, "fd01:203:405:7::/64", "2001:db8:1:9::/64")]),
       st.integers(0, (1 << 80) - 1))  # fmt: skip
def test_there_and_back_with_the_same_checksum(prefix: tuple[int, str, str], rest: int) -> None:
    length, inside, outside = prefix
    low, high = block(inside), block(outside)
    rest &= (1 << 128 - length) - 1
    words = [rest >> shift & 0xFFFF for shift in range(0, 128 - length, 16)]
    if 0xFFFF in words:
        return  # 0xffff and 0 are one in ones' complement
    address = low.at(rest)
    there = exchange(address, low, high)
    assert there is not None
    assert there in high
    assert checksum(there) == checksum(address)
    assert exchange(there, high, low) == address


def test_an_address_that_cannot_be_translated_is_left_alone() -> None:
    low, high = block("fd01:203:405:7::/64"), block("2001:db8:1:9::/64")
    address = low.at((1 << 64) - 1)
    assert exchange(address, low, high) is None
    subnet = INSIDE.at(0xFFFF << 64 | 1)
    assert exchange(subnet, INSIDE, OUTSIDE) is None


def test_a_session_through_it() -> None:
    rules = (policy("in", 1, "untrust", "dmz"), policy("out", 2, "dmz", "untrust"))
    rule = both_ways("2001:db8:f::/48", "2001:db8:3::/48", is_prefix=True)
    world = World(configuration(nat=Nat(static=(rule,)), policies=rules))
    request = IPv6(src=world.c.ip6, dst=world.b.ip6) / UDP(sport=7, dport=8) / b"data"
    there = world.pass_(world.c, request, world.b)
    assert ip_address(there[IPv6].src) in ip_network("2001:db8:f::/48")
    assert there[UDP].chksum == IPv6(bytes(request[IPv6]))[UDP].chksum, "the checksum stays"
    back = world.pass_(world.b, answer(there), world.c)
    assert back[IPv6].dst == world.c.ip6
