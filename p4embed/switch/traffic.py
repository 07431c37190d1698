"""The life of a packet: parser, checksum verification, ingress, traffic manager (clone, resubmit,
multicast, drop, unicast), egress, checksum update, deparser.

Source: behavioral-model ``docs/simple_switch.md``, "Pseudocode for what happens at the end of
ingress and egress processing".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.checksum import calculate, update_checksums, verify_checksums
from p4embed.switch.engine import TO_GROUP, TO_MEMBER, Digested, Replica, Sent
from p4embed.switch.expressions import Evaluator
from p4embed.switch.matching import Row
from p4embed.switch.meter import GREEN
from p4embed.switch.packet import Packet
from p4embed.switch.parsing import deparse, parse
from p4embed.switch.primitives import run_action
from p4embed.switch.program import InstanceType
from p4embed.switch.state import CloneSession, State, TableState
from p4embed.switch.trace import (
    Arrived,
    Branched,
    Dropped,
    Entered,
    Event,
    Learned,
    Queued,
    Selected,
    TableApplied,
    Tracer,
    Transmitted,
)

MAX_PASSES = 256
"""Passes through ingress or egress that one received packet and its copies may take."""

MAX_NODES = 1 << 16
"""Control nodes that one pass may visit."""


class PacketRun:
    """One received packet with all its copies."""

    def __init__(self, program: p.Program, state: State, trace: Tracer | None, now_ns: int) -> None:
        self.program = program
        self.state = state
        self.trace = trace
        self.now_ns = now_ns
        self.now_us = now_ns // 1000
        self.intrinsics = program.intrinsics
        self.to_ingress: deque[Packet] = deque()
        self.to_egress: deque[tuple[int, Packet]] = deque()
        self.sent: list[Sent] = []
        self.digests: list[Digested] = []

    def process(self, port: int, frame: bytes) -> list[Sent]:
        packet = self.arrive(port, frame, "")
        self.to_ingress.append(packet)
        for _ in range(MAX_PASSES):
            if self.to_egress:
                self.egress(*self.to_egress.popleft())
            elif self.to_ingress:
                self.ingress(self.to_ingress.popleft())
            else:
                return self.sent
        self.tell(Dropped(f"a packet and its copies took {MAX_PASSES} passes"))
        return self.sent

    def tell(self, event: Event) -> None:
        if self.trace is not None:
            self.trace(event)

    def arrive(self, port: int, frame: bytes, again: str) -> Packet:
        """A packet before its parser."""
        self.tell(Arrived(port, frame, again))
        packet = Packet(self.program, port, frame, self.now_ns, self.trace)
        packet.put(self.intrinsics.ingress_port, port)
        packet.put(self.intrinsics.packet_length, len(frame))
        packet.put(self.intrinsics.ingress_global_timestamp, self.now_us)
        return packet

    # -- ingress ------------------------------------------------------------------------------

    def ingress(self, packet: Packet) -> None:
        parse(packet, self.state)
        verify_checksums(packet, self.state)
        packet.put(self.intrinsics.parser_error, packet.error)
        packet.put(self.intrinsics.checksum_error, int(packet.checksum_error))
        self.apply(self.program.ingress, packet)
        if packet.clone is not None:
            self.clone_ingress(packet, *packet.clone)
            packet.clone = None
        if packet.digest is not None:
            self.learn(packet, packet.digest)
        if packet.failed:
            self.tell(Dropped("assert in ingress"))
        elif packet.resubmit is not None:
            self.resubmit(packet, packet.resubmit)
        elif packet.get(self.intrinsics.mcast_grp):
            group = packet.get(self.intrinsics.mcast_grp)
            packet.put(self.intrinsics.instance_type, InstanceType.REPLICATION)
            self.replicate(packet, self.state.multicast_groups.get(group, ()), "multicast")
        elif packet.get(self.intrinsics.egress_spec) == self.state.drop_port:
            self.tell(Dropped("ingress"))
        else:
            packet.put(self.intrinsics.instance_type, InstanceType.NORMAL)
            self.enqueue(packet.get(self.intrinsics.egress_spec), packet, "unicast")

    def clone_ingress(self, packet: Packet, session: int, field_list: int) -> None:
        """Copies of the packet as it arrived, parsed again."""
        if session not in self.state.clone_sessions:
            return
        twin = Packet(self.program, packet.ingress_port, packet.frame, self.now_ns, self.trace)
        twin.put(self.intrinsics.ingress_port, packet.ingress_port)
        parse(twin, self.state)
        twin.reset_metadata()
        self.keep_fields(field_list, packet, twin)
        twin.put(self.intrinsics.instance_type, InstanceType.INGRESS_CLONE)
        self.send_clones(twin, self.state.clone_sessions[session])

    def learn(self, packet: Packet, index: int) -> None:
        """What a controller is to hear of the packet."""
        digest = self.program.digests[index]
        self.tell(Learned(digest.name))
        data = b""
        for ref in digest.fields:
            width = self.program.field(ref).width
            value = packet.get(ref) & ((1 << width) - 1)
            data += value.to_bytes(p.byte_width(width), "big")
        self.digests.append(Digested(index, data))

    def resubmit(self, packet: Packet, field_list: int) -> None:
        """The packet as it arrived, through ingress again."""
        twin = self.arrive(packet.ingress_port, packet.frame, "resubmit")
        self.keep_fields(field_list, packet, twin)
        twin.put(self.intrinsics.instance_type, InstanceType.RESUBMIT)
        self.to_ingress.append(twin)

    def keep_fields(self, field_list: int, source: Packet, target: Packet) -> None:
        for ref in self.program.field_lists[field_list].fields:
            target.put(ref, source.get(ref))

    def send_clones(self, twin: Packet, session: CloneSession) -> None:
        if session.cut and (twin.truncate is None or session.cut < twin.truncate):
            twin.truncate = session.cut
        self.replicate(twin, session.replicas, "clone")

    def replicate(self, packet: Packet, replicas: Sequence[Replica], why: str) -> None:
        for replica in replicas:
            twin = packet.copy()
            twin.put(self.intrinsics.egress_rid, replica.instance)
            self.enqueue(replica.port, twin, why)

    def enqueue(self, port: int, packet: Packet, why: str) -> None:
        priority = packet.get(self.intrinsics.priority)
        if priority >= p.PRIORITY_QUEUES:
            self.tell(Dropped(f"no queue has priority {priority}"))
            return
        self.tell(Queued(port, why))
        packet.put(self.intrinsics.enq_timestamp, self.now_us)
        self.to_egress.append((port, packet))

    # -- egress -------------------------------------------------------------------------------

    def egress(self, port: int, packet: Packet) -> None:
        packet.put(self.intrinsics.egress_port, port)
        # Any value but the drop port: what ingress left must not drop the packet here.
        packet.put(self.intrinsics.egress_spec, self.state.drop_port + 1)
        packet.put(self.intrinsics.egress_global_timestamp, self.now_us)
        packet.put(self.intrinsics.packet_length, packet.length)
        self.apply(self.program.egress, packet)
        if packet.clone is not None:
            self.clone_egress(packet, *packet.clone)
            packet.clone = None
        if packet.failed or packet.get(self.intrinsics.egress_spec) == self.state.drop_port:
            self.tell(Dropped("egress"))
            return
        update_checksums(packet, self.state)
        frame = self.deparse(packet)
        if frame is None:
            self.tell(Dropped("assert in the deparser"))
            return
        if packet.recirculate is not None:
            twin = self.arrive(port, frame, "recirculate")
            twin.put(self.intrinsics.ingress_port, 0)
            self.keep_fields(packet.recirculate, packet, twin)
            twin.put(self.intrinsics.instance_type, InstanceType.RECIRC)
            self.to_ingress.append(twin)
        else:
            self.tell(Transmitted(port, frame))
            self.sent.append(Sent(port, frame))

    def deparse(self, packet: Packet) -> bytes | None:
        """The frame; ``None`` if a statement of the deparser drops it."""
        statements = self.program.deparser.statements
        if statements is not None:
            run_action(statements, (), packet, self.state)
            if packet.failed:
                return None
        return deparse(packet)

    def clone_egress(self, packet: Packet, session: int, field_list: int) -> None:
        """Copies of the packet as egress left it."""
        if session not in self.state.clone_sessions:
            return
        twin = packet.copy()
        twin.reset_metadata()
        self.keep_fields(field_list, packet, twin)
        twin.put(self.intrinsics.instance_type, InstanceType.EGRESS_CLONE)
        self.send_clones(twin, self.state.clone_sessions[session])

    # -- control flow -------------------------------------------------------------------------

    def apply(self, pipeline: p.Pipeline, packet: Packet) -> None:
        """Walk a pipeline's nodes until the end, or until an action exits."""
        self.tell(Entered(pipeline.name))
        node = pipeline.start
        packet.exited = False
        for _ in range(MAX_NODES):
            if node is None or packet.exited:
                break
            match node:
                case p.TableNode(table):
                    node = self.table(self.state.tables[table], packet)
                case p.BranchNode(index):
                    branch = self.program.branches[index]
                    taken = self.evaluate(branch.condition, packet)
                    if self.trace is not None:
                        self.trace(Branched(branch.name, taken))
                    node = branch.if_true if taken else branch.if_false
                case p.CallNode(index):
                    call = self.program.calls[index]
                    run_action(self.program.actions_by_id[call.action], (), packet, self.state)
                    node = call.next
                case _:
                    assert_never(node)
        packet.exited = False

    def evaluate(self, condition: p.BoolExpr, packet: Packet) -> bool:
        return Evaluator(packet, self.state).truth(condition)

    def table(self, state: TableState, packet: Packet) -> p.Node | None:
        """Look a table up, run the action, and say what follows."""
        table = state.table
        values = [self.key_value(field, packet) for field in table.key]
        key = b"".join(
            value.to_bytes(field.size, "big")
            for value, field in zip(values, table.key, strict=True)
        )
        row = state.matcher.find(key)
        action: int | None
        params: Sequence[int]
        if row is not None:
            row.hits += 1
            row.hit_bytes += packet.ingress_length
            row.last_hit_ns, row.notices = self.now_ns, 0
            action, params = self.choice(table, row, packet)
        elif state.default is not None:
            action, params = state.default.action, state.default.values
        else:
            action, params = None, ()
        if table.meter is not None and row is not None:
            meter = self.program.meters[table.meter]
            tokens = packet.ingress_length if meter.bytes else 1
            color = GREEN if row.meter is None else row.meter.color(tokens, self.now_ns)
            packet.put(meter.target, color)
        declared = None if action is None else self.program.actions_by_id[action]
        if self.trace is not None:
            self.trace(
                TableApplied(
                    table.name,
                    tuple((f.name, v) for f, v in zip(table.key, values, strict=True)),
                    row is not None,
                    None if declared is None else declared.name,
                    ()
                    if declared is None
                    else tuple((a.name, v) for a, v in zip(declared.params, params, strict=True)),
                    None if row is None else row.entry.key,
                )
            )
        if declared is not None:
            run_action(declared, params, packet, self.state)
        match table.next:
            case p.ByHit(hit, miss):
                return hit if row is not None else miss
            case p.ByAction(nodes):
                if action is None:  # no default action, or an empty group
                    return table.next_without_action
                return nodes[table.actions.index(action)]
        assert_never(table.next)

    def choice(self, table: p.Table, row: Row, packet: Packet) -> tuple[int | None, Sequence[int]]:
        """What an entry runs: its own action, or that of an action profile."""
        action = row.entry.action
        if table.profile is None or action not in (TO_MEMBER, TO_GROUP):
            return action, row.params
        (number,) = row.params
        if action == TO_GROUP:
            members = self.state.groups[table.profile].get(number, ())
            selector = self.program.profiles[table.profile].selector
            if not members or selector is None:
                return None, ()
            number = members[calculate(selector, packet) % len(members)]
            self.tell(Selected(number, len(members)))
        return self.state.members[table.profile][number]

    @staticmethod
    def key_value(field: p.KeyField, packet: Packet) -> int:
        """A field of the packet's key; fields of invalid headers count as 0."""
        match field.source:
            case p.ValidBit(header):
                return int(packet.valid[header]) & field.mask
            case p.FieldRef(header, index):
                if not packet.valid[header]:
                    return 0
                return packet.values[header][index] & field.mask
        assert_never(field.source)
