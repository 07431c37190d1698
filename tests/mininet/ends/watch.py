"""Print the packets that reach this host: ``watch SECONDS``, one line each, on all interfaces.

``udp 10.1.1.10 2000 > 203.0.113.10 5353``; an ICMP echo has its identifier on the asking side and
``echo`` on the other. Of ARP and ND, ``arp reply 203.0.113.100 is-at 02:..`` and the like.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

PACKET_HOST = 0


def main() -> None:
    """Watch for a while."""
    end = time.monotonic() + float(sys.argv[1])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as wire:
        print("watching", flush=True)
        while (left := end - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                frame, where = wire.recvfrom(4096)
            except TimeoutError:
                return
            if where[2] == PACKET_HOST:
                line = read(frame)
                if line:
                    print(line, flush=True)


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
