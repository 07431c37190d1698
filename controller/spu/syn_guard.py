"""SYN flood protection, the client's half: SYNs above the attack threshold are answered from here.

``syn-cookie`` keeps nothing: what the answer's acknowledgement says is checked when it comes.
``syn-proxy`` keeps what the SYN said in a table that is bounded, and repeats its answer; the oldest
goes when a new one needs the room. Either way the answer's window is 0, so the client sends nothing
before the server is there (``server_half``). The acknowledgement arrives like any packet of no
session; who proves that he had our answer begins one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from controller.config.schema import SECOND, ScreenProfile, SynFloodMode
from controller.flow import Address, FlowKey, Nanoseconds
from controller.messages import AnswerSyn, Redirect, Step, Transmit
from controller.packet import ACK, RST, SYN
from controller.payload import contents, sequence
from controller.reasons import Drop, Send
from controller.spu.core import Core
from controller.spu.replies import Replies
from controller.spu.session import Pending, Queued, Refusal, Session
from controller.spu.splice import OUR_SCALE, Splice
from controller.syn_cookie import Cookies
from controller.tcp_options import Offer, offer_of, window
from controller.tcp_segments import answer, segment
from controller.timers import Timers

HALF_OPEN_LIMIT = 1024
"""Connections of ``syn-proxy`` whose client has not proved itself yet (Junos: ``queue-size``, its
default)."""
REPEAT_AFTER: Nanoseconds = SECOND
"""First time until an answer is repeated (RFC 6298, section 2.1); each next one is twice as
long."""

_HEADERS = {4: 40, 6: 60}
"""Of IP and TCP."""
_MOD = 1 << 32


class _HalfOpen:
    """A client of ``syn-proxy`` that was answered."""

    __slots__ = ("expires", "splice", "transmit", "tries")

    def __init__(self, splice: Splice, transmit: Transmit, expires: Nanoseconds) -> None:
        self.splice = splice
        self.transmit = transmit
        self.expires = expires
        self.tries = 1


@dataclass(slots=True)
class GuardCounts:
    """What an SPU did about SYN floods so far."""

    cookies: int = 0
    """SYNs answered with a cookie."""
    proxied: int = 0
    """SYNs answered by proxy, repeated ones included."""
    proved: int = 0
    """Clients that acknowledged our answer."""
    joined: int = 0
    """Servers that were asked then, and answered."""
    failed: int = 0
    """Servers that refused, or were silent."""
    evicted: int = 0
    """Half-open connections that made room for newer ones."""
    expired: int = 0
    """Half-open connections whose client never came back."""
    half_open: int = 0
    """Now."""
    screen_hits: Counter[tuple[int, Drop]] = field(default_factory=Counter)
    """By zone's number: the screen ``syn-ack-ack-proxy``."""


