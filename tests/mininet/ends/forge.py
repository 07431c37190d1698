"""Segments that a stranger might throw into somebody else's connection.

Arguments: DEVICE PORT KIND...: listens for a segment of this host's connection from this port,
which tells the numbers that a stranger has to guess, and sends one frame of each kind:

- ``far-rst``, ``far-data``, ``far-fin``: a quarter of the number space away;
- ``near-rst``: in the window, and one beyond the number that is next.
"""

from __future__ import annotations

import socket
import sys

from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.sendrecv import sendp

FAR = 1 << 30


def overhear(device: str, port: int) -> Packet:
    """The next segment with data from this port, as it leaves this host."""
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    listener.settimeout(5)
    listener.bind((device, 0))
    while True:
        frame = Ether(listener.recv(65536))
        if TCP in frame and frame[TCP].sport == port and size(frame):
            return frame


def size(frame: Packet) -> int:
    """Bytes that a segment carries."""
    return int(frame[IP].len - frame[IP].ihl * 4 - frame[TCP].dataofs * 4)


def forged(like: Packet, kind: str) -> Packet:
    """A segment of the same connection."""
    distance, _, what = kind.partition("-")
    tcp = like[TCP]
    seq = tcp.seq + size(like) + (FAR if distance == "far" else 1)
    flags = {"rst": "R", "data": "PA", "fin": "FA"}[what]
    segment = TCP(sport=tcp.sport, dport=tcp.dport, seq=seq % 2**32, ack=tcp.ack, flags=flags)
    ip = IP(src=like[IP].src, dst=like[IP].dst)
    packet = Ether(src=like.src, dst=like.dst) / ip / segment
    return packet / b"forged\n" if what == "data" else packet


def main() -> None:
    """Send them."""
    device, port, *kinds = sys.argv[1:]
    conf.verb = 0
    like = overhear(device, int(port))
    sendp([forged(like, kind) for kind in kinds], iface=device)
    print("sent", len(kinds))


if __name__ == "__main__":
    main()
