"""A hostile neighbour: any frames, any messages, broken connections; run by test_whole_switch.py.

    python hostile.py ADDRESS P4INFO PROGRAM SECONDS SEED

All at once, for so many seconds: frames of any bytes and length to both ports; Writes and Reads of
every entity, right ones and spoilt ones; pipelines; stream messages; bytes that are no message, or
no gRPC. Ends with an error if the switch answers with a fault of its own, or does not serve a
well-behaved controller afterwards.
"""

from __future__ import annotations

import queue
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from ends import Far
from finsy.proto import p4i, p4r, p4r_grpc
from google.protobuf import text_format

METHODS = (
    "Write", "Read", "SetForwardingPipelineConfig", "GetForwardingPipelineConfig", "Capabilities",
)  # fmt: skip
FAULTS = (
    grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
)  # fmt: skip
UNREADABLE = "Exception deserializing request!"
"""What gRPC itself says of bytes that are no message, with the code ``INTERNAL``."""
UNCAUGHT = "Exception "
"""How gRPC begins what it says of exceptions in a server."""
ETHERTYPES = (0x0800, 0x8847, 0x88B5, 0x0806, 0x8100)
LONGEST = 9300
PRIMARY, LAST = 1 << 32, 1 << 40
"""Election ids: of the one that writes meanwhile, and of the one that comes afterwards."""


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, cut, doubled."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(made))
        match rng.randrange(3):
            case 0:
                made[at : at + 1] = rng.randbytes(1)
            case 1:
                del made[at : at + rng.randint(1, 8)]
            case _:
                made[at:at] = made[at : at + rng.randint(1, 64)]
    return bytes(made)


class Messages:
    """Entities of a program, right as often as not."""

    def __init__(self, info: Any, rng: random.Random) -> None:
        self.info, self.rng = info, rng
        self.actions = {action.preamble.id: action for action in info.actions}

    def value(self, width: int) -> bytes:
        """A canonical value of so many bits; at times one too many."""
        rng = self.rng
        bits = width + (rng.random() < 0.02)
        number = rng.choice((rng.getrandbits(bits), rng.randrange(4), (1 << bits) - 1))
        return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")

    def action(self, message: Any, table: Any) -> None:
        """An action of a table."""
        chosen = self.actions[self.rng.choice(table.action_refs).id]
        message.action_id = chosen.preamble.id
        for param in chosen.params:
            message.params.add(param_id=param.id, value=self.value(param.bitwidth))

    def table_entry(self, entry: Any) -> None:
        """An entry of any table."""
        rng = self.rng
        table = rng.choice(self.info.tables)
        entry.table_id = table.preamble.id
        needs_priority = False
        for field in table.match_fields:
            kind = p4i.MatchField.MatchType.Name(field.match_type).lower()
            needs_priority |= kind in ("ternary", "range", "optional")
            if kind != "exact" and rng.random() < 0.3:
                continue
            match = entry.match.add(field_id=field.id)
            value = self.value(field.bitwidth)
            if kind == "range":
                match.range.low, match.range.high = sorted((value, self.value(field.bitwidth)))
                continue
            getattr(match, kind).value = value
            if kind == "lpm":
                match.lpm.prefix_len = rng.randint(0, field.bitwidth)
            if kind == "ternary":
                match.ternary.mask = self.value(field.bitwidth)
        if needs_priority:
            entry.priority = rng.randint(1, 9)
        if not table.implementation_id:
            self.action(entry.action.action, table)
        elif rng.random() < 0.5:
            entry.action.action_profile_group_id = rng.randint(1, 4)
        else:
            for _ in range(rng.randint(1, 3)):
                one = entry.action.action_profile_action_set.action_profile_actions.add(weight=1)
                self.action(one.action, table)
        entry.metadata = rng.randbytes(rng.choice((0, 8, 300)))
        entry.idle_timeout_ns = rng.choice((0, 0, 10**6))

    def entity(self) -> Any:
        """Any entity."""
        rng, entity = self.rng, p4r.Entity()
        kind = rng.choice((
            *["table_entry"] * 8, "counter_entry", "meter_entry", "register_entry", "digest_entry",
            "value_set_entry", "action_profile_member", "action_profile_group", "clone",
            "multicast", "direct_meter_entry", "direct_counter_entry",
        ))  # fmt: skip
        if kind in ("clone", "multicast"):
            engine = entity.packet_replication_engine_entry
            group = engine.clone_session_entry if kind == "clone" else engine.multicast_group_entry
            if kind == "clone":
                group.session_id = rng.randint(0, 8)
                group.packet_length_bytes = rng.choice((0, 20))
            else:
                group.multicast_group_id = rng.randint(0, 8)
            for instance in range(rng.randint(0, 3)):
                group.replicas.add(egress_port=rng.choice((1, 2, 255, 600)), instance=instance)
            return entity
        message = getattr(entity, kind)
        message.SetInParent()
        index = rng.choice((0, 1, 63, 64, -1))
        match kind:
            case "table_entry":
                self.table_entry(message)
            case "direct_meter_entry" | "direct_counter_entry":
                self.table_entry(message.table_entry)
                message.table_entry.ClearField("action")
            case "counter_entry":
                message.counter_id = rng.choice(self.info.counters).preamble.id
                message.index.index = index
            case "meter_entry":
                message.meter_id = rng.choice(self.info.meters).preamble.id
                message.index.index = index
                message.config.cir = message.config.pir = rng.choice((0, 1, 10**9))
            case "register_entry":
                message.register_id = rng.choice(self.info.registers).preamble.id
                message.index.index = index
                message.data.bitstring = self.value(32)
            case "digest_entry":
                message.digest_id = rng.choice(self.info.digests).preamble.id
                message.config.max_list_size = rng.choice((0, 1, 9))
                message.config.max_timeout_ns = rng.choice((0, 10**6))
            case "value_set_entry":
                one = rng.choice(self.info.value_sets)
                message.value_set_id = one.preamble.id
                for _ in range(rng.randint(0, 9)):
                    match = message.members.add().match.add(field_id=one.match[0].id)
                    match.exact.value = self.value(16)
            case _:
                profile = rng.choice(self.info.action_profiles)
                table = next(
                    t for t in self.info.tables if t.implementation_id == profile.preamble.id
                )
                message.action_profile_id = profile.preamble.id
                if kind == "action_profile_member":
                    message.member_id = rng.randint(1, 8)
                    self.action(message.action, table)
                else:
                    message.group_id = rng.randint(1, 4)
                    for _ in range(rng.randint(0, 4)):
                        message.members.add(member_id=rng.randint(1, 8), weight=rng.randint(1, 3))
        return entity


