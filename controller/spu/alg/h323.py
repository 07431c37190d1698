"""H.323: calls by H.225.0 (ITU-T H.225.0, Q.931), their media by fast connect or H.245.

The call's connection names media in ``fastStart`` and in tunnelled H.245 messages, or an address
for a connection of its own for H.245, which then is a control session too. Messages are decoded
with pycrate (aligned PER). An IPv4 address and its port stand in six bytes, aligned, with nothing
between them: so under translation these are replaced where they stand, and no length changes.

Gatekeepers (RAS) are not followed: ends call each other directly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, NamedTuple

from controller.flow import Direction
from controller.gate import Endpoint
from controller.packet import TCP, UDP
from controller.spu.alg.base import NOTHING, Findings, Pinhole, Sight

H245_APPLICATION = "junos-h245"
FIRST_PORT = 1024
_MEDIA_LIMIT = 16
_CALL = "call"

_TPKT_VERSION, _TPKT_SIZE = 3, 4
_Q931 = 0x08
_RELEASE_COMPLETE = 0x5A
_USER_USER, _X208_X209 = 0x7E, 0x05


class _Kind(Enum):
    """What an address is for."""

    SIGNALLING = auto()
    CONTROL = auto()
    """A connection for H.245."""
    MEDIA = auto()


class _Found(NamedTuple):
    kind: _Kind
    endpoint: Endpoint


class _Announcer:
    """What both kinds of connection have in common."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights
        self._home: dict[Endpoint, Endpoint] = {}
        """Listeners by the holes that the other end knows."""

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Messages in TPKT frames (RFC 1006)."""
        if len(data) < _TPKT_SIZE:
            return 0
        length = int.from_bytes(data[2:4], "big")
        if data[0] != _TPKT_VERSION or length < _TPKT_SIZE:
            return len(data)
        return length

    def _announced(self, direction: Direction, unit: bytes, found: list[_Found]) -> Findings:
        sight = self._sights[direction]
        own = sight.own.address
        ours = {f.endpoint: f.kind for f in found if f.endpoint.address == own}
        media = sorted(
            e.port for e, kind in ours.items() if kind is _Kind.MEDIA and e.port >= FIRST_PORT
        )[:_MEDIA_LIMIT]
        pinholes = []
        while media:
            port = media.pop(0)
            pair = port % 2 == 0 and media[:1] == [port + 1]
            if pair:
                del media[0]
            pinholes.append(
                Pinhole(
                    direction, UDP, Endpoint(own, port), "junos-h323-media",
                    count=2 if pair else 1, uses=0, from_peer=False, call=_CALL,
                )
            )  # fmt: skip
        for endpoint, kind in ours.items():
            if kind is _Kind.CONTROL and endpoint.port >= FIRST_PORT:
                pinholes.append(Pinhole(direction, TCP, endpoint, H245_APPLICATION, call=_CALL))
        if sight.own == sight.own_seen and sight.peer == sight.peer_own:
            return Findings(tuple(pinholes))

        def render(holes: tuple[Endpoint, ...]) -> bytes:
            there = {sight.own: sight.own_seen, sight.peer: sight.peer_own, **self._home}
            for endpoint, kind in ours.items():
                if kind is _Kind.SIGNALLING:
                    seen = Endpoint(sight.own_seen.address, endpoint.port)
                    there.setdefault(endpoint, seen)
            for pinhole, hole in zip(pinholes, holes, strict=True):
                for n in range(pinhole.count):
                    listener = Endpoint(own, pinhole.listener.port + n)
                    there[listener] = Endpoint(hole.address, hole.port + n)
                    self._home[there[listener]] = listener
            return _replaced(unit, {e: there[e] for _, e in found if e in there})

        return Findings(tuple(pinholes), render)


class H323Alg(_Announcer):
    """A call's connection."""

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A message of H.225.0 call signalling."""
        body = unit[_TPKT_SIZE:]
        if len(body) < 2 or body[0] != _Q931:
            return NOTHING
        kind_at = 2 + (body[1] & 15)
        if body[kind_at : kind_at + 1] == bytes((_RELEASE_COMPLETE,)):
            return Findings(ended_calls=(_CALL,))
        information = _user_information(body, kind_at + 1)
        if information is None:
            return NOTHING
        return self._announced(direction, unit, _addresses_of_call(information))


class H245Alg(_Announcer):
    """A connection for H.245 that a call's connection announced."""

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A message of H.245."""
        return self._announced(direction, unit, _addresses_of_control(unit[_TPKT_SIZE:]))


def _user_information(body: bytes, at: int) -> bytes | None:
    """The contents of the User-user element (ITU-T Q.931, 4.5.1; H.225.0, 7.2.2.31)."""
    while at < len(body):
        if body[at] & 0x80:
            at += 1
            continue
        if body[at] == _USER_USER:
            length = int.from_bytes(body[at + 1 : at + 3], "big")
            information = body[at + 3 : at + 3 + length]
            return information[1:] if information[:1] == bytes((_X208_X209,)) else None
        at += 2 + (body[at + 1] if at + 1 < len(body) else 0)
    return None


# -- ASN.1 --------------------------------------------------------------------------------------


def _decoded(module: str, name: str, data: bytes) -> Any:
    """The value of a type that pycrate decodes; ``None`` if the bytes are none."""
    # Only who uses H.323 pays for its modules; they also keep the decoded value in themselves.
    from pycrate_asn1dir import H225

    kind = getattr(getattr(H225, module), name)
    try:
        kind.from_aper(data)
        return kind.get_val()
    except Exception:
        # pycrate raises errors of many kinds, and what it decodes came from outside.
        return None


def _addresses_of_call(data: bytes) -> list[_Found]:
    value = _decoded("H323_MESSAGES", "H323_UserInformation", data)
    return list(_walk(value, _Kind.SIGNALLING))


def _addresses_of_control(data: bytes) -> list[_Found]:
    value = _decoded("MULTIMEDIA_SYSTEM_CONTROL", "MultimediaSystemControlMessage", data)
    return list(_walk(value, _Kind.MEDIA))


def _walk(value: Any, kind: _Kind) -> Iterator[_Found]:
    """All IPv4 addresses with ports in a decoded value."""
    match value:
        case {"ip": bytes(address), "port": int(port)} if len(address) == 4:
            yield _Found(kind, Endpoint(address, port))
        case {"network": bytes(address), "tsapIdentifier": int(port)} if len(address) == 4:
            yield _Found(_Kind.MEDIA, Endpoint(address, port))
        case dict():
            for name, part in value.items():
                if name == "fastStart":
                    for channel in part:
                        opened = _decoded(
                            "MULTIMEDIA_SYSTEM_CONTROL", "OpenLogicalChannel", channel
                        )
                        yield from _walk(opened, _Kind.MEDIA)
                elif name == "h245Control":
                    for message in part:
                        yield from _addresses_of_control(message)
                else:
                    yield from _walk(part, _Kind.CONTROL if name == "h245Address" else kind)
        case list() | tuple():
            for part in value:
                yield from _walk(part, kind)


def _replaced(unit: bytes, changes: dict[Endpoint, Endpoint]) -> bytes:
    """All at once, so that nothing is replaced twice."""
    by_bytes = {_six(old): _six(new) for old, new in changes.items()}
    if not by_bytes:
        return unit
    pattern = re.compile(b"|".join(map(re.escape, by_bytes)), re.S)
    return pattern.sub(lambda match: by_bytes[match[0]], unit)


def _six(endpoint: Endpoint) -> bytes:
    return endpoint.address + endpoint.port.to_bytes(2, "big")
