"""What Reads and Writes act on: a pipeline's translator, its engine, and what the server keeps.

A saved pipeline that is not committed yet has a target of its own, so that what is written to it
is there, and nowhere else, when it is committed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from p4embed.switch.engine import Engine
from p4embed.switch.native import NativeEngine
from p4embed.switch.p4runtime.bulk import Bulk, bulk_for
from p4embed.switch.p4runtime.digests import Digests
from p4embed.switch.p4runtime.packets import Packets
from p4embed.switch.p4runtime.profiles import Profiles
from p4embed.switch.p4runtime.replication import Replication
from p4embed.switch.p4runtime.translate import Translator
from p4embed.switch.p4runtime.value_sets import ValueSets


@dataclass
class Target:
    """One pipeline's forwarding state."""

    translator: Translator
    engine: Engine
    replication: Replication = field(default_factory=Replication)
    profiles: Profiles = field(init=False)
    value_sets: ValueSets = field(init=False)
    digests: Digests = field(init=False)
    packets: Packets = field(init=False)
    bulk: Bulk | None = field(init=False)
    """Writes and Reads in bulk, if the engine has a way for them."""

    def __post_init__(self) -> None:
        self.profiles = Profiles(self.translator, self.engine)
        self.value_sets = ValueSets(self.translator, self.engine)
        self.digests = Digests(self.translator)
        self.packets = Packets(
            self.translator.packet_in,
            self.translator.packet_out,
            isinstance(self.engine, NativeEngine),
        )
        self.bulk = bulk_for(self.translator, self.engine)
