"""Ends of connections and flows that talk through a chassis and check what they hear."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller_machines.world import Host, World
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw


def network(src: str, dst: str) -> Packet:
    """The IP header from one address to another."""
    return IPv6(src=src, dst=dst) if ":" in src else IP(src=src, dst=dst)


def addresses(packet: Packet) -> tuple[str, str]:
    """Source and destination of a packet."""
    ip = packet[IPv6] if IPv6 in packet else packet[IP]
    return ip.src, ip.dst


def payload(packet: Packet) -> bytes:
    """What a segment carries; padding of the frame is not it."""
    carried = packet[TCP].payload if TCP in packet else packet[UDP].payload
    return bytes(carried.load) if isinstance(carried, Raw) else b""


@dataclass
class End:
    """One end of a TCP connection: it acknowledges what it hears, in order, and nothing else."""

    host: Host
    ip: str
    port: int
    peer_ip: str
    peer_port: int
    seq: int
    ack: int = 0
    heard: bytes = b""
    saw_fin: bool = False
    read: int = 0
    """How much of the host's inbox was looked at."""
    acked: int = 0
    """The highest acknowledgement of the peer."""
    options: list[tuple[str, object]] = field(default_factory=list)

    def segment(self, flags: str, data: bytes = b"", seq: int | None = None) -> Packet:
        tcp = TCP(
            sport=self.port,
            dport=self.peer_port,
            flags=flags,
            seq=(self.seq if seq is None else seq) % 2**32,
            ack=self.ack % 2**32,
            options=self.options if "S" in flags else [],
        )
        packet = network(self.ip, self.peer_ip) / tcp
        return packet / data if data else packet

    def listen(self) -> list[Packet]:
        """Take new segments of this connection from the host's inbox."""
        news = []
        for packet in self.host.received[self.read :]:
            if TCP in packet and packet[TCP].dport == self.port:
                news.append(packet)
        self.read = len(self.host.received)
        for packet in news:
            tcp, data = packet[TCP], payload(packet)
            if "A" in tcp.flags:
                self.acked = tcp.ack
            if "S" in tcp.flags:
                self.ack = tcp.seq + 1
                continue
            assert checksum_is_right(packet)
            offset = (self.ack - tcp.seq) % 2**32
            if offset <= len(data):
                self.heard += data[offset:]
                self.ack += len(data) - offset
                if "F" in tcp.flags and not self.saw_fin:
                    self.ack += 1
                    self.saw_fin = True
        return news


def checksum_is_right(packet: Packet) -> bool:
    """Whether IP and transport checksums are what scapy computes."""
    plain = packet.copy()
    layer = TCP if TCP in plain else UDP
    given = plain[layer].chksum
    del plain[layer].chksum
    if IP in plain:
        given_ip = plain[IP].chksum
        del plain[IP].chksum
        plain = type(plain)(bytes(plain))
        return bool(given == plain[layer].chksum and given_ip == plain[IP].chksum)
    plain = type(plain)(bytes(plain))
    return bool(given == plain[layer].chksum)


class Connection:
    """A TCP connection that a client opens to a server; ``server`` is an ``End`` once it stands."""

    def __init__(
        self,
        world: World,
        client: Host,
        server: Host,
        port: int = 21,
        *,
        sport: int = 40_000,
        six: bool = False,
        listens_at: tuple[str, int] | None = None,
        options: tuple[tuple[str, object], ...] = (),
    ) -> None:
        self.world = world
        to = listens_at or (server.ip6 if six else server.ip, port)
        ip = client.ip6 if six else client.ip
        self.client = End(client, ip, sport, *to, 1000, options=list(options))
        self.client.read = len(client.received)
        syn = world.pass_(client, self.client.segment("S"), server)
        self.syn = syn
        src, dst = addresses(syn)
        self.server = End(server, dst, syn[TCP].dport, src, syn[TCP].sport, 2**32 - 20)
        self.server.options = list(options)
        self.server.ack = syn[TCP].seq + 1
        self.server.read = len(server.received)
        self.client.seq += 1
        world.pass_(server, self.server.segment("SA"), client)
        self.server.seq += 1
        self.client.listen()
        world.pass_(client, self.client.segment("A"), server)
        self.server.listen()

    def say(self, end: End, data: bytes, flags: str = "PA") -> bytes:
        """An end says something in one segment; what the other hears, and acknowledges."""
        other = self.client if end is self.server else self.server
        before = len(other.heard)
        self.world.send(end.host, end.segment(flags, data))
        end.seq += len(data) + ("F" in flags)
        self.world.sim.run()
        self.settle()
        return other.heard[before:]

    def settle(self) -> None:
        """Both ends acknowledge what they heard, until there is nothing new."""
        while True:
            told = False
            for end in (self.client, self.server):
                if any(payload(p) or "F" in p[TCP].flags for p in end.listen()):
                    self.world.send(end.host, end.segment("A"))
                    told = True
            self.world.sim.run()
            if not told:
                return

    def close(self) -> None:
        """Client first, then server."""
        self.say(self.client, b"", "FA")
        self.say(self.server, b"", "FA")
        self.world.send(self.client.host, self.client.segment("A"))
        self.world.sim.run()
