"""Action profiles and selectors: members, groups, and one-shot action sets.

The engine knows members and groups by dense numbers; here are their P4Runtime ids, who refers to
whom, and the messages as they are to be read back. A one-shot set becomes a group and members of
its own that no message shows.

Source: P4Runtime specification, "ActionProfileMember & ActionProfileGroup".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from finsy.proto import p4r

from p4embed.switch.engine import TO_GROUP, TO_MEMBER, Engine, Entry, EntryKey, Op, Selecting
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, invalid, not_found, unimplemented
from p4embed.switch.p4runtime.translate import ProfileTranslator, TableTranslator, Translator
from p4embed.switch.p4runtime.weights import (
    check_max_size,
    check_modes,
    check_watch,
    group_size,
    repeated,
    weight_of,
)


class _Numbers:
    """Dense numbers: the smallest that is free."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        if self._free:
            return heappop(self._free)
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        heappush(self._free, number)


@dataclass
class _Member:
    number: int
    message: p4r.ActionProfileMember
    uses: int = 0
    """Groups and entries that refer to it."""


@dataclass
class _Group:
    number: int
    message: p4r.ActionProfileGroup
    uses: int = 0
    """Entries that refer to it."""


@dataclass
class OneShot:
    """What an action set became in the engine."""

    group: int
    members: list[int]
    message: p4r.ActionProfileActionSet


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry's action in the engine; ``Profiles.stored`` or ``discard`` must follow."""

    action: int
    params: bytes
    one_shot: OneShot | None = None


@dataclass
class _Profile:
    translator: ProfileTranslator
    members: dict[int, _Member] = field(default_factory=dict)
    groups: dict[int, _Group] = field(default_factory=dict)
    one_shots: dict[tuple[int, EntryKey], OneShot] = field(default_factory=dict)
    member_ids: dict[int, int] = field(default_factory=dict)
    """P4Runtime ids by number."""
    group_ids: dict[int, int] = field(default_factory=dict)
    member_numbers: _Numbers = field(default_factory=_Numbers)
    group_numbers: _Numbers = field(default_factory=_Numbers)
    weights: Counter[int] = field(default_factory=Counter)
    """What each group, by number, takes of the profile's size."""


