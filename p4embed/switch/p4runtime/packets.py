"""Packet-in and packet-out: metadata of messages to and from the header on the CPU port.

Source: P4Runtime specification, "ControllerPacketMetadata" and "Packet I/O".
"""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4i, p4r

from p4embed.switch.native.packets import MOST_BITS, MOST_PARTS, PackedFrames, WirePackets
from p4embed.switch.p4runtime.bytestrings import Part, canonical, pack
from p4embed.switch.p4runtime.errors import invalid
from p4embed.switch.p4runtime.framing import framed
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

    def message(self, frame: bytes) -> p4r.StreamMessageResponse:
        """``unpack`` as a message of a stream."""
        return p4r.StreamMessageResponse(packet=self.unpack(frame))

    def wire(self) -> WirePackets | None:
        """The same for many packets at a time, in the native runtime, if it can."""
        if len(self.parts) > MOST_PARTS or any(part.width > MOST_BITS for part in self.parts):
            return None
        return WirePackets(self.size, [(part.id, part.width) for part in self.parts])


class Packets:
    """Packets of one pipeline, many at a time: natively where the engine is."""

    def __init__(self, inward: PacketTranslator, outward: PacketTranslator, native: bool) -> None:
        """``inward``: packets-in, to the controller."""
        self._inward = inward
        self._wire_in = inward.wire() if native else None
        self._wire_out = outward.wire() if native else None

    def messages(self, frames: Sequence[bytes]) -> bytes:
        """Frames from the CPU port as stream messages, framed for gRPC."""
        if self._wire_in is not None and isinstance(frames, PackedFrames):
            return self._wire_in.messages(frames)
        return b"".join(framed(self._inward.message(frame).SerializeToString()) for frame in frames)

    def frames(self, messages: bytes) -> tuple[Sequence[bytes], int]:
        """Stream messages, framed for gRPC, as frames for the CPU port, and how many bytes were
        understood: up to the first that is no packet-out, or needs the careful way."""
        return ((), 0) if self._wire_out is None else self._wire_out.frames(messages)
