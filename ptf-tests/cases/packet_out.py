"""What the controller sends: raw, or through the egress stage."""

from __future__ import annotations

from scapy.layers.inet import IP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from controller.reasons import Drop, Send
from support import base
from support.interfaces import DMZ, FABRIC_PORT, TRUST, UNCONFIGURED_PORT, UNTRUST, out_of
from support.packets import DATA, fabric, tcp4, tcp6, udp4


class RawFrames(base.NpuTest):
    """As it is, out of any port, interface or not: ARP, odd EtherTypes, runts of a header."""

    def runTest(self) -> None:
        frames = [
            bytes(out_of(TRUST) / ARP(op=2, hwsrc=TRUST.mac, psrc="10.1.0.1", pdst="10.1.0.10")),
            bytes(Ether(dst="02:00:00:00:00:99", src=TRUST.mac, type=0x88CC) / Raw(DATA)),
            bytes(Ether(dst="02:00:00:00:00:99", src=TRUST.mac, type=0x0800) / Raw(b"\x45")),
            tcp4(out_of(DMZ)),
            tcp6(out_of(UNTRUST)),
        ]
        for port in (TRUST.port, DMZ.port, UNCONFIGURED_PORT):
            for frame in frames:
                self.packet_out(frame, port, Send.RAW)
                self.expect_frame(port, frame)
        self.conclude()


class RawToFabric(base.NpuTest):
    """A fabric port is a port like any other to a raw frame."""

    def runTest(self) -> None:
        frame = fabric(tcp4(out_of(UNTRUST)), 7, 3)
        self.packet_out(frame, FABRIC_PORT, Send.RAW)
        self.expect_frame(FABRIC_PORT, frame)
        self.conclude()


class RawOfLargestSize(base.NpuTest):
    """A frame of full size, with a tag."""

    def runTest(self) -> None:
        frame = tcp4(out_of(DMZ), data=bytes(1460))
        self.packet_out(frame, DMZ.port, Send.RAW)
        self.expect_frame(DMZ.port, frame)
        self.conclude()


class Egress(base.NpuTest):
    """Unchanged through the egress stage: TTL 1 and a wrong checksum are the SPU's business."""

    def runTest(self) -> None:
        frames = [
            tcp4(out_of(UNTRUST)),
            tcp6(out_of(UNTRUST)),
            udp4(out_of(UNTRUST), ttl=1),
            tcp4(out_of(UNTRUST), flags="S"),
            bytes(out_of(UNTRUST) / IP(src="10.0.0.1", dst="10.0.0.2", chksum=1) / Raw(DATA)),
            udp4(out_of(UNTRUST), data=bytes(1472)),
        ]
        for frame in frames:
            self.packet_out(frame, UNTRUST.port, Send.EGRESS)
            self.expect_frame(UNTRUST.port, frame)
        self.conclude()


class EgressTagged(base.NpuTest):
    """Port and tag together name the egress interface."""

    def runTest(self) -> None:
        frame = tcp4(out_of(DMZ))
        self.packet_out(frame, DMZ.port, Send.EGRESS)
        self.expect_frame(DMZ.port, frame)
        self.conclude()


class EgressWithoutInterface(base.NpuTest):
    """No interface on the port, or none of that VLAN; nor is a fabric port one."""

    def runTest(self) -> None:
        self.packet_out(tcp4(out_of(UNTRUST)), UNCONFIGURED_PORT, Send.EGRESS)
        self.packet_out(tcp4(out_of(UNTRUST)), DMZ.port, Send.EGRESS)
        self.packet_out(tcp4(out_of(DMZ)), UNTRUST.port, Send.EGRESS)
        self.packet_out(tcp4(out_of(UNTRUST)), FABRIC_PORT, Send.EGRESS)
        self.conclude(egress_drops={Drop.NO_EGRESS: 4})


class EgressTruncated(base.NpuTest):
    """A frame that ends inside a header does not leave."""

    def runTest(self) -> None:
        self.packet_out(tcp4(out_of(UNTRUST))[:40], UNTRUST.port, Send.EGRESS)
        self.conclude(drops={Drop.TRUNCATED: 1})


class ToTheCpu(base.NpuTest):
    """A packet-out does not come back as a packet-in, and goes to no port beyond."""

    def runTest(self) -> None:
        for send in (Send.RAW, Send.EGRESS):
            for port in (255, 256, 511):
                self.packet_out(tcp4(out_of(UNTRUST)), port, send)
        self.conclude(drops={Drop.NO_EGRESS: 6})


class InOrder(base.NpuTest):
    """A queue of packets that an SPU releases leaves in its order."""

    def runTest(self) -> None:
        frames = [udp4(out_of(UNTRUST), data=bytes([number])) for number in range(50)]
        for frame in frames:
            self.packet_out(frame, UNTRUST.port, Send.EGRESS)
        for frame in frames:
            (_, port, received, _) = self.dataplane.poll(
                device_number=0, port_number=UNTRUST.port, timeout=base.ARRIVES
            )
            self.assertEqual((port, bytes(received).hex()), (UNTRUST.port, frame.hex()))
        self.conclude()