class Profiles:
    """The members and groups of all profiles of a pipeline."""

    def __init__(self, translator: Translator, engine: Engine) -> None:
        self._engine = engine
        self._profiles = {id_: _Profile(t) for id_, t in translator.profiles.items()}

    @property
    def _selecting(self) -> Selecting:
        if isinstance(self._engine, Selecting):
            return self._engine
        raise unimplemented("this executor has no action profiles; start with --executor reference")

    def _profile(self, id_: int) -> _Profile:
        profile = self._profiles.get(id_)
        if profile is None:
            raise not_found(f"no action profile has id {id_}")
        return profile

    # -- members ------------------------------------------------------------------------------

    def write_member(self, op: Op, message: p4r.ActionProfileMember) -> None:
        """Insert, modify or delete a member."""
        profile = self._profile(message.action_profile_id)
        if message.member_id == 0:
            raise invalid("member_id 0; expected 1 or more")
        old = profile.members.get(message.member_id)
        if op is Op.INSERT:
            if old is not None:
                raise P4RuntimeError(Code.ALREADY_EXISTS, f"member {message.member_id} exists")
            if profile.one_shots:
                raise invalid("the profile is programmed with one-shot action sets")
            self._check_room(profile, members=1)
            number = self._add_member(profile, message.action)
            profile.members[message.member_id] = _Member(number, message)
            profile.member_ids[number] = message.member_id
            return
        if old is None:
            raise not_found(f"no member has id {message.member_id}")
        if op is Op.MODIFY:
            action, params = profile.translator.action(message.action)
            self._selecting.set_member(profile.translator.index, old.number, action, params)
            old.message = message
            return
        if old.uses:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION, f"member {message.member_id} is in use by {old.uses}"
            )
        del profile.members[message.member_id]
        del profile.member_ids[old.number]
        self._remove_member(profile, old.number)

    def _check_room(self, profile: _Profile, members: int) -> None:
        size = profile.translator.size
        used = len(profile.members) + sum(len(o.members) for o in profile.one_shots.values())
        if size and used + members > size:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED, f"'{profile.translator.name}' holds {size} members"
            )

    def _add_member(self, profile: _Profile, action: p4r.Action) -> int:
        json_id, params = profile.translator.action(action)
        selecting = self._selecting
        number = profile.member_numbers.take()
        selecting.set_member(profile.translator.index, number, json_id, params)
        return number

    def _remove_member(self, profile: _Profile, number: int) -> None:
        self._selecting.set_member(profile.translator.index, number, None, b"")
        profile.member_numbers.give_back(number)

    def members(self, query: p4r.ActionProfileMember) -> Iterator[p4r.Entity]:
        """One member, a profile's, or all."""
        for profile in self._selected(query.action_profile_id, query.member_id):
            if query.member_id and query.member_id not in profile.members:
                raise not_found(f"no member has id {query.member_id}")
            for id_ in [query.member_id] if query.member_id else profile.members:
                entity = p4r.Entity()
                entity.action_profile_member.CopyFrom(profile.members[id_].message)
                yield entity

    # -- groups -------------------------------------------------------------------------------

    def write_group(self, op: Op, message: p4r.ActionProfileGroup) -> None:
        """Insert, modify or delete a group."""
        profile = self._profile(message.action_profile_id)
        translator = profile.translator
        if not translator.with_selector:
            raise invalid(f"'{translator.name}' has no selector, so it has no groups")
        if message.group_id == 0:
            raise invalid("group_id 0; expected 1 or more")
        old = profile.groups.get(message.group_id)
        if op is Op.INSERT:
            if old is not None:
                raise P4RuntimeError(Code.ALREADY_EXISTS, f"group {message.group_id} exists")
            if profile.one_shots:
                raise invalid("the profile is programmed with one-shot action sets")
            check_max_size(translator.info, message.max_size)
            numbers = self._member_list(profile, message, None)
            group = _Group(profile.group_numbers.take(), message)
            self._selecting.set_group(translator.index, group.number, numbers)
            profile.groups[message.group_id] = group
            profile.group_ids[group.number] = message.group_id
        elif old is None:
            raise not_found(f"no group has id {message.group_id}")
        elif op is Op.MODIFY:
            if message.max_size != old.message.max_size:
                raise invalid(f"max_size was {old.message.max_size} and cannot be changed")
            numbers = self._member_list(profile, message, old)
            self._selecting.set_group(translator.index, old.number, numbers)
            self._count_members(profile, old.message, -1)
            old.message = message
            group = old
        else:
            if old.uses:
                raise P4RuntimeError(
                    Code.FAILED_PRECONDITION, f"group {message.group_id} is in use by {old.uses}"
                )
            self._count_members(profile, old.message, -1)
            del profile.groups[message.group_id]
            del profile.group_ids[old.number]
            self._remove_group(profile, old.number)
            return
        self._count_members(profile, message, 1)
        profile.weights[group.number] = group_size(
            translator.info, [m.weight for m in message.members]
        )

    @staticmethod
    def _count_members(profile: _Profile, message: p4r.ActionProfileGroup, by: int) -> None:
        for member in message.members:
            profile.members[member.member_id].uses += by

    def _remove_group(self, profile: _Profile, number: int) -> None:
        self._selecting.set_group(profile.translator.index, number, None)
        profile.group_numbers.give_back(number)
        del profile.weights[number]

    def _member_list(
        self, profile: _Profile, message: p4r.ActionProfileGroup, old: _Group | None
    ) -> list[int]:
        """The members' numbers, repeated by weight."""
        info = profile.translator.info
        seen: set[int] = set()
        weighted: list[tuple[int, int]] = []
        for member in message.members:
            if member.member_id in seen:
                raise invalid(f"member {member.member_id} is given twice; give it a weight instead")
            seen.add(member.member_id)
            check_watch(member)
            if member.member_id not in profile.members:
                raise not_found(f"no member has id {member.member_id}")
            weight = weight_of(info, member.weight)
            weighted.append((profile.members[member.member_id].number, weight))
        size = group_size(info, [member.weight for member in message.members])
        limit = message.max_size or info.max_group_size
        if limit and size > limit:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED, f"a group of size {size}; expected at most {limit}"
            )
        self._check_weights(profile, size, None if old is None else old.number)
        return repeated(weighted)

    @staticmethod
    def _check_weights(profile: _Profile, size: int, group: int | None) -> None:
        before = sum(profile.weights.values()) - (0 if group is None else profile.weights[group])
        if profile.translator.size and before + size > profile.translator.size:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED,
                f"groups of '{profile.translator.name}' may add up to {profile.translator.size}",
            )

    def groups(self, query: p4r.ActionProfileGroup) -> Iterator[p4r.Entity]:
        """One group, a profile's, or all."""
        for profile in self._selected(query.action_profile_id, query.group_id):
            if query.group_id and query.group_id not in profile.groups:
                raise not_found(f"no group has id {query.group_id}")
            for id_ in [query.group_id] if query.group_id else profile.groups:
                entity = p4r.Entity()
                entity.action_profile_group.CopyFrom(profile.groups[id_].message)
                yield entity

    def _selected(self, profile_id: int, id_: int) -> list[_Profile]:
        if profile_id:
            return [self._profile(profile_id)]
        if id_:
            raise invalid("action_profile_id 0 reads all profiles; no other id goes with it")
        return list(self._profiles.values())

    # -- table entries ------------------------------------------------------------------------

    def resolve(self, table: TableTranslator, action: p4r.TableAction) -> Reference:
        """What an entry that refers to a member or group, or brings a set, is in the engine."""
        profile = self._profile(table.profile_id)
        kind = action.WhichOneof("type")
        if kind == "action_profile_member_id":
            member = profile.members.get(action.action_profile_member_id)
            if member is None:
                raise not_found(f"no member has id {action.action_profile_member_id}")
            return Reference(TO_MEMBER, member.number.to_bytes(4, "big"))
        if kind == "action_profile_group_id":
            group = profile.groups.get(action.action_profile_group_id)
            if group is None:
                raise not_found(f"no group has id {action.action_profile_group_id}")
            return Reference(TO_GROUP, group.number.to_bytes(4, "big"))
        if kind == "action_profile_action_set":
            return self._one_shot(profile, action.action_profile_action_set)
        raise invalid(
            f"table '{table.name}' has an action profile: {kind or 'no action'}; expected a member,"
            " a group or an action set"
        )

    def _one_shot(self, profile: _Profile, message: p4r.ActionProfileActionSet) -> Reference:
        """A group and members of their own."""
        translator = profile.translator
        info = translator.info
        if not translator.with_selector:
            raise invalid(f"'{translator.name}' has no selector, so it takes no action sets")
        if profile.members or profile.groups:
            raise invalid("the profile is programmed with members and groups")
        check_modes(info, message)
        actions = message.action_profile_actions
        for action in actions:
            check_watch(action)
            translator.action(action.action)
        size = group_size(info, [action.weight for action in actions])
        if info.max_group_size and size > info.max_group_size:
            raise invalid(f"an action set of size {size}; expected at most {info.max_group_size}")
        choices = repeated([(i, weight_of(info, a.weight)) for i, a in enumerate(actions)])
        self._check_room(profile, len(actions))
        self._check_weights(profile, size, None)
        numbers = [self._add_member(profile, action.action) for action in actions]
        group = profile.group_numbers.take()
        self._selecting.set_group(translator.index, group, [numbers[i] for i in choices])
        profile.weights[group] = size
        made = OneShot(group, numbers, message)
        return Reference(TO_GROUP, group.to_bytes(4, "big"), made)

    def stored(
        self,
        table: TableTranslator,
        old: Entry | None,
        new: EntryKey | None = None,
        reference: Reference | None = None,
    ) -> None:
        """An entry was inserted (``old`` is ``None``), modified or deleted (``new`` is)."""
        profile = self._profile(table.profile_id)
        if old is not None:
            one_shot = profile.one_shots.pop((table.index, old.key), None)
            if one_shot is not None:
                self._remove_one_shot(profile, one_shot)
            else:
                _use(profile, old.action, old.params, -1)
        if new is not None and reference is not None:
            if reference.one_shot is not None:
                profile.one_shots[table.index, new] = reference.one_shot
            else:
                _use(profile, reference.action, reference.params, 1)

    def discard(self, table: TableTranslator, reference: Reference) -> None:
        """The entry was not written."""
        if reference.one_shot is not None:
            self._remove_one_shot(self._profile(table.profile_id), reference.one_shot)

    def _remove_one_shot(self, profile: _Profile, one_shot: OneShot) -> None:
        self._remove_group(profile, one_shot.group)
        for number in one_shot.members:
            self._remove_member(profile, number)

    def describe(self, table: TableTranslator, entry: Entry, into: p4r.TableAction) -> None:
        """An entry's action, as it was written."""
        profile = self._profile(table.profile_id)
        one_shot = profile.one_shots.get((table.index, entry.key))
        number = int.from_bytes(entry.params, "big")
        if one_shot is not None:
            into.action_profile_action_set.CopyFrom(one_shot.message)
        elif entry.action == TO_MEMBER:
            into.action_profile_member_id = profile.member_ids[number]
        else:
            into.action_profile_group_id = profile.group_ids[number]


def _use(profile: _Profile, action: int, params: bytes, by: int) -> None:
    number = int.from_bytes(params, "big")
    if action == TO_MEMBER:
        profile.members[profile.member_ids[number]].uses += by
    else:
        profile.groups[profile.group_ids[number]].uses += by
