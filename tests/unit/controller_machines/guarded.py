"""A client and a server on either side of SYN flood protection."""

from __future__ import annotations

from dataclasses import replace

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from controller.config.schema import Configuration, ScreenProfile, SynFloodMode
from controller.reasons import Drop

from .world import Host, World, configuration

MOD = 1 << 32
CLIENT_ISN, SERVER_ISN = 0xFFFFFFF0, 5000
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 9)]


def protected(
    plain: Configuration | None = None,
    mode: SynFloodMode = SynFloodMode.COOKIE,
    silent: int | None = None,
) -> Configuration:
    """A configuration whose zones trust and dmz answer SYNs above a threshold."""
    plain = plain or configuration()
    thresholds = {Drop.SCREEN_SYN_FLOOD_ATTACK: 100}
    if silent is not None:
        thresholds[Drop.SYN_ACK_ACK_PROXY] = silent
    zones = dict(plain.zones)
    for name in ("trust", "dmz"):
        zones[name] = replace(zones[name], screen="flood")
    screens = {"flood": ScreenProfile("flood", frozenset(thresholds), False, thresholds)}
    return replace(plain, zones=zones, screens=screens, syn_flood_mode=mode)


def attack(world: World, *hosts: Host, port: int = 80) -> None:
    """From now on more SYNs come to these than the threshold."""
    for npu in world.sim.npus.values():
        for host in hosts:
            npu.attacked |= {(IPv6(dst=a).build()[24:40], port) for a in host.addresses[1:]}
            npu.attacked |= {(IP(dst=host.ip).build()[16:20], port)}


class Talk:
    """A client's and a server's end, and what each received."""

    def __init__(
        self,
        world: World,
        client: Host,
        server: Host,
        *,
        sport: int = 1025,
        dport: int = 80,
        v6: bool = False,
        options: list[tuple[str, object]] | None = None,
        server_options: list[tuple[str, object]] | None = None,
    ) -> None:
        self.world, self.client, self.server = world, client, server
        self.ports = sport, dport
        self.v6 = v6
        self.options = OPTIONS if options is None else options
        self.server_options = (
            [("MSS", 1400), ("SAckOK", b""), ("NOP", None), ("WScale", 5)]
            if server_options is None
            else server_options
        )
        self.cookie = 0

    def _ip(self, src: Host, dst: Host) -> Packet:
        return IPv6(src=src.ip6, dst=dst.ip6) if self.v6 else IP(src=src.ip, dst=dst.ip)

    def up(self, flags: str, seq: int, ack: int = 0, data: bytes = b"", **fields: object) -> None:
        """The client sends a segment."""
        tcp = TCP(
            sport=self.ports[0], dport=self.ports[1], flags=flags, seq=seq % MOD, ack=ack % MOD,
            **fields,
        )  # fmt: skip
        self.world.send(self.client, self._ip(self.client, self.server) / tcp / data)
        self.world.sim.run()

    def down(self, flags: str, seq: int, ack: int = 0, data: bytes = b"", **fields: object) -> None:
        """The server sends a segment, to whom the client looks like to it."""
        seen = self.at_server()
        ip = (
            IPv6(src=seen[IPv6].dst, dst=seen[IPv6].src)
            if self.v6
            else IP(src=seen[IP].dst, dst=seen[IP].src)
        )
        tcp = TCP(
            sport=seen[TCP].dport, dport=seen[TCP].sport, flags=flags, seq=seq % MOD,
            ack=ack % MOD, **fields,
        )  # fmt: skip
        self.world.send(self.server, ip / tcp / data)
        self.world.sim.run()

    def at_client(self) -> Packet:
        return checked(self.client.received[-1])

    def at_server(self) -> Packet:
        return checked(self.server.received[-1])

    def syn(self) -> Packet:
        """The client's SYN; what it is answered with."""
        self.up("S", CLIENT_ISN, options=self.options, window=64240)
        answer = self.at_client()
        self.cookie = answer[TCP].seq
        return answer

    def prove(self, **fields: object) -> Packet:
        """The client's acknowledgement; what the server gets."""
        self.up("A", CLIENT_ISN + 1, self.cookie + 1, window=502, **fields)
        return self.at_server()

    def answer(self) -> None:
        """The server's SYN-ACK."""
        self.down("SA", SERVER_ISN, CLIENT_ISN + 1, options=self.server_options, window=65160)

    def connect(self) -> None:
        self.syn()
        self.prove()
        self.answer()


def checked(packet: Packet) -> Packet:
    """A packet, all of whose checksums are right."""
    again = Ether(bytes(packet))
    for layer in (IP, TCP):
        if layer in again:
            del again[layer].chksum
    again = Ether(bytes(again))
    for layer in (IP, TCP):
        if layer in again:
            assert again[layer].chksum == packet[layer].chksum, packet.show(dump=True)
    return packet
