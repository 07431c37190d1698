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
        self._metadata: dict[bytes, bytes] = {}
        self._headers: dict[bytes, bytes] = {}

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

    def message(self, frame: bytes) -> bytes:
        """A serialized ``StreamMessageResponse`` from header and payload, like ``unpack``."""
        if len(frame) < self.size:
            return p4r.StreamMessageResponse(packet=self.unpack(frame)).SerializeToString()
        header = frame[: self.size]
        metadata = self._metadata.get(header)
        if metadata is None:
            metadata = self.unpack(header).SerializeToString()
            if len(self._metadata) >= _KNOWN:
                self._metadata.clear()
            self._metadata[header] = metadata
        length = len(frame) - self.size
        packet = _PAYLOAD + _varint(length) + frame[self.size :] + metadata
        return _PACKET + _varint(len(packet)) + packet

    def frame(self, message: bytes) -> bytes | None:
        """Header and payload of a serialized ``StreamMessageRequest`` that is a packet-out, like
        ``pack``; ``None`` if it is none, or put together as nobody does."""
        parts = _split(message)
        if parts is None:
            return None
        payload, metadata = parts
        header = self._headers.get(metadata)
        if header is None:
            header = self.pack(p4r.PacketOut.FromString(metadata))
            if len(self._headers) >= _KNOWN:
                self._headers.clear()
            self._headers[metadata] = header
        return header + payload


_KNOWN = 4096
"""Headers that are remembered: most packets have one of a few."""
_PACKET = b"\x12"
"""Tag of ``packet`` in both messages of a stream."""
_PAYLOAD = b"\x0a"
"""Tag of a packet's ``payload``."""


def _varint(value: int) -> bytes:
    """A length; see protobuf.dev, "Encoding"."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80)) + _varint(value >> 14)


def _split(message: bytes) -> tuple[bytes, bytes] | None:
    """Payload and serialized metadata of a packet, where the payload comes first."""
    if message[:1] != _PACKET:
        return None
    size, at = _length(message, 1)
    if at + size != len(message) or message[at : at + 1] != _PAYLOAD:
        return None
    size, at = _length(message, at + 1)
    if at + size > len(message):
        return None
    return message[at : at + size], message[at + size :]


def _length(message: bytes, at: int) -> tuple[int, int]:
    """The length written at an offset, and the offset behind it."""
    length = 0
    for place in range(5):
        byte = message[at + place] if at + place < len(message) else 0
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return length, at + place + 1
