"""Clone sessions and multicast groups (PacketReplicationEngineEntry).

Source: P4Runtime specification, "PacketReplicationEngineEntry".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from finsy.proto import p4r

from p4embed.switch.engine import Engine, Op, Replica, Replicating
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, invalid, not_found, unimplemented


class Replication:
    """What the controller has set, as it reads it back."""

    def __init__(self) -> None:
        self._groups: dict[int, p4r.MulticastGroupEntry] = {}
        self._sessions: dict[int, p4r.CloneSessionEntry] = {}

    def write(self, op: Op, entry: p4r.PacketReplicationEngineEntry, engine: Engine) -> None:
        """Insert, modify or delete a group or session."""
        if not isinstance(engine, Replicating):
            raise unimplemented(
                "this executor neither clones nor multicasts; start with --executor reference"
            )
        kind = entry.WhichOneof("type")
        if kind == "multicast_group_entry":
            group = entry.multicast_group_entry
            _check_number("multicast_group_id", group.multicast_group_id, 1)
            _check(op, group.multicast_group_id in self._groups, "multicast group")
            if op is Op.DELETE:
                del self._groups[group.multicast_group_id]
                engine.set_multicast_group(group.multicast_group_id, None)
            else:
                engine.set_multicast_group(group.multicast_group_id, _replicas(group.replicas))
                self._groups[group.multicast_group_id] = group
        elif kind == "clone_session_entry":
            session = entry.clone_session_entry
            _check_number("session_id", session.session_id, 1)
            if session.packet_length_bytes < 0:
                raise invalid(
                    "a negative packet_length_bytes; expected 0 for whole packets, or more"
                )
            if session.class_of_service:
                raise unimplemented("class_of_service is not supported; expected 0")
            _check(op, session.session_id in self._sessions, "clone session")
            if op is Op.DELETE:
                del self._sessions[session.session_id]
                engine.set_clone_session(session.session_id, None)
            else:
                engine.set_clone_session(
                    session.session_id, _replicas(session.replicas), session.packet_length_bytes
                )
                self._sessions[session.session_id] = session
        else:
            raise invalid("expected multicast_group_entry or clone_session_entry")

    def read(self, entry: p4r.PacketReplicationEngineEntry) -> Iterator[p4r.Entity]:
        """The group or session with the entry's id, or all for id 0."""
        kind = entry.WhichOneof("type")
        if kind == "multicast_group_entry":
            for group in _wanted(self._groups, entry.multicast_group_entry.multicast_group_id):
                found = p4r.Entity()
                found.packet_replication_engine_entry.multicast_group_entry.CopyFrom(group)
                yield found
        elif kind == "clone_session_entry":
            for session in _wanted(self._sessions, entry.clone_session_entry.session_id):
                found = p4r.Entity()
                found.packet_replication_engine_entry.clone_session_entry.CopyFrom(session)
                yield found
        else:
            raise invalid("expected multicast_group_entry or clone_session_entry")


_T = TypeVar("_T")


def _wanted(entries: Mapping[int, _T], number: int) -> list[_T]:
    if number and number not in entries:
        raise not_found(f"no multicast group or clone session has id {number}")
    return [entries[number]] if number else list(entries.values())


def _check_number(what: str, number: int, low: int) -> None:
    """All of these are 16 bits wide in the data plane."""
    if not low <= number < 1 << 16:
        raise invalid(f"{what} {number}; expected {low}..65535")


def _check(op: Op, exists: bool, what: str) -> None:
    if op is Op.INSERT:
        if exists:
            raise P4RuntimeError(Code.ALREADY_EXISTS, f"{what} exists")
    elif not exists:
        raise not_found(f"no such {what}")


def _replicas(replicas: Iterable[p4r.Replica]) -> list[Replica]:
    result = []
    for replica in replicas:
        if replica.WhichOneof("port_kind") == "port":
            port = int.from_bytes(replica.port, "big")
        else:
            port = replica.egress_port
        _check_number("replica port", port, 0)
        _check_number("replica instance", replica.instance, 0)
        if replica.backup_replicas:
            raise unimplemented("backup_replicas are not supported; ports are not watched")
        made = Replica(port, replica.instance)
        if made in result:
            raise invalid(f"replica port {port} instance {replica.instance} is given twice")
        result.append(made)
    return result
