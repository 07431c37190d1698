"""What a role may do: the scheme of Stratum's ``P4RoleConfig``, carried in ``role.config``.

P4Runtime leaves the scheme open. In this one a role names the P4Info ids that it writes, alone
(exclusive) or together with other roles (shared); says whether it gets packets-in, and which; and
whether it may change the pipeline. A role without a configuration may do everything. Entities
without a P4Info id, which are clone sessions and multicast groups, are open to all roles.

Source: P4Runtime specification, "Role Config"; Stratum's ``p4_role_config.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4r, stratum
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError

from p4embed.switch.p4runtime.errors import denied, invalid


@dataclass(frozen=True, slots=True)
class Scope:
    """What a role with a configuration may do."""

    exclusive: frozenset[int]
    shared: frozenset[int]
    packet_ins: bool
    packet_filter: tuple[int, bytes] | None
    """Metadata id and value (without leading zeros) that a packet-in must have."""
    can_push_pipeline: bool

    def writes(self, id_: int) -> bool:
        """Whether the role has an entity of this P4Info id."""
        return id_ in self.exclusive or id_ in self.shared

    def check_write(self, entity: p4r.Entity) -> None:
        """``PERMISSION_DENIED`` for an entity that is another role's."""
        id_ = p4info_id(entity)
        if id_ and not self.writes(id_):
            raise denied(f"id {id_} (0x{id_:08x}) is not in the configuration of this role")

    def reads(self, entity: p4r.Entity) -> bool:
        """Whether a Read of the role shows an entity."""
        id_ = p4info_id(entity)
        return not id_ or self.writes(id_)

    def hears(self, message: p4r.StreamMessageResponse) -> bool:
        """Whether the role's primary gets a message of its stream."""
        match message.WhichOneof("update"):
            case "packet":
                return self.packet_ins and self._passes(message.packet)
            case "digest":
                return self.writes(message.digest.digest_id)
            case "idle_timeout_notification":
                entries = message.idle_timeout_notification.table_entry
                return all(self.writes(entry.table_id) for entry in entries)
        return True

    def _passes(self, packet: p4r.PacketIn) -> bool:
        if self.packet_filter is None:
            return True
        id_, value = self.packet_filter
        return any(m.metadata_id == id_ and m.value.lstrip(b"\0") == value for m in packet.metadata)


def read_scope(config: Any) -> Scope:
    """A role's configuration; ``INVALID_ARGUMENT`` if it is of another scheme."""
    made = stratum.P4RoleConfig()
    try:
        if not config.Unpack(made):
            raise invalid(
                f"role.config is a '{config.type_url}'; expected stratum.P4RoleConfig, or unset for"
                " full pipeline access"
            )
    except DecodeError:
        raise invalid("role.config is no valid stratum.P4RoleConfig") from None
    filter_ = None
    if made.HasField("packet_in_filter"):
        filter_ = (made.packet_in_filter.metadata_id, made.packet_in_filter.value.lstrip(b"\0"))
    return Scope(
        frozenset(made.exclusive_p4_ids),
        frozenset(made.shared_p4_ids),
        made.receives_packet_ins,
        filter_,
        made.can_push_pipeline,
    )


def p4info_id(entity: p4r.Entity) -> int:
    """The P4Info id of what an entity belongs to; 0 for clone sessions and groups."""
    match entity.WhichOneof("entity"):
        case "table_entry":
            return entity.table_entry.table_id
        case "direct_counter_entry":
            return entity.direct_counter_entry.table_entry.table_id
        case "direct_meter_entry":
            return entity.direct_meter_entry.table_entry.table_id
        case "counter_entry":
            return entity.counter_entry.counter_id
        case "meter_entry":
            return entity.meter_entry.meter_id
        case "register_entry":
            return entity.register_entry.register_id
        case "action_profile_member":
            return entity.action_profile_member.action_profile_id
        case "action_profile_group":
            return entity.action_profile_group.action_profile_id
        case "value_set_entry":
            return entity.value_set_entry.value_set_id
        case "digest_entry":
            return entity.digest_entry.digest_id
        case "extern_entry":
            return entity.extern_entry.extern_id
    return 0
