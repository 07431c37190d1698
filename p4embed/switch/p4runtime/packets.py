"""Packet-in and packet-out: metadata of messages to and from the header on the CPU port.

Source: P4Runtime specification, "ControllerPacketMetadata" and "Packet I/O".
"""

from __future__ import annotations

from finsy.proto import p4i, p4r

from p4embed.switch.p4runtime.bytestrings import Part, canonical, pack
from p4embed.switch.p4runtime.errors import invalid
from p4embed.switch.program import byte_width


class PacketTranslator:
    """The header before packets to or from the controller."""

    def __init__(self, info: p4i.ControllerPacketMetadata) -> None:
        self.name = info.preamble.name
        self.parts = tuple(Part.make(m.id, m.name, m.bitwidth) for m in info.metadata)
        self._bits = sum(part.width for part in self.parts)
        self.size = byte_width(self._bits)
        self._padding = 8 * self.size - self._bits

    def pack(self, packet: p4r.PacketOut) -> bytes:
        """Header and payload; metadata that is left out is 0."""
        values: dict[int, bytes] = {}
        known = {part.id for part in self.parts}
        for metadata in packet.metadata:
            if metadata.metadata_id not in known:
                raise invalid(f"{self.name} has no metadata with id {metadata.metadata_id}")
            values[metadata.metadata_id] = metadata.value
        number = 0
        for part in self.parts:
            what = f"{self.name} metadata '{part.name}'"
            value = pack(values.get(part.id, b"\0"), part.size, part.limit, what)
            number = number << part.width | int.from_bytes(value, "big")
        return (number << self._padding).to_bytes(self.size, "big") + packet.payload

    def unpack(self, frame: bytes) -> p4r.PacketIn:
        """A message from header and payload. A frame shorter than the header is all payload."""
        if len(frame) < self.size:
            return p4r.PacketIn(payload=frame)
        packet = p4r.PacketIn(payload=frame[self.size :])
        number = int.from_bytes(frame[: self.size], "big") >> self._padding
        below = self._bits
        for part in self.parts:
            below -= part.width
            value = number >> below & ((1 << part.width) - 1)
            packed = value.to_bytes(part.size, "big")
            packet.metadata.add(metadata_id=part.id, value=canonical(packed))
        return packet
