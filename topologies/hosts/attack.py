"""Send the one packet that a screen is there for.

Arguments: SCREEN SOURCE TARGET GATEWAY_MAC DEVICE.

The packets leave by a raw socket: no TCP/IP stack would build them. The packet that must pass
beside each is ordinary traffic, which the demo sends through the hosts' own stacks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.sendrecv import sendp

_LAST_FRAGMENT_OFFSET = 8191  # units of 8 bytes: 65528


def _land(_source: str, target: str) -> Packet:
    return IP(src=target, dst=target) / TCP(sport=80, dport=80, flags="S")


def _syn_fin(source: str, target: str) -> Packet:
    return IP(src=source, dst=target) / TCP(sport=4001, dport=80, flags="SF")


def _no_flag(source: str, target: str) -> Packet:
    return IP(src=source, dst=target) / TCP(sport=4002, dport=80, flags=0)


def _ping_death(source: str, target: str) -> Packet:
    # A last fragment that would end beyond the 65535 bytes of any IP packet.
    return IP(src=source, dst=target, frag=_LAST_FRAGMENT_OFFSET, proto=1) / Raw(bytes(64))


SCREENS: dict[str, Callable[[str, str], Packet]] = {
    "land": _land,
    "syn-fin": _syn_fin,
    "tcp-no-flag": _no_flag,
    "ping-death": _ping_death,
}


def main() -> None:
    """Send one packet."""
    screen, source, target, gateway_mac, device = sys.argv[1:6]
    conf.verb = 0
    sendp(Ether(dst=gateway_mac) / SCREENS[screen](source, target), iface=device)


if __name__ == "__main__":
    main()
