"""The ends of an IKE dialogue, and what it arranges: ESP by raw sockets.

The kernel of a test machine rarely has IPsec. What the firewall sees of it is here: the messages as
far as they are in clear, and packets of the protocol both ways.

    python tunnel.py listen ADDRESS
    python tunnel.py call OWN PEER
"""

from __future__ import annotations

import socket
import struct
import sys

IKE, ESP = 500, 50
EXCHANGES = (34, 35)
"""IKE_SA_INIT, IKE_AUTH."""
SECONDS = 8.0


def message(exchange: int, is_answer: bool) -> bytes:
    flags = 0x20 if is_answer else 0x08
    return struct.pack("!QQBBBBII", 1, 2, 46, 0x20, exchange, flags, 1, 64) + bytes(36)


def raw(own: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, ESP)
    sock.bind((own, 0))
    sock.settimeout(SECONDS)
    return sock


def udp(own: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.bind((own, IKE))
    return sock


def heard(sock: socket.socket) -> tuple[bytes, str]:
    packet, (peer, _) = sock.recvfrom(2000)
    return packet[(packet[0] & 15) * 4 :], peer


def listen(own: str) -> None:
    tunnel, sock = raw(own), udp(own)
    print("serving", flush=True)
    for exchange in EXCHANGES:
        _, peer = sock.recvfrom(2000)
        sock.sendto(message(exchange, True), peer)
    data, end = heard(tunnel)
    print(f"tunnel: {data.decode()} from {end}", flush=True)
    tunnel.sendto(b"answer", (end, 0))


def call(own: str, peer: str) -> None:
    tunnel, sock = raw(own), udp(own)
    for exchange in EXCHANGES:
        sock.sendto(message(exchange, False), (peer, IKE))
        sock.recv(2000)
    tunnel.sendto(b"question", (peer, 0))
    data, source = heard(tunnel)
    print(f"tunnel: {data.decode()} from {source}", flush=True)


if __name__ == "__main__":
    {"listen": listen, "call": call}[sys.argv[1]](*sys.argv[2:])
