#!/usr/bin/python3
"""What pppd would be, were there a PPP in the kernel: asks and answers LCP Echo-Request (RFC 1661).

Frames are as RFC 1662 has them on asynchronous lines, which is what pptp and pptpctrl carry in GRE.

    ppp.py ask COMMAND...   begin COMMAND on a terminal of its own, and ask through it
    ppp.py ...              answer on standard input and output, as pptpctrl begins pppd
"""

from __future__ import annotations

import os
import pty
import select
import sys
import time
import tty

FLAG, ESCAPE = 0x7E, 0x7D
ECHO_REQUEST, ECHO_REPLY = 9, 10
LCP = b"\xff\x03\xc0\x21"
SECONDS = 10.0


def fcs(data: bytes) -> int:
    """The check sequence of 16 bits."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return register ^ 0xFFFF


def frame(code: int, data: bytes) -> bytes:
    """An LCP packet on the line."""
    packet = LCP + bytes((code, 1)) + (8 + len(data)).to_bytes(2, "big") + bytes(4) + data
    packet += fcs(packet).to_bytes(2, "little")
    line = bytearray([FLAG])
    for byte in packet:
        if byte < 0x20 or byte in (FLAG, ESCAPE):
            line += bytes((ESCAPE, byte ^ 0x20))
        else:
            line.append(byte)
    return bytes(line) + bytes([FLAG])


def packets(line: bytearray) -> list[tuple[int, bytes]]:
    """Code and data of the LCP packets that are complete; they are taken off the line."""
    found = []
    *whole, rest = bytes(line).split(bytes([FLAG]))
    line[:] = rest
    for piece in whole:
        plain, escaped = bytearray(), False
        for byte in piece:
            if byte == ESCAPE:
                escaped = True
            else:
                plain.append(byte ^ 0x20 if escaped else byte)
                escaped = False
        if len(plain) >= 14 and fcs(plain[:-2]) == int.from_bytes(plain[-2:], "little"):
            body = bytes(plain[:-2]).removeprefix(LCP)
            found.append((body[0], body[8:]))
    return found


def ask(command: list[str]) -> None:
    child, line = pty.fork()
    if child == 0:
        tty.setraw(0)
        os.execvp(command[0], command)
    tty.setraw(line)
    heard, end = bytearray(), time.monotonic() + SECONDS
    while time.monotonic() < end:
        # The first ones come before there is a tunnel.
        os.write(line, frame(ECHO_REQUEST, b"question"))
        while select.select([line], [], [], 0.3)[0]:
            heard += os.read(line, 4096)
            for code, data in packets(heard):
                if code == ECHO_REPLY:
                    print(f"echo: {data.decode()}", flush=True)
                    os.close(line)
                    os.waitpid(child, 0)  # it hangs up
                    return
    print(f"no answer; heard {bytes(heard)!r}", flush=True)


def answer() -> None:
    heard = bytearray()
    # Until its pppd has said something pptpctrl listens to no tunnel.
    os.write(1, frame(ECHO_REQUEST, b"hello"))
    while True:
        try:
            heard += os.read(0, 4096)
        except OSError:
            return  # the call is over
        for code, data in packets(heard):
            if code == ECHO_REQUEST:
                os.write(1, frame(ECHO_REPLY, data + b" answered"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["ask"]:
        ask(sys.argv[2:])
    else:
        tty.setraw(0)
        answer()
