"""Packets between an NPU's CPU port and the controller."""

from __future__ import annotations

from finsy.proto import p4r

from controller.flow import Direction, Nanoseconds, Port
from controller.messages import PacketIn, Transmit
from controller.npu.entries import number
from controller.npu.pipeline import Pipeline
from controller.reasons import Punt, Send

_DIRECTIONS = (Direction.FORWARD, Direction.REVERSE)
_PUNTS = {punt.value: punt for punt in Punt}


class PacketCodec:
    """Decodes packet-ins and encodes packet-outs of one NPU."""

    def __init__(self, pipeline: Pipeline, npu: int) -> None:
        self._npu = npu
        order = ("reason", "ingress_port", "token", "session_id", "wing", "spu")
        fields = pipeline.packet_in.fields
        self._slots = {fields[name]: slot for slot, name in enumerate(order)}
        header = pipeline.packet_out
        self._send, self._port = header.fields["send"], header.fields["egress_port"]
        self._padding = [
            p4r.PacketMetadata(metadata_id=id_, value=b"\0")
            for id_ in header.widths
            if id_ not in (self._send, self._port)
        ]
        self._heads: dict[tuple[Send, int], list[p4r.PacketMetadata]] = {}

    def packet_in(self, packet: p4r.PacketIn, at: Nanoseconds) -> PacketIn | None:
        """A punted packet; ``None`` if its header names no reason that we know."""
        value = [0, 0, 0, 0, 0, 0]
        slots = self._slots
        for field in packet.metadata:
            slot = slots.get(field.metadata_id)
            if slot is not None:
                value[slot] = int.from_bytes(field.value, "big")
        reason = _PUNTS.get(value[0])
        if reason is None or reason is Punt.NONE:
            return None
        return PacketIn(
            port=Port(self._npu, value[1]),
            reason=reason,
            token=value[2],
            session_id=value[3],
            direction=_DIRECTIONS[value[4]],
            spu=value[5],
            frame=packet.payload,
            at=at,
        )

    def packet_out(self, message: Transmit) -> p4r.StreamMessageRequest:
        """A frame to send, with its header."""
        key = (message.send, message.port.port)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = [
                p4r.PacketMetadata(metadata_id=self._send, value=number(message.send)),
                p4r.PacketMetadata(metadata_id=self._port, value=number(message.port.port)),
                *self._padding,
            ]
        return p4r.StreamMessageRequest(packet=p4r.PacketOut(payload=message.frame, metadata=head))
