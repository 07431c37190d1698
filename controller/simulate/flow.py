"""A flow of the workload: two ends that answer each other, and what is known of its packets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NoReturn, Protocol

from controller.flow import Address, FlowKey, Nanoseconds, Tuple5
from controller.packet import Packet
from controller.simulate.dice import Dice
from controller.simulate.frames import tagged
from controller.simulate.site import Wire
from controller.simulate.violation import Rule, Violation

CLIENT, SERVER = 0, 1

_CHILD = 1 << 31
"""Set in the number of a flow that another one announced."""
_SIBLING_AT = 27
"""Bits of the number from here on tell those of one parent apart; below is the parent's number."""


_NONE: frozenset[int] = frozenset()
"""One for all."""


def root_of(number: int) -> int:
    """The flow that announced this one, or itself."""
    return number & (1 << _SIBLING_AT) - 1 if number & _CHILD else number


class Network(Protocol):
    """What flows need of the world."""

    @property
    def now(self) -> Nanoseconds:
        """Virtual time."""
        ...

    def count(self, deed: str) -> None:
        """The firewall has done something that a host can see, for the run's report."""
        ...

    def put(self, flow: Flow, wire: Wire, frame: bytes, after: Nanoseconds) -> None:
        """A frame goes onto a wire, towards the firewall."""
        ...

    def wake(self, flow: Flow, after: Nanoseconds, what: int) -> None:
        """Call ``alarm`` then."""
        ...

    def adopt(self, flow: Flow) -> None:
        """A flow that another one announced begins."""
        ...

    def listen(self, flow: Flow, address: Address, port: int) -> None:
        """What comes there without a tag is the flow's."""
        ...

    def is_taken(self, address: Address, port: int) -> bool:
        """Whether what comes there without a tag is a flow's."""
        ...


