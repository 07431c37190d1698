"""Packets between an NPU's CPU port and the controller."""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4r

from controller.flow import Direction, Nanoseconds, Port
from controller.messages import Mark, Origin, PacketIn, TraceCopy, Transmit
from controller.npu.pipeline import Pipeline
from controller.npu.tables import number
from controller.npu.wire import delimited
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

_KNOWN = 4096
"""Headers remembered."""
_OUT = p4r.StreamMessageRequest.DESCRIPTOR.fields_by_name["packet"].number
_PAYLOAD = p4r.PacketOut.DESCRIPTOR.fields_by_name["payload"].number
_FIRST = bytes((p4r.PacketIn.DESCRIPTOR.fields_by_name["payload"].number << 3 | 2,))
"""What a packet-in begins with."""


_Kind = tuple[Port, Punt, int, Direction, int, Mark, bool]
"""What packet-ins of a kind have in common: port, reason, token, direction, SPU, mark, and whether
they are on the way out."""


class PacketCodec:
    """Decodes packet-ins and encodes packet-outs of one NPU."""

    def __init__(self, pipeline: Pipeline, npu: int) -> None:
        self._npu = npu
        fields = pipeline.packet_in.fields
        self._slots = {fields[name]: slot for slot, name in enumerate(_ORDER) if name in fields}
        self._out = pipeline.packet_out
        self._heads: dict[tuple[Send, int, Mark, Origin], bytes] = {}
        self._before_id = _metadata_with(fields["session_id"])
        """What goes before the length of the session id, the one long field, in a header."""
        self._known: dict[bytes, _Kind] = {}
        """By what is around the session id."""
        self._ports: dict[int, Port] = {}

    def packet_in(self, message: bytes, at: Nanoseconds) -> PacketIn | TraceCopy | None:
        """The packet-in of a serialized ``StreamMessageResponse``: a punted packet, or a copy of
        one that is traced; ``None`` if its header names no reason that we know."""
        payload, header = split(message)
        # All headers of a kind differ in the session alone, so what is around its id is remembered.
        place = header.find(self._before_id, 0, -1)
        if place >= 0:
            place += len(self._before_id)
            end = place + 1 + header[place]
            known = self._known.get(header[: place + 1] + header[end:])
            if known is not None:
                port, reason, token, direction, spu, mark, is_outward = known
                session_id = int.from_bytes(header[place + 1 : end], "big")
                return PacketIn(
                    port, reason, token, session_id, direction, spu, payload, at, mark, is_outward
                )
        value = self._values(header)
        reason = _PUNTS.get(value[0], Punt.NONE)
        if reason is Punt.NONE:
            return None
        if reason is Punt.TRACE:
            return self._copy(value, payload, at)
        known = (
            self._port(value[1]),
            reason,
            value[2],
            _DIRECTIONS[value[4]],
            value[5],
            _MARKS[value[6] << 5 | value[7] << 2 | value[8]],
            # A rejected packet with a stage is a copy, made on the way out.
            reason is Punt.FILTER_REJECT and value[9] != 0,
        )
        # (Where a shorter field happens to look like the beginning, headers are not remembered.)
        if place >= 0 and int.from_bytes(header[place + 1 : end], "big") == value[3]:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[header[: place + 1] + header[end:]] = known
        port, reason, token, direction, spu, mark, is_outward = known
        return PacketIn(
            port, reason, token, value[3], direction, spu, payload, at, mark, is_outward
        )

    def _port(self, number: int) -> Port:
        """A port as one object, however many sessions have it."""
        port = self._ports.get(number)
        if port is None:
            port = self._ports[number] = Port(self._npu, number)
        return port

    def _values(self, header: bytes) -> Sequence[int]:
        """What a serialized header says, by slot."""
        value = [0] * len(_ORDER)
        slots = self._slots
        for field in p4r.PacketIn.FromString(header).metadata:
            slot = slots.get(field.metadata_id)
            if slot is not None:
                value[slot] = int.from_bytes(field.value, "big")
        return value

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

    def packet_out(self, message: Transmit) -> bytes:
        """A frame to send, with its header: a serialized ``StreamMessageRequest``."""
        key = (message.send, message.port.port, message.mark, message.origin)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = self._head(message)
        return delimited(_OUT, delimited(_PAYLOAD, message.frame) + head)

    def _head(self, message: Transmit) -> bytes:
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
        metadata = [
            p4r.PacketMetadata(metadata_id=id_, value=number(values.get(names.get(id_, ""), 0)))
            for id_ in self._out.widths
        ]
        return p4r.PacketOut(metadata=metadata).SerializeToString()


def _metadata_with(id_: int) -> bytes:
    """What a serialized ``PacketMetadata`` with this id has before the length of its value."""
    return p4r.PacketMetadata(metadata_id=id_, value=b"\1").SerializeToString()[:-2]


def split(message: bytes) -> tuple[bytes, bytes]:
    """The payload of a ``StreamMessageResponse`` that is a packet-in, and the rest of the packet-in
    serialized: what all packets of a kind have in common."""
    at = 2
    while message[at - 1] & 0x80:  # behind the length of the packet-in
        at += 1
    if message[at : at + 1] == _FIRST:
        length, at = message[at + 1], at + 2
        if length & 0x80:
            length, at = length & 0x7F | message[at] << 7, at + 1
        if length < 1 << 14:
            return message[at : at + length], message[at + length :]
    # As nobody writes it, or longer than a frame is.
    packet = p4r.StreamMessageResponse.FromString(message).packet
    payload = packet.payload
    packet.ClearField("payload")
    return payload, packet.SerializeToString()
