"""Incidents: what an operator does, and who crashes."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify
from itertools import islice

from controller.config.schema import SECOND
from controller.messages import (
    CP,
    Actor,
    ClearPersistentNat,
    ClearSession,
    DrainSpu,
    InjectNatFaults,
    PacketIn,
    Reconfigure,
    Role,
    SpuFailed,
)
from controller.simulate import inside
from controller.simulate.cards import CP_INDEX, Cards
from controller.simulate.dice import Dice
from controller.simulate.frames import tag_of
from controller.simulate.incidents import Incident
from controller.simulate.options import Fault
from controller.simulate.site import NPUS, VARIANTS, configuration
from controller.simulate.styles import NAT_DELAYS
from controller.simulate.tracking import carries_packet_of
from controller.simulate.world import MICROSECOND, MILLISECOND, Call, World


class Trouble:
    """Makes incidents happen."""

    def __init__(self, world: World, cards: Cards) -> None:
        self._world = world
        self._cards = cards

    def happen(self, incident: Incident) -> None:
        """Now."""
        world = self._world
        if not self._cards.is_up:
            return
        dice = Dice(world.plan.seed, incident.number, 2)
        match incident.fault:
            case Fault.CLEAR:
                what = self._clear(dice)
            case Fault.RELOAD:
                what = self._reload(dice)
            case Fault.SPU:
                what = self._lose_spu(dice)
            case Fault.NPU:
                what = self._lose_npu(dice)
            case Fault.CONTROLLER:
                what = self._crash(dice)
            case _:
                raise AssertionError(f"{incident.fault} is no incident")
        if what and world.tell is not None:
            world.tell(f"incident {incident.number}: {what}", None)

    # -- operators ----------------------------------------------------------------------------

    def _clear(self, dice: Dice) -> str:
        """An operator clears some sessions of an SPU."""
        world, cards = self._world, self._cards
        number = 1 + dice.below(world.plan.spus)
        spu = cards.spus.get(number)
        if spu is None:
            return ""
        index, wanted = cards.index[Actor(Role.SPU, number)], 1 + dice.below(10)
        found = list(islice(inside.sessions(spu).items(), wanted))
        for session_id, session in found:
            flow = world.ledger.flow_of.get(session.wings[0].key)
            at = world.now + 2 * MICROSECOND + dice.below(MILLISECOND)
            world.at(at, index, ClearSession(session_id), flow)
        if dice.hits(300):
            at = world.now + 2 * MICROSECOND + dice.below(MILLISECOND)
            world.at(at, CP_INDEX, ClearPersistentNat(), None)
            world.tally.happened(Fault.CLEAR, "persistent bindings")
        world.tally.happened(Fault.CLEAR, "times")
        world.tally.happened(Fault.CLEAR, "sessions", len(found))
        return f"an operator clears {len(found)} sessions of SPU {number}"

    def _reload(self, dice: Dice) -> str:
        """Another configuration; each machine hears of it when its message gets there."""
        world, cards = self._world, self._cards
        variant = dice.below(VARIANTS)
        cards.config = configuration(variant, cards.chassis, cards.style, cards.config)
        message = Reconfigure(cards.config)
        for npu in cards.npus.values():
            npu.configure(cards.config)
        for index, name in enumerate(cards.names):
            if name.role is not Role.NPU:
                at = world.now + 2 * MICROSECOND + dice.below(MILLISECOND)
                world.at(at, index, message, None)
        if dice.hits(300):
            # An operator tries what it is like if allocations take time, or no longer do.
            delay = NAT_DELAYS[dice.below(len(NAT_DELAYS))]
            other = cards.style._replace(nat_delay=delay).nat_faults(world.plan.faults)
            at = world.now + 2 * MICROSECOND + dice.below(MILLISECOND)
            world.at(at, CP_INDEX, InjectNatFaults(other), None)
        world.tally.happened(Fault.RELOAD, "times")
        return f"configuration {variant} comes into force"

    # -- SPUs ---------------------------------------------------------------------------------

    def _lose_spu(self, dice: Dice) -> str:
        """An SPU fails, and a fresh one joins after a while; or it gets no new flows for a while.
        The central point hears of its end behind what it sent before."""
        world, cards = self._world, self._cards
        number = 1 + dice.below(world.plan.spus)
        if number not in cards.spus:
            return ""
        index = cards.index[Actor(Role.SPU, number)]
        back = world.now + MILLISECOND + dice.below(max(SECOND, world.end // 8))
        if dice.hits(300):
            cards.carry(index, [(CP, DrainSpu(number))], None)
            world.at(back, index, Call.UNDRAIN, None)
            world.tally.happened(Fault.SPU, "drained")
            return f"SPU {number} drains"
        spu = cards.remove(index)
        self._lose_waiting(inside.waiting(spu))
        inside.empty(spu)
        cards.carry(index, [(CP, SpuFailed(number, "the plan has it"))], None)
        world.at(back, index, Call.JOIN, None)
        world.tally.happened(Fault.SPU, "failed")
        return f"SPU {number} fails"

    def undrain(self, index: int) -> None:
        """An SPU gets new flows again."""
        cards = self._cards
        if cards.is_up:
            number = cards.names[index].number
            cards.carry(index, [(CP, DrainSpu(number, on=False))], None)

    # -- NPUs and the controller --------------------------------------------------------------

    def _lose_npu(self, dice: Dice) -> str:
        """An NPU goes down. Writes to it fail, or were done and nobody knows; when the controller
        notices, it ends (docs/LIMITATIONS.md), and is started again once the NPU is back."""
        world = self._world
        number = NPUS[dice.below(len(NPUS))]
        self._cards.npus[number].lost = True
        notice = min(200 * MILLISECOND, world.end // 8)
        world.at(world.now + dice.below(notice + 1), None, Call.NOTICE, None)
        world.tally.happened(Fault.NPU, "lost")
        return f"NPU {number} is lost"

    def notice(self) -> None:
        """The controller notices that an NPU is gone, unless it is back already."""
        cards = self._cards
        if cards.is_up and any(npu.lost for npu in cards.npus.values()):
            world = self._world
            self._end_controller(Dice(world.plan.seed, world.now))
            world.tally.happened(Fault.NPU, "controllers ended")
            if world.tell is not None:
                world.tell("the controller has noticed, and ends", None)

    def _crash(self, dice: Dice) -> str:
        self._end_controller(dice)
        self._world.tally.happened(Fault.CONTROLLER, "crashed")
        return "the controller crashes"

    def _end_controller(self, dice: Dice) -> None:
        """The controller is gone, with all it knew and all that was under way to and from it. NPUs
        go on by themselves: what rides Express Path still passes. Another one begins soon."""
        world, cards = self._world, self._cards
        self._lose_messages()
        for spu in cards.spus.values():
            self._lose_waiting(inside.waiting(spu))
        self._lose_waiting(inside.cp_waiting(world.ledger.cp))
        cards.shut_down()
        cards.arm()
        world.ledger.close_books()
        for flow in list(world.live.values()):
            world.settle(flow)
        # Soon enough to meet what the workload still has.
        longest = min(3 * SECOND, world.end // 6)
        world.at(world.now + MILLISECOND + dice.below(longest + 1), None, Call.BOOT, None)

    def boot(self) -> None:
        """A new controller empties the NPUs' tables and begins."""
        cards = self._cards
        if cards.is_up:
            return
        for npu in cards.npus.values():
            npu.lost = False
            npu.forget()
        cards.boot()
        if self._world.tell is not None:
            self._world.tell("a controller begins", None)

    def _lose_waiting(self, messages: Iterable[PacketIn]) -> None:
        """Packets in the queues of a machine that is gone."""
        live = self._world.live
        for message in messages:
            tag = tag_of(message.frame)
            flow = None if tag is None else live.get(tag.flow)
            if flow is not None:
                flow.open -= 1

    def _lose_messages(self) -> None:
        """What is under way to machines is lost."""
        events, kept = self._world.events, []
        for event in events:
            _, _, to, what, flow = event
            if to.__class__ is not int or what is Call.JOIN or what is Call.UNDRAIN:
                kept.append(event)
            elif flow is not None and carries_packet_of(flow, what):
                flow.open -= 1
        events[:] = kept
        heapify(events)
