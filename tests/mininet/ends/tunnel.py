"""The ends of a PPTP or IKE dialogue, and what it arranges: GRE or ESP by raw sockets.

The kernel of a test machine rarely has PPP or IPsec. What the firewall sees of either is here:
the messages in clear, and packets of the protocol both ways.

    python tunnel.py pptp|ike listen ADDRESS
    python tunnel.py pptp|ike call OWN PEER
"""

from __future__ import annotations

import socket
import struct
import sys

PPTP, IKE, GRE, ESP = 1723, 500, 47, 50
COOKIE = 0x1A2B3C4D
SECONDS = 8.0


def pptp_message(kind: int, body: bytes) -> bytes:
    return struct.pack("!HHIHH", 12 + len(body), 1, COOKIE, kind, 0) + body


def ike_message(exchange: int, is_answer: bool) -> bytes:
    flags = 0x20 if is_answer else 0x08
    return struct.pack("!QQBBBBII", 1, 2, 46, 0x20, exchange, flags, 1, 64) + bytes(36)


def raw(protocol: int, own: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    sock.bind((own, 0))
    sock.settimeout(SECONDS)
    return sock


def heard(sock: socket.socket) -> tuple[bytes, str]:
    packet, (peer, _) = sock.recvfrom(2000)
    return packet[(packet[0] & 15) * 4 :], peer


def listen(kind: str, own: str) -> None:
    tunnel = raw(GRE if kind == "pptp" else ESP, own)
    if kind == "pptp":
        with socket.create_server((own, PPTP)) as listener:
            print("serving", flush=True)
            connection, _ = listener.accept()
        # Start-Control-Connection and Outgoing-Call, each answered with "fine".
        connection.settimeout(SECONDS)
        connection.recv(1000)
        connection.sendall(pptp_message(2, b"\1\0\1\0" + bytes(140)))
        connection.recv(1000)
        connection.sendall(pptp_message(8, b"\0\5\0\6\1\0" + bytes(14)))
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(SECONDS)
        sock.bind((own, IKE))
        print("serving", flush=True)
        for exchange in (34, 35):
            _, peer = sock.recvfrom(2000)
            sock.sendto(ike_message(exchange, True), peer)
    data, peer = heard(tunnel)
    print(f"tunnel: {data.decode()} from {peer}", flush=True)
    tunnel.sendto(b"answer", (peer, 0))


def call(kind: str, own: str, peer: str) -> None:
    tunnel = raw(GRE if kind == "pptp" else ESP, own)
    if kind == "pptp":
        connection = socket.create_connection((peer, PPTP), SECONDS, (own, 0))
        connection.sendall(pptp_message(1, b"\1\0\0\0" + bytes(140)))
        connection.recv(1000)
        connection.sendall(pptp_message(7, b"\0\6" + bytes(154)))
        connection.recv(1000)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(SECONDS)
        sock.bind((own, IKE))
        for exchange in (34, 35):
            sock.sendto(ike_message(exchange, False), (peer, IKE))
            sock.recv(2000)
    tunnel.sendto(b"question", (peer, 0))
    data, source = heard(tunnel)
    print(f"tunnel: {data.decode()} from {source}", flush=True)


if __name__ == "__main__":
    {"listen": listen, "call": call}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
