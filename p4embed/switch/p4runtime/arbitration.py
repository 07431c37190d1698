"""Which controller is primary: a pure state machine over clients, roles and election ids.

Source: P4Runtime specification, "Client Arbitration and Controller Replication". Every role has its
own primary, and the scope that its configuration says (see ``roles.py``).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from finsy.proto import U128, p4r
from google.protobuf.any_pb2 import Any

from p4embed.switch.p4runtime.errors import (
    Code,
    P4RuntimeError,
    denied,
    invalid,
    not_found,
    number,
    unimplemented,
)
from p4embed.switch.p4runtime.roles import Scope, read_scope

Client = Hashable
"""A stream, as whoever owns it identifies it."""

Notice = tuple[Client, p4r.MasterArbitrationUpdate]
"""An update to be sent to a client."""

MAX_CLIENTS = 32
"""Streams at a time."""


@dataclass
class _Role:
    clients: dict[Client, int | None] = field(default_factory=dict)
    """Election ids of live clients; ``None``: unset, never primary."""
    highest: int | None = None
    """The highest election id ever received."""
    primary: Client | None = None
    config: Any | None = None
    """As the last primary gave it."""
    scope: Scope | None = None
    """What ``config`` means; ``None``: full pipeline access."""


class Arbiter:
    """Tracks clients and picks each role's primary. Not thread-safe."""

    def __init__(self, device_id: int) -> None:
        self.device_id = device_id
        self._roles: dict[str, _Role] = {}
        self._role_of: dict[Client, str] = {}

    def update(self, client: Client, message: p4r.MasterArbitrationUpdate) -> list[Notice]:
        """A client's arbitration message; an error ends its stream."""
        known = client in self._role_of
        if message.device_id != self.device_id:
            text = f"device_id {message.device_id}; this device has {self.device_id}"
            if known:
                raise P4RuntimeError(Code.FAILED_PRECONDITION, text)
            raise not_found(text)
        name = message.role.name
        if known and self._role_of[client] != name:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION,
                f"role '{name}'; this stream has role '{self._role_of[client]}' and must keep it",
            )
        scope = read_scope(message.role.config) if message.role.HasField("config") else None
        if scope is not None:
            self._check_exclusive(name, scope)
        if message.role.id:
            raise unimplemented("role.id is deprecated since P4Runtime 1.4; use role.name")
        election_id = U128.decode(message.election_id) if message.HasField("election_id") else None
        role = self._roles.setdefault(name, _Role())
        if election_id is not None and any(
            other != client and used == election_id for other, used in role.clients.items()
        ):
            raise invalid(f"election_id {election_id} is used by another live controller")
        if not known and len(self._role_of) >= MAX_CLIENTS:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED, f"{MAX_CLIENTS} controllers are connected; no more fit"
            )
        role.clients[client] = election_id
        self._role_of[client] = name
        if election_id is not None and (role.highest is None or election_id >= role.highest):
            role.highest = election_id
            role.primary = client
            role.config = message.role.config if scope is not None else None
            role.scope = scope
            return self._notify(name, role, list(role.clients))
        if role.primary == client:
            role.primary = None
            return self._notify(name, role, list(role.clients))
        return self._notify(name, role, [client])

    def _check_exclusive(self, name: str, scope: Scope) -> None:
        """What is one role's alone is no other's."""
        if not name:
            raise invalid("the default role has full pipeline access; leave role.config unset")
        for other, role in self._roles.items():
            if other == name or role.scope is None:
                continue
            theirs = role.scope
            clash = (scope.exclusive & (theirs.exclusive | theirs.shared)) | (
                scope.shared & theirs.exclusive
            )
            if clash:
                raise invalid(f"id {min(clash)} is exclusive to this role or to role '{other}'")

    def leave(self, client: Client) -> list[Notice]:
        """A stream ended."""
        name = self._role_of.pop(client, None)
        if name is None:
            return []
        role = self._roles[name]
        del role.clients[client]
        if role.primary != client:
            return []
        role.primary = None
        return self._notify(name, role, list(role.clients))

    def _notify(self, name: str, role: _Role, clients: list[Client]) -> list[Notice]:
        return [(client, self._notice(name, role, client)) for client in clients]

    def _notice(self, name: str, role: _Role, client: Client) -> p4r.MasterArbitrationUpdate:
        message = p4r.MasterArbitrationUpdate(device_id=self.device_id)
        if name:
            message.role.name = name
        if role.config is not None:
            message.role.config.CopyFrom(role.config)
        if role.highest is not None:
            message.election_id.CopyFrom(U128.encode(role.highest))
        if role.primary is None:
            message.status.code = number(Code.NOT_FOUND)
            message.status.message = "no controller is primary"
        elif role.primary == client:
            message.status.code = number(Code.OK)
            message.status.message = "you are primary"
        else:
            message.status.code = number(Code.ALREADY_EXISTS)
            message.status.message = "another controller is primary"
        return message

    def check_primary(self, device_id: int, role_name: str, election_id: int | None) -> None:
        """What Write and SetForwardingPipelineConfig demand, in the order of the specification."""
        self.check_device(device_id)
        role = self._roles.get(role_name)
        if role is None:
            if role_name:
                raise not_found(f"no controller has role '{role_name}'")
            raise denied("no controller is primary; open a StreamChannel and arbitrate first")
        if role.primary is None:
            raise denied("no controller is primary")
        if election_id is None or role.clients[role.primary] != election_id:
            raise denied(
                f"election_id {election_id} is not the primary's, {role.clients[role.primary]}"
            )

    def scope(self, role_name: str) -> Scope | None:
        """What a role may do; ``None``: everything. ``NOT_FOUND`` for a role that nobody has."""
        if not role_name:
            return None
        role = self._roles.get(role_name)
        if role is None:
            raise not_found(f"no controller has role '{role_name}'")
        return role.scope

    def scope_of(self, client: Client) -> Scope | None:
        """What a client's role may do."""
        return self._roles[self._role_of[client]].scope

    def check_device(self, device_id: int) -> None:
        """``NOT_FOUND`` for another device."""
        if device_id != self.device_id:
            raise not_found(f"device_id {device_id}; this device has {self.device_id}")

    def is_primary(self, client: Client) -> bool:
        """Whether a client is its role's primary."""
        name = self._role_of.get(client)
        return name is not None and self._roles[name].primary == client

    def primaries(self) -> list[Client]:
        """The primary of every role that has one."""
        return [role.primary for role in self._roles.values() if role.primary is not None]