class Neighbour:
    """Everything at once."""

    def __init__(self, words: list[str]) -> None:
        self.address, info, program, seconds, seed = words
        self.info = text_format.Parse(Path(info).read_text(), p4i.P4Info())
        self.program = Path(program).read_bytes()
        self.end = time.monotonic() + float(seconds)
        self.seed = int(seed)
        self.faults: list[str] = []
        self.counts: dict[str, int] = {}

    def run(self) -> None:
        """For the time given. ``AssertionError`` if the switch was at fault."""
        first = Controller(self, PRIMARY)
        first.load()
        work: list[Callable[[random.Random], str]] = [
            Ports().send, Ports().send, first.request, first.request, first.garbage,
            first.stream, self.connect,
        ]  # fmt: skip
        threads = [
            threading.Thread(target=self.repeat, args=(one, self.seed + number))
            for number, one in enumerate(work)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.faults, "\n".join(self.faults[:5])
        last = Controller(self, LAST)
        last.load()
        last.write_and_read()
        print(", ".join(f"{count} x {what}" for what, count in sorted(self.counts.items())))

    def repeat(self, one: Callable[[random.Random], str], seed: int) -> None:
        """Until the time is over, or something is wrong."""
        rng = random.Random(seed)
        while time.monotonic() < self.end and not self.faults:
            try:
                what = one(rng)
            except grpc.RpcError as error:
                what, said = error.code().name, error.details()
                fault = error.code() in FAULTS or said.startswith(UNCAUGHT)
                if fault and said != UNREADABLE:
                    self.faults.append(f"{what}: {said}")
            except Exception as error:
                self.faults.append(f"{type(error).__name__}: {error}")
            self.counts[what] = self.counts.get(what, 0) + 1

    def connect(self, rng: random.Random) -> str:
        """Not even gRPC."""
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.settimeout(0.05)
            with suppress(OSError):
                if rng.random() < 0.5:
                    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                connection.send(rng.randbytes(rng.randint(1, 400)))
                connection.recv(400)
        return "broken connection"


class Ports:
    """Both ports of the switch, from outside."""

    def __init__(self) -> None:
        self.ends = [Far(1), Far(2)]

    def send(self, rng: random.Random) -> str:
        """A frame of any bytes and length."""
        body = rng.randbytes(rng.randint(0, rng.choice((30, 100, LONGEST - 14))))
        head = rng.choice((0, 1, 2, 3, 1 << 40)).to_bytes(6, "big") + rng.randbytes(6)
        head += rng.choice(ETHERTYPES).to_bytes(2, "big")
        with suppress(OSError):  # no room at the moment
            rng.choice(self.ends).send(head + body)
        return "frame"


class Controller:
    """A connection with an election id."""

    def __init__(self, neighbour: Neighbour, election: int) -> None:
        self.neighbour, self.election = neighbour, election
        self.channel = grpc.insecure_channel(neighbour.address)
        self.stub = p4r_grpc.P4RuntimeStub(self.channel)
        self.raw = {
            name: self.channel.unary_unary(f"/p4.v1.P4Runtime/{name}", bytes, bytes)
            for name in METHODS
            if name != "Read"
        }
        self.requests: queue.Queue[Any] = queue.Queue()
        hello = p4r.StreamMessageRequest()
        hello.arbitration.device_id = 1
        hello.arbitration.election_id.low = election
        self.requests.put(hello)
        self.responses = self.stub.StreamChannel(iter(self.requests.get, None))
        next(self.responses)
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self) -> None:
        with suppress(grpc.RpcError):
            for _ in self.responses:
                pass

    def load(self) -> None:
        """The program, afresh."""
        self.stub.SetForwardingPipelineConfig(self.pipeline(3), timeout=60)

    def pipeline(self, action: int) -> Any:
        request = p4r.SetForwardingPipelineConfigRequest(device_id=1, action=action)
        request.election_id.low = self.election
        request.config.p4info.CopyFrom(self.neighbour.info)
        request.config.p4_device_config = self.neighbour.program
        return request

    def write_request(self, rng: random.Random) -> Any:
        messages = Messages(self.neighbour.info, rng)
        request = p4r.WriteRequest(device_id=1, atomicity=rng.choice((0, 0, 0, 1, 2)))
        request.election_id.low = self.election
        for _ in range(rng.choice((1, 2, 20))):
            kind = rng.choice((p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE))
            request.updates.add(type=kind).entity.CopyFrom(messages.entity())
        return request

    def request(self, rng: random.Random) -> str:
        """A request that is a message, and often right."""
        turn = rng.random()
        if turn < 0.8:
            self.stub.Write(self.write_request(rng), timeout=20)
            return "Write"
        if turn < 0.97:
            query = p4r.ReadRequest(device_id=1)
            entity = Messages(self.neighbour.info, rng).entity()
            if rng.random() < 0.5:  # all of its kind
                kind = entity.WhichOneof("entity")
                entity.Clear()
                getattr(entity, kind).SetInParent()
            query.entities.append(entity)
            for _ in self.stub.Read(query, timeout=20):
                pass
            return "Read"
        made = self.pipeline(rng.choice((1, 2, 3, 4, 5)))
        if rng.random() < 0.7:
            made.config.p4_device_config = spoilt(made.config.p4_device_config, rng)
        self.stub.SetForwardingPipelineConfig(made, timeout=60)
        return "pipeline"

    def garbage(self, rng: random.Random) -> str:
        """A message with parts spoilt, or any bytes."""
        name = rng.choice(list(self.raw))
        data = self.write_request(rng).SerializeToString()
        data = spoilt(data, rng) if rng.random() < 0.7 else rng.randbytes(rng.randint(0, 300))
        self.raw[name](data, timeout=20)
        return f"spoilt {name}"

    def stream(self, rng: random.Random) -> str:
        """A stream of another controller, which says anything."""
        messages = []
        for _ in range(rng.randint(1, 5)):
            message = p4r.StreamMessageRequest()
            match rng.randrange(4):
                case 0:
                    message.arbitration.device_id = rng.choice((1, 1, 2))
                    message.arbitration.election_id.low = rng.randint(0, 3)
                case 1:
                    message.packet.payload = rng.randbytes(rng.randint(0, 9000))
                    message.packet.metadata.add(metadata_id=rng.randint(0, 3), value=b"\1")
                case 2:
                    message.digest_ack.digest_id = rng.randint(0, 9)
                case _:
                    message.SetInParent()
            messages.append(message)
        with suppress(grpc.RpcError):
            for _, _ in zip(self.stub.StreamChannel(iter(messages), timeout=5), range(9)):  # noqa: B905
                pass
        packet = p4r.StreamMessageRequest()  # and one of the primary's
        packet.packet.payload = rng.randbytes(rng.randint(0, 200))
        packet.packet.metadata.add(metadata_id=1, value=b"\1")
        packet.packet.metadata.add(metadata_id=2, value=b"\0")
        self.requests.put(packet)
        return "stream"

    def write_and_read(self) -> None:
        """What any controller expects."""
        table = next(t for t in self.neighbour.info.tables if "lpm" in t.preamble.name)
        send = next(a for a in self.neighbour.info.actions if a.preamble.name.endswith("send"))
        request = p4r.WriteRequest(device_id=1)
        request.election_id.low = self.election
        entry = request.updates.add(type=p4r.Update.INSERT).entity.table_entry
        entry.table_id = table.preamble.id
        entry.action.action.action_id = send.preamble.id
        entry.action.action.params.add(param_id=1, value=b"\2")
        match = entry.match.add(field_id=1)
        match.lpm.value, match.lpm.prefix_len = b"\x0a\0\0\0", 8
        self.stub.Write(request, timeout=20)
        query = p4r.ReadRequest(device_id=1)
        query.entities.add().table_entry.table_id = table.preamble.id
        found = [e.table_entry for r in self.stub.Read(query, timeout=20) for e in r.entities]
        assert found == [entry], f"written {entry}, read {found}"


if __name__ == "__main__":
    Neighbour(sys.argv[1:]).run()
