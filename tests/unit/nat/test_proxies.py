"""Proxy ARP and proxy ND: whom we answer for, and whom not."""

from controller_machines.world import World, configuration, udp
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether

from controller.config.nat import Nat, Proxy
from controller.reasons import Drop

from .pools import block

NAT = Nat(
    proxies=(
        Proxy("ge-1/0/0.0", block("10.0.2.80", "10.0.2.95")),
        Proxy("ge-1/0/0.0", block("2001:db8:2::80", "2001:db8:2::8f")),
    )
)


def ask(world: World, address: str, source: str = "") -> list[object]:
    """ARP for an address; what comes back."""
    before = len(world.b.received)
    request = ARP(op=1, hwsrc=world.b.mac, psrc=source or world.b.ip, pdst=address)
    frame = Ether(src=world.b.mac, dst="ff:ff:ff:ff:ff:ff") / request
    world.sim.send(world.b.interface.port, bytes(frame))
    world.sim.run()
    return world.b.received[before:]


def test_arp_for_proxied_addresses_is_answered_on_that_interface() -> None:
    world = World(configuration(nat=NAT))
    (reply,) = ask(world, "10.0.2.80")
    assert (reply.psrc, reply.hwsrc) == ("10.0.2.80", world.b.interface.mac.hex(":"))  # type: ignore[attr-defined]
    assert len(ask(world, "10.0.2.95")) == 1
    assert ask(world, "10.0.2.96") == []
    assert world.reasons() == [Drop.NOT_FOR_US]


def test_who_announces_a_proxied_address_is_not_answered_nor_believed() -> None:
    world = World(configuration(nat=NAT))
    assert ask(world, "10.0.2.80", "10.0.2.80") == []
    assert all(view.address != bytes((10, 0, 2, 80)) for view in world.sim.neighbors.snapshot(0))


def test_nobody_is_asked_for_a_proxied_address() -> None:
    world = World(configuration(nat=NAT))
    world.send(world.a, udp(world.a, "10.0.2.80"))
    world.sim.run()
    assert world.reasons() == [Drop.NO_NEIGHBOR]
    assert not any(Ether(sent.frame).haslayer(ARP) and Ether(sent.frame)[ARP].pdst == "10.0.2.80"
                   for sent in world.sim.sent)  # fmt: skip


def test_neighbour_solicitations_are_answered_without_override() -> None:
    world = World(configuration(nat=NAT))
    question = IPv6(src=world.b.ip6, dst="ff02::1:ff00:80", hlim=255)
    question /= ICMPv6ND_NS(tgt="2001:db8:2::80")
    # The asker is known: it has spoken to the interface's own address before.
    own = IPv6(src=world.b.ip6, dst="ff02::1:ff00:1", hlim=255)
    own /= ICMPv6ND_NS(tgt="2001:db8:2::1") / bytes((1, 1)) / bytes.fromhex("02000000000b")
    for packet in (own, question):
        world.sim.send(world.b.interface.port, world.b.frame(packet, dst_mac="33:33:ff:00:00:80"))
        world.sim.run()
    first, second = (Ether(sent.frame)["ICMPv6ND_NA"] for sent in world.sim.sent)
    assert (first.tgt, first.O, first.S) == ("2001:db8:2::1", 1, 1)
    assert (second.tgt, second.O, second.S) == ("2001:db8:2::80", 0, 1)
