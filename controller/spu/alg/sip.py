"""SIP over UDP and TCP (RFC 3261) with session descriptions: calls, and where their media go.

Under translation the ends' addresses are replaced wherever a message names them: start line and
header fields (Via, Contact, Route, From, To, Call-ID, ...) and the description in the body. Each
end keeps seeing its own address and port; the other end's names are as routing has them there.

Media may come from anybody while the gate is open: an answer may send from another port, and a
proxy's media come from elsewhere. An end that announced a port and sends from it is translated to
the port that was announced for it (symmetric RTP).
"""

from __future__ import annotations

import re

from controller.config.schema import SECOND
from controller.flow import Address, Direction, text
from controller.gate import Endpoint
from controller.packet import UDP
from controller.spu.alg import text_message
from controller.spu.alg.base import NOTHING, Findings, Pinhole, Sight
from controller.spu.alg.mime import description_within
from controller.spu.alg.sdp import Description
from controller.spu.alg.text_message import Message

DEFAULT_PORT = 5060
MEDIA_TIMEOUT = 240 * SECOND
"""How long announced media may take to come: a telephone may ring for as long as proxies wait for
an answer, a little more than three minutes (RFC 3261, section 16.6)."""
_VIA = frozenset((b"via", b"v"))
_NAMES_A_PORT = frozenset((b"contact", b"m", b"route", b"record-route", b"path"))
"""Fields that requests and answers find their way by: here a port other than the default counts."""
_PROOFS = frozenset(
    (b"authorization", b"proxy-authorization", b"www-authenticate", b"proxy-authenticate")
)
"""Fields whose words both ends reckon a password's proof with (RFC 3261, section 22): they stay."""
_ENDS_A_CALL = (b"BYE ", b"CANCEL ")


class SipAlg:
    """The signalling between two ends."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights
        self._names = tuple(_Names(sight) for sight in sights)

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Messages say how long their bodies are."""
        return text_message.size(data)

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A request or an answer."""
        message = text_message.take_apart(unit)
        if message is None or b"SIP/2.0" not in message.start:
            return NOTHING
        # A translated Call-ID differs behind the @ only.
        call = next(iter(message.values(b"call-id", b"i")), b"")
        tag = call.partition(b"@")[0].decode(errors="replace")
        ended = (tag,) if message.start.startswith(_ENDS_A_CALL) else ()
        sight, names = self._sights[direction], self._names[direction]
        body, description = message.body, None
        where = description_within(next(iter(message.values(b"content-type", b"c")), b""), body)
        if where is not None:
            description = Description(body[where])
        media = description.media if description is not None else []
        pinholes = tuple(
            Pinhole(
                direction, UDP, one.endpoint, "junos-sip-media", MEDIA_TIMEOUT, one.count, uses=0,
                from_peer=False, call=tag,
            )
            for one in media
        )  # fmt: skip
        if not names.differ:
            return Findings(pinholes, ended_calls=ended)
        own, seen = sight.own.address, sight.own_seen.address
        listeners = (one.endpoint.address for one in media)
        old = frozenset((own, *(address for address in listeners if len(address) == len(seen))))

        def render(holes: tuple[Endpoint, ...]) -> bytes:
            told = body
            if description is not None and where is not None and own != seen:
                text = description.translated(holes, old, seen)
                told = body[: where.start] + text + body[where.stop :]
            fields = [(name, _field(names, name.strip().lower(), v)) for name, v in message.fields]
            return Message(names.replaced(message.start, True), fields, told).pack()

        return Findings(pinholes, render, ended)


def _field(names: _Names, name: bytes, value: bytes) -> bytes:
    if name in _PROOFS:
        return value
    if name in _VIA:
        return b",".join(names.hop(hop) for hop in value.split(b","))
    return names.replaced(value, name in _NAMES_A_PORT)


class _Names:
    """How the ends are called in messages of a direction, and how on the other side."""

    def __init__(self, sight: Sight) -> None:
        pairs = ((sight.own, sight.own_seen), (sight.peer, sight.peer_own))
        self._map = {_host(there.address): (there, here) for there, here in pairs if there != here}
        hosts = b"|".join(map(re.escape, self._map))
        self._shared = sight.peer if sight.is_peer_shared else None
        """With another port than this one the address is somebody else's."""
        # What stands before may be a scheme's colon, but none of an IPv6 address.
        before = rb"(?<![\w.-])(?<![0-9A-Fa-f:]:)"
        self._pattern = re.compile(before + rb"(" + hosts + rb")(?::(\d{1,5}))?(?![\w.@]|:\d)")

    @property
    def differ(self) -> bool:
        """Whether anything is translated at all."""
        return bool(self._map)

    def replaced(self, value: bytes, names_a_port: bool, *, is_hop: bool = False) -> bytes:
        """A start line or a field's value as it reads on the other side."""

        def replace(match: re.Match[bytes]) -> bytes:
            old, new = self._map[match[1]]
            port = int(match[2]) if match[2] else DEFAULT_PORT
            says_a_port = match[2] or names_a_port
            if old == self._shared and port != old.port and says_a_port and not is_hop:
                return match[0]
            if port == old.port:
                port = new.port
            is_shown = match[2] or (names_a_port and port != DEFAULT_PORT)
            return _host(new.address) + (b":%d" % port if is_shown else b"")

        return self._pattern.sub(replace, value)

    def hop(self, value: bytes) -> bytes:
        """One of those that a request came by (RFC 3261, section 18.2; RFC 3581)."""
        match = self._pattern.search(value)
        if match is None:
            return value
        old, new = self._map[match[1]]
        came_from = _RPORT.search(value)
        port = came_from or match
        if old == self._shared and old.port != (int(port[2]) if port[2] else DEFAULT_PORT):
            return value
        value = self.replaced(value, True, is_hop=True)
        if came_from is None or int(came_from[2]) != old.port:
            return value
        return _RPORT.sub(rb"\g<1>%d" % new.port, value)


_RPORT = re.compile(rb"(;[ \t]*rport=)(\d{1,5})(?!\d)")


def _host(address: Address) -> bytes:
    """An address as it stands in a URI."""
    return (text(address) if len(address) == 4 else f"[{text(address)}]").encode()