class SynGuard:
    """Answers SYNs, and knows whom it answered."""

    def __init__(self, core: Core, replies: Replies, seed: bytes) -> None:
        """``seed`` is the secret that all SPUs have in common."""
        self._core = core
        self._replies = replies
        self._cookies = Cookies(seed)
        self._half_open: OrderedDict[FlowKey, _HalfOpen] = OrderedDict()
        self.timers: Timers[FlowKey] = Timers()
        self._silent: Counter[tuple[int, Address]] = Counter()
        """Connections by token and client that were let in and said nothing yet."""
        self.counts = GuardCounts()

    # -- SYNs -----------------------------------------------------------------------------------

    def answer(self, message: AnswerSyn) -> None:
        """A SYN above the threshold, of a flow that nobody knows."""
        core = self._core
        packet = message.packet.parse()
        if isinstance(packet, Drop):
            core.drop(packet, message.flow, "malformed SYN")
            return
        interface = core.interface(message.packet.port, packet.vlan)
        profile = None if interface is None else core.protected.get(interface.zone)
        if interface is None or profile is None:
            # By another configuration it was too many: now it is any first packet.
            core.to_cp(Redirect(message.flow, core.number, message.packet))
            return
        queued = Queued(message.packet, packet, message.packet.direction)
        if core.config.syn_flood_mode is SynFloodMode.PROXY:
            self._proxy(message.flow, queued, profile)
            return
        offer = offer_of(packet)
        client, _ = sequence(packet)
        cookie = self._cookies.make(message.flow, client, offer, core.now)
        self.counts.cookies += 1
        core.send(core.npus[message.packet.port.npu], self._answer(queued, cookie, offer))

    def _proxy(self, flow: FlowKey, queued: Queued, profile: ScreenProfile) -> None:
        core, half_open = self._core, self._half_open
        client, _ = sequence(queued.packet)
        known = half_open.get(flow)
        if known is None or known.splice.client != client:
            self._forget(flow)
            if len(half_open) >= HALF_OPEN_LIMIT:
                self._forget(next(iter(half_open)))
                self.counts.evicted += 1
            offer = offer_of(queued.packet)
            splice = Splice(client, self._cookies.number(flow, client, core.now), offer)
            transmit = self._answer(queued, splice.ours, offer)
            expires = core.now + profile.syn_flood_timeout
            known = half_open[flow] = _HalfOpen(splice, transmit, expires)
            self.timers.set(flow, min(expires, core.now + REPEAT_AFTER))
        self.counts.proxied += 1
        core.send(core.npus[queued.message.port.npu], known.transmit)

    @property
    def is_waiting(self) -> bool:
        """Whether clients were answered by proxy that have not proved themselves."""
        return bool(self._half_open)

    def answered_already(self, pending: Pending) -> bool:
        """A SYN below the threshold, of a client who may have the proxy's answer: the server must
        not answer him, too, with another number. He gets the same answer again."""
        known = self._half_open.get(pending.flow)
        if known is None:
            return False
        client, _ = sequence(pending.first.packet)
        if known.splice.client != client:
            self._forget(pending.flow)  # another connection
            return False
        core = self._core
        self.counts.proxied += 1
        core.send(core.npus[pending.first.message.port.npu], known.transmit)
        return True

    def _answer(self, queued: Queued, ours: int, offer: Offer) -> Transmit:
        """The SYN-ACK to a SYN: our number, our options, and a window of 0."""
        packet = queued.packet
        client, _ = sequence(packet)
        core = self._core
        most = core.least_mtu - _HEADERS[packet.version]
        if core.proxy_mss is not None:
            most = min(most, core.proxy_mss)
        mine = Offer(
            max(most, 64),
            None if offer.window_scale is None else OUR_SCALE,
            offer.sack,
        )
        hop = self._replies.back(queued)
        frame = answer(packet, hop, ours, (client + 1) % _MOD, SYN | ACK, 0, mine)
        return Transmit(queued.message.port, Send.RAW, frame)

    # -- acknowledgements -----------------------------------------------------------------------

    def vouch(self, pending: Pending) -> Splice | Refusal | None:
        """Whether a first packet that is no SYN acknowledges an answer of ours; ``None``: no."""
        core, flow = self._core, pending.flow
        packet = pending.first.packet
        profile = core.protected.get(pending.ingress.zone)
        if profile is None or packet.flags & (SYN | ACK | RST) != ACK or packet.fragment:
            return None
        seq, ack = sequence(packet)
        splice = self._prove(flow, seq, ack)
        if splice is None and not contents(packet):
            # His acknowledgement was lost, and he asks whether the window is open by now, as is
            # the custom with the number before the next (RFC 9293, section 3.8.6.1).
            splice = self._prove(flow, seq + 1, ack)
            if splice is not None:
                queued = pending.first
                packet = segment(packet, (seq + 1) % _MOD, ack, ACK, window(packet))
                pending.first = queued._replace(packet=packet)
        if splice is None:
            return None
        limit = profile.thresholds.get(Drop.SYN_ACK_ACK_PROXY)
        silent = self._silent[flow.token, flow.src]
        if limit is not None and silent >= limit:
            zone = core.config.zones[pending.ingress.zone]
            self.counts.screen_hits[zone.id, Drop.SYN_ACK_ACK_PROXY] += 1
            if not profile.alarm_without_drop:
                detail = f"{silent} connections of this source have said nothing yet"
                return Refusal(Drop.SYN_ACK_ACK_PROXY, detail)
        self.counts.proved += 1
        core.step(Step.PROVED, flow, core.config.syn_flood_mode.value)
        return splice

    def _prove(self, flow: FlowKey, seq: int, ack: int) -> Splice | None:
        client, ours = (seq - 1) % _MOD, (ack - 1) % _MOD
        known = self._half_open.get(flow)
        if known is not None:
            if (known.splice.client, known.splice.ours) != (client, ours):
                return None
            self._forget(flow)
            return known.splice
        if self._core.config.syn_flood_mode is SynFloodMode.PROXY:
            return None
        offer = self._cookies.check(flow, client, ours, self._core.now)
        return None if offer is None else Splice(client, ours, offer)

    # -- clients that say nothing ---------------------------------------------------------------

    def entered(self, session: Session) -> None:
        """A connection was let in."""
        key = session.wings[0].key
        self._silent[key.token, key.src] += 1

    def spoke(self, session: Session, splice: Splice) -> None:
        """Its client sent data, or it is over."""
        splice.is_silent = False
        key = session.wings[0].key
        client = (key.token, key.src)
        self._silent[client] -= 1
        if not self._silent[client]:
            del self._silent[client]

    # -- time -----------------------------------------------------------------------------------

    def deadline(self, flow: FlowKey) -> None:
        """Repeat an answer, or give its client up."""
        core = self._core
        known = self._half_open[flow]
        if core.now >= known.expires:
            self._forget(flow)
            self.counts.expired += 1
            return
        after = REPEAT_AFTER << known.tries
        known.tries += 1
        self.counts.proxied += 1
        self.timers.set(flow, min(known.expires, core.now + after))
        core.send(core.npus[known.transmit.port.npu], known.transmit)

    def _forget(self, flow: FlowKey) -> None:
        if self._half_open.pop(flow, None) is not None:
            self.timers.cancel(flow)

    def view(self) -> GuardCounts:
        """Counts so far."""
        self.counts.half_open = len(self._half_open)
        return self.counts

    def audit(self) -> list[str]:
        """What is left, in words."""
        left = [f"half-open {flow}" for flow in self._half_open]
        left += [f"timer of half-open {flow}" for flow in self.timers]
        return left + [f"silent connections of {client}" for client in self._silent]