class Flow(ABC):
    """One client, one server. Packet numbers are even from the client, odd from the server."""

    __slots__ = (
        "_root",
        "alarms",
        "arrived",
        "astray",
        "children",
        "client",
        "clock",
        "copies",
        "dice",
        "door",
        "doubted",
        "entries",
        "fallen",
        "far",
        "fate",
        "left_spu",
        "listens",
        "names",
        "network",
        "number",
        "open",
        "seen",
        "server",
        "there",
        "wire_free",
    )

    kind: ClassVar[str] = ""
    """What it is, in a word or two."""
    is_counted: ClassVar[bool] = True
    """Each of its packets leaves once, or is dropped with a reason. Not so where a gateway takes
    what passes apart and acknowledges it itself."""
    comes_in_fragments: ClassVar[bool] = False
    """Later ones may wait in vain for a first one that was lost, and fall without a name."""
    is_for_us: ClassVar[bool] = False
    """The firewall itself answers."""
    reports_errors: ClassVar[bool] = False
    """The server answers with ICMP errors."""

    def __init__(
        self,
        number: int,
        dice: tuple[Dice, Dice],
        network: Network,
        wires: tuple[Wire, Wire],
        ahead: Tuple5,
    ) -> None:
        self.number = number
        self.dice, self.fate = dice
        """What its hosts do; and what happens to it on the way."""
        self.network = network
        self.client, self.server = wires
        self.there = ahead
        """Addresses and ports as the client has them."""
        self.far: tuple[Address, ...] = (ahead.dst,)
        """The server's address as it is, or may be; the client may know another one."""
        self.door = ahead.dst, ahead.dport
        """Where the server listens in truth, if it was announced."""
        self._root: Flow | None = None
        """``None``: itself. (One that refers to itself stays until somebody looks for cycles.)"""
        self.astray = False
        """It went through the gate of somebody else, who was given its port."""
        self.children = 0
        """Flows that it, or one of those, has announced."""
        self.listens: list[tuple[Address, int]] = []
        """Where it hears what has no tag."""
        self.seen: Tuple5 | None = None
        """As the server has them, from its side: what it answers with. ``None``: it has heard of
        nothing yet."""
        self.alarms = 0
        """Calls of ``alarm`` to come."""
        self.open = 0
        """Packets under way, on wires and in the chassis."""
        self.entries = 0
        """Of it at the central point."""
        self.fallen = 0
        """Packets that were dropped, with a reason."""
        self.copies = bytearray(), bytearray()
        """By side, for each packet that it has made: how many may still leave."""
        self.wire_free = [0, 0]
        """Until when the last frame occupies a wire, if frames stay in order."""
        self.arrived: dict[int, list[tuple[int, int, Nanoseconds]]] = {}
        """By number, of packets that are in an SPU: when copies reached it, and which; and an NPU
        before that."""
        self.clock = 0
        self.doubted = _NONE
        """Packets that an SPU has held back in doubt: others may leave it before them."""
        self.left_spu: dict[int, int] = {}
        """By SPU and direction: of the packets that left it, the latest arrival."""
        self.names: list[FlowKey] = []
        """Keys under which it is known."""

    # -- what it does -------------------------------------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """The client's first packets."""

    def alarm(self, _what: int = 0, /) -> None:  # noqa: B027 - some never ask to be woken
        """Time has passed; the number is as ``wake`` was told."""

    def heard(  # noqa: B027 - some expect no answer
        self, _side: int, _packet: Packet, _number: int, /
    ) -> None:
        """A packet reached the other end, by the wire ``self.server`` or ``self.client``."""

    # -- how it does it -----------------------------------------------------------------------

    @property
    def root(self) -> Flow:
        """Who has announced it, and whoever announced that; itself, if nobody has."""
        return self._root or self

    @property
    def back(self) -> Tuple5:
        """The server's view, or what it would be without translation."""
        return self.seen if self.seen is not None else self.there.reversed()

    @property
    def version(self) -> int:
        """4 or 6."""
        return 4 if len(self.there.src) == 4 else 6

    def tag(self, side: int) -> bytes:
        """The tag of a new packet from one side, which may leave once."""
        copies = self.copies[side]
        number = 2 * len(copies) + side
        copies.append(1)
        return tagged(self.number, number)

    def last(self, side: int) -> int:
        """Number of the packet that one side has made last."""
        return 2 * len(self.copies[side]) - 2 + side

    def leaves(self, number: int) -> bool:
        """A copy of a packet leaves; whether it may."""
        copies, at = self.copies[number & 1], number >> 1
        if at >= len(copies) or not copies[at]:
            return False
        copies[at] -= 1
        return True

    def doubled(self, number: int, _frame: bytes, /) -> None:
        """A packet was doubled on a wire, so it may leave twice; -1: one without a tag."""
        if number >= 0:
            self.copies[number & 1][number >> 1] += 1

    def fell(self, _key: FlowKey | None, /) -> None:
        """A packet was dropped, as one of the flow with this key."""
        self.fallen += 1

    def put(self, side: int, frame: bytes, after: Nanoseconds = 0) -> None:
        """Send a frame from one side."""
        self.network.put(self, self.server if side else self.client, frame, after)

    def wake(self, after: Nanoseconds, what: int = 0) -> None:
        """Have ``alarm`` called."""
        self.alarms += 1
        self.network.wake(self, after, what)

    def listen(self, side: int, port: int) -> None:
        """Hear what comes to a port of one side without a tag."""
        self.network.listen(self, self.door[0] if side else self.there.src, port)

    def free_port(self, address: Address, low: int, count: int, step: int = 1) -> int:
        """A port for a host, one of ``count`` from ``low`` on, at which it does not listen yet."""
        at = self.dice.below(count)
        for n in range(count):
            port = low + (at + n) % count * step
            if not self.network.is_taken(address, port):
                break
        return port

    def announce(
        self,
        kind: type[Flow],
        side: int,
        ahead: Tuple5,
        door: tuple[Address, int],
        seen: Tuple5 | None = None,
    ) -> None:
        """A flow to one side begins, as both sides were told: to an address and port that its
        opener knows and that are ``door`` in truth. With ``seen``, that side knows how to reach the
        opener before it hears of it."""
        root = self.root
        sibling = (root.children & 15) << _SIBLING_AT
        root.children += 1
        number = _CHILD | sibling | root.number
        wires = (self.client, self.server) if side == SERVER else (self.server, self.client)
        dice = Dice(self.dice.below(1 << 30)), Dice(self.fate.below(1 << 30))
        child = kind(number, dice, self.network, wires, ahead)
        child.far, child.door = (door[0],), door
        child._root, child.seen = root, seen
        self.network.adopt(child)

    def note(self, side: int, packet: Packet) -> None:
        """What the server learns from a packet about who speaks to it."""
        if side == SERVER and not packet.is_later_fragment:
            self.seen = Tuple5(packet.dst, packet.src, packet.dport, packet.sport, packet.protocol)

    @property
    def unmet(self) -> str:
        """What its hosts wait for in vain, now that it is over; nothing: all went well."""
        return ""

    def broken(self, rule: Rule, what: str) -> NoReturn:
        """A host has noticed."""
        raise Violation(rule, f"{what} ({self.kind})", self.network.now, self.number)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left anywhere."""
        return not (self.alarms or self.entries or (self.open and self.is_counted))
