"""Write down what reaches this host, on all interfaces: ``watch FILE``, a line a packet, until the
file is gone.

``udp 10.1.1.10 2000 > 203.0.113.10 5353``; an ICMP echo has its identifier on the asking side and
``echo`` on the other. Of ARP and ND, ``arp reply 203.0.113.100 is-at 02:..`` and the like.
"""

from __future__ import annotations

import socket
import struct
import sys
from pathlib import Path

PACKET_HOST = 0


def main() -> None:
    """Watch."""
    path = Path(sys.argv[1])
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as wire,
        path.open("a") as seen,
    ):
        wire.settimeout(0.2)
        print("watching", flush=True)
        while path.exists():
            try:
                frame, where = wire.recvfrom(4096)
            except TimeoutError:
                continue
            line = read(frame) if where[2] == PACKET_HOST else ""
            if line:
                seen.write(line + "\n")
                seen.flush()


def read(frame: bytes) -> str:
    """A frame in a line; empty for what is of no interest."""
    kind = frame[12:14]
    if kind == b"\x08\x06" and frame[21] == 2:
        return f"arp reply {socket.inet_ntoa(frame[28:32])} is-at {frame[22:28].hex(':')}"
    if kind == b"\x08\x00":
        at = 14 + (frame[14] & 15) * 4
        protocol = frame[23]
        src, dst = socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
    elif kind == b"\x86\xdd":
        at, protocol = 54, frame[20]
        src, dst = (socket.inet_ntop(socket.AF_INET6, frame[n : n + 16]) for n in (22, 38))
    else:
        return ""
    name = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}.get(protocol, str(protocol))
    if name in ("tcp", "udp"):
        sport, dport = struct.unpack_from("!HH", frame, at)
        return f"{name} {src} {sport} > {dst} {dport}"
    if name in ("icmp", "icmp6"):
        what, identifier = frame[at], int.from_bytes(frame[at + 4 : at + 6], "big")
        if what in (8, 128):
            return f"{name} {src} {identifier} > {dst} echo"
        if what in (0, 129):
            return f"{name} {src} echo > {dst} {identifier}"
        return f"{name} {src} type {what} > {dst}"
    return f"{name} {src} > {dst}"


if __name__ == "__main__":
    main()
