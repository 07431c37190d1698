"""Packets between an NPU's CPU port and the controller."""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4r

from controller.flow import Direction, Nanoseconds, Port
from controller.messages import Mark, Origin, PacketIn, TraceCopy, Transmit
from controller.npu.pipeline import Pipeline
from controller.npu.tables import number
from controller.reasons import Drop, Punt, Send, Stage, Verdict

_DIRECTIONS = (Direction.FORWARD, Direction.REVERSE)
_PUNTS = {punt.value: punt for punt in Punt}
_DROPS = {drop.value: drop for drop in Drop}
_STAGES = {stage.value: stage for stage in Stage}
_VERDICTS = {verdict.value: verdict for verdict in Verdict}

_ORDER = ("reason", "ingress_port", "token", "session_id", "wing", "spu", "trace",
          "forwarding_class", "loss_priority", "stage", "verdict", "detail", "filter",
          "egress_port")  # fmt: skip
_MARKS = [
    Mark(bool(trace), class_, loss)
    for trace in range(2)
    for class_ in range(8)
    for loss in range(4)
]
"""All that there are, so that no packet makes one: trace * 32 + class * 4 + loss priority."""


class PacketCodec:
    """Decodes packet-ins and encodes packet-outs of one NPU."""

    def __init__(self, pipeline: Pipeline, npu: int) -> None:
        self._npu = npu
        fields = pipeline.packet_in.fields
        self._slots = {fields[name]: slot for slot, name in enumerate(_ORDER) if name in fields}
        self._out = pipeline.packet_out
        self._heads: dict[tuple[Send, int, Mark, Origin], list[p4r.PacketMetadata]] = {}

    def packet_in(self, packet: p4r.PacketIn, at: Nanoseconds) -> PacketIn | TraceCopy | None:
        """A punted packet, or a copy of one that is traced; ``None`` if its header names no
        reason that we know."""
        value = [0] * len(_ORDER)
        slots = self._slots
        for field in packet.metadata:
            slot = slots.get(field.metadata_id)
            if slot is not None:
                value[slot] = int.from_bytes(field.value, "big")
        reason = _PUNTS.get(value[0])
        if reason is None or reason is Punt.NONE:
            return None
        if reason is Punt.TRACE:
            return self._copy(value, packet.payload, at)
        # A rejected packet with a stage is a copy, made on the way out.
        is_outward = reason is Punt.FILTER_REJECT and value[9] != 0
        return PacketIn(
            port=Port(self._npu, value[1]),
            reason=reason,
            token=value[2],
            session_id=value[3],
            direction=_DIRECTIONS[value[4]],
            spu=value[5],
            frame=packet.payload,
            at=at,
            mark=_MARKS[value[6] << 5 | value[7] << 2 | value[8]],
            is_outward=is_outward,
        )

    def _copy(self, value: Sequence[int], frame: bytes, at: Nanoseconds) -> TraceCopy | None:
        stage, verdict = _STAGES.get(value[9]), _VERDICTS.get(value[10])
        if stage is None or verdict is None:
            return None
        detail: Punt | Drop | None = None
        if verdict is Verdict.PUNT:
            detail = _PUNTS.get(value[11])
        elif verdict is Verdict.DROP:
            detail = _DROPS.get(value[11])
        return TraceCopy(
            at, Port(self._npu, value[1]), value[13], stage, verdict, detail, value[12], value[2],
            value[3], frame,
        )  # fmt: skip

    def packet_out(self, message: Transmit) -> p4r.StreamMessageRequest:
        """A frame to send, with its header."""
        key = (message.send, message.port.port, message.mark, message.origin)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = self._head(message)
        return p4r.StreamMessageRequest(packet=p4r.PacketOut(payload=message.frame, metadata=head))

    def _head(self, message: Transmit) -> list[p4r.PacketMetadata]:
        mark = message.mark
        values = {
            "send": message.send,
            "egress_port": message.port.port,
            "trace": int(mark.trace),
            "forwarding_class": mark.forwarding_class,
            "loss_priority": mark.loss_priority,
            "first": int(message.origin.is_first),
            "source_zone": message.origin.zone,
        }
        names = {id_: name for name, id_ in self._out.fields.items()}
        return [
            p4r.PacketMetadata(metadata_id=id_, value=number(values.get(names.get(id_, ""), 0)))
            for id_ in self._out.widths
        ]
