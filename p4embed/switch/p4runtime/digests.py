"""Digests: buffered, without duplicates, acknowledged. A machine without clock or threads.

Source: P4Runtime specification, "DigestEntry".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from finsy.proto import p4r

from p4embed.switch.engine import Digested, Op
from p4embed.switch.p4runtime.data import DigestTranslator
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, invalid, not_found
from p4embed.switch.p4runtime.translate import Translator

MAX_LIST = 4096
"""Digests in a list, whatever ``max_list_size`` says."""

MAX_UNACKNOWLEDGED = 1 << 17
"""Digests that wait for an acknowledgement; of more, the oldest are forgotten (sent again)."""


@dataclass
class _Instance:
    """One digest of the program, while it is enabled."""

    translator: DigestTranslator
    config: p4r.DigestEntry.Config
    buffer: dict[bytes, None] = field(default_factory=dict)
    since_ns: int = 0
    """When the buffer's first digest came."""
    sent: OrderedDict[int, tuple[int, tuple[bytes, ...]]] = field(default_factory=OrderedDict)
    """When, and what, by list id."""
    unacknowledged: set[bytes] = field(default_factory=set)
    next_list: int = 1

    @property
    def most(self) -> int:
        size = self.config.max_list_size
        return min(size, MAX_LIST) if size else MAX_LIST

    def due_ns(self) -> int | None:
        """When the buffer is to be sent, or the oldest list forgotten."""
        times = []
        if self.buffer:
            times.append(self.since_ns + self.config.max_timeout_ns)
        if self.sent:
            times.append(next(iter(self.sent.values()))[0] + self.config.ack_timeout_ns)
        return min(times, default=None)

    def forget(self, list_id: int) -> None:
        """A list was acknowledged, or nobody will."""
        _, data = self.sent.pop(list_id, (0, ()))
        self.unacknowledged.difference_update(data)

    def flush(self, now_ns: int) -> p4r.StreamMessageResponse:
        """The buffer as a message."""
        message = p4r.StreamMessageResponse()
        into = message.digest
        into.digest_id = self.translator.id
        into.list_id = self.next_list
        for data in self.buffer:
            into.data.append(self.translator.unpack(data))
        if self.config.ack_timeout_ns:
            self.sent[self.next_list] = (now_ns, tuple(self.buffer))
            self.unacknowledged.update(self.buffer)
            while len(self.unacknowledged) > MAX_UNACKNOWLEDGED:
                self.forget(next(iter(self.sent)))
        self.next_list += 1
        self.buffer.clear()
        return message


class Digests:
    """All digests of a pipeline. Messages that a call returns are to be sent, in order."""

    def __init__(self, translator: Translator) -> None:
        self._translators = translator.digests
        self._ids = translator.digest_ids
        self._enabled: dict[int, _Instance] = {}

    def write(self, op: Op, entry: p4r.DigestEntry) -> None:
        """Enable, reconfigure or disable a digest."""
        translator = self._translators.get(entry.digest_id)
        if translator is None:
            raise not_found(f"no digest has id {entry.digest_id}")
        enabled = self._enabled.get(entry.digest_id)
        if op is Op.INSERT and enabled is not None:
            raise P4RuntimeError(
                Code.ALREADY_EXISTS, f"digest '{translator.name}' is enabled; MODIFY it"
            )
        if op is not Op.INSERT and enabled is None:
            raise not_found(f"digest '{translator.name}' is not enabled; INSERT it first")
        if op is Op.DELETE:
            del self._enabled[entry.digest_id]
            return
        config = entry.config
        if min(config.max_timeout_ns, config.max_list_size, config.ack_timeout_ns) < 0:
            raise invalid("a negative time-out or list size; expected 0 or more")
        if enabled is None:
            self._enabled[entry.digest_id] = _Instance(translator, config)
        else:
            enabled.config = config

    def read(self, query: p4r.DigestEntry) -> Iterator[p4r.Entity]:
        """The configuration of one, or of all that are enabled for id 0."""
        if query.digest_id and query.digest_id not in self._translators:
            raise not_found(f"no digest has id {query.digest_id}")
        for id_, instance in self._enabled.items():
            if query.digest_id in (0, id_):
                entity = p4r.Entity()
                entity.digest_entry.digest_id = id_
                entity.digest_entry.config.CopyFrom(instance.config)
                yield entity

    def learned(self, digests: Iterable[Digested], now_ns: int) -> list[p4r.StreamMessageResponse]:
        """What packets left."""
        messages = []
        for index, data in digests:
            instance = self._enabled.get(self._ids.get(index, 0))
            if instance is None or data in instance.buffer or data in instance.unacknowledged:
                continue
            if not instance.buffer:
                instance.since_ns = now_ns
            instance.buffer[data] = None
            if len(instance.buffer) >= instance.most or not instance.config.max_timeout_ns:
                messages.append(instance.flush(now_ns))
        return messages

    def passed(self, now_ns: int) -> list[p4r.StreamMessageResponse]:
        """Time has passed."""
        messages = []
        for instance in self._enabled.values():
            if instance.buffer and now_ns >= instance.since_ns + instance.config.max_timeout_ns:
                messages.append(instance.flush(now_ns))
            expired = now_ns - instance.config.ack_timeout_ns
            while instance.sent and next(iter(instance.sent.values()))[0] <= expired:
                instance.forget(next(iter(instance.sent)))
        return messages

    def due_ns(self) -> int | None:
        """When ``passed`` has something to do."""
        times = [due for i in self._enabled.values() if (due := i.due_ns()) is not None]
        return min(times, default=None)

    def acknowledge(self, ack: p4r.DigestListAck) -> None:
        """A controller has acted on a list; one that is unknown by now changes nothing."""
        if ack.digest_id not in self._translators:
            raise invalid(f"no digest has id {ack.digest_id}")
        instance = self._enabled.get(ack.digest_id)
        if instance is not None:
            instance.forget(ack.list_id)
