"""One network interface as a port: an AF_PACKET socket.

Frames that this host sends on the interface are not seen (``PACKET_IGNORE_OUTGOING``), the VLAN tag
that the kernel takes off is put back, and offloads that would deliver unfinished frames are turned
off. Source: packet(7), linux/if_packet.h, linux/ethtool.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import socket
import struct

from p4embed.switch.dataplane import PortError

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_PROMISC = 1

_AUXDATA = struct.Struct("=IIIHHHH")
"""status, len, snaplen, mac, net, vlan_tci, vlan_tpid"""
_VLAN_VALID = 1 << 4
_VLAN_TPID_VALID = 1 << 6
_TPID_8021Q = 0x8100

SIOCETHTOOL = 0x8946
_OFFLOADS = {
    0x15: "rx checksum",
    0x17: "tx checksum",
    0x19: "scatter-gather",
    0x1F: "tso",
    0x24: "gso",
    0x2C: "gro",
}
"""ETHTOOL_S* commands that set a feature."""

MAX_FRAME = 65536


class Interface:
    """An attached interface."""

    def __init__(self, port: int, name: str) -> None:
        """Attach; ``PortError`` says why it cannot be."""
        self.port = port
        self.name = name
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            raise PortError(
                f"interface '{name}' of port {port} does not exist;"
                f" create it, or name another with -i {port}@<interface>"
            ) from None
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise PortError(
                f"interface '{name}' needs root (CAP_NET_RAW) to be opened; use sudo"
            ) from None
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            membership = struct.pack("=iHH8s", index, PACKET_MR_PROMISC, 0, b"")
            self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
            self._turn_off_offloads()
            # Bound last: from here on frames arrive.
            self.socket.bind((name, ETH_P_ALL))
        except OSError as error:
            self.socket.close()
            raise PortError(f"interface '{name}' cannot be opened: {error.strerror}") from None

    def _turn_off_offloads(self) -> None:
        for command in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("=16sQ", self.name.encode(), ctypes.addressof(value))
            # An interface without the feature has nothing to turn off.
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.socket, SIOCETHTOOL, request)

    def receive(self) -> bytes | None:
        """The next frame, complete; ``None`` when there is none now."""
        try:
            frame, ancillary, _flags, _address = self.socket.recvmsg(
                MAX_FRAME, socket.CMSG_SPACE(_AUXDATA.size)
            )
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if error.errno == errno.ENETDOWN:  # reported once; frames come again when it is up
                return None
            raise
        for level, kind, data in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                frame = with_vlan_tag(frame, data)
        return frame

    def send(self, frame: bytes) -> bool:
        """Transmit; whether the interface took the frame."""
        try:
            self.socket.send(frame)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Detach."""
        self.socket.close()


def with_vlan_tag(frame: bytes, auxdata: bytes) -> bytes:
    """A frame with the tag that the kernel took off and reports in ``tpacket_auxdata``."""
    status, _len, _snaplen, _mac, _net, tci, tpid = _AUXDATA.unpack_from(auxdata)
    if not status & _VLAN_VALID:
        return frame
    tag = struct.pack("!HH", tpid if status & _VLAN_TPID_VALID else _TPID_8021Q, tci)
    return frame[:12] + tag + frame[12:]
