"""A session as bytes, kept beside its wings in the NPUs (P4Runtime ``metadata``).

A controller that comes back reads the tables and knows its sessions again; so does the central
point, of sessions whose SPU failed. Version 2, in network byte order; addresses are 4 or 16 bytes
by the family bit of ``flags``::

    version 1 | flags 1 | session id 4 | spu 1 | protocol 1 | started 8 | timeout 8 | policy index 4
    forward:  src, dst, sport 2, dport 2, token 2 | ingress npu 2, port 2 |
              translated src, dst, sport 2, dport 2
    reverse:  token 2
    hops:     npu 2, port 2, vlan 2, src mac 6, dst mac 6; forward, then reverse
    names:    length 1 and UTF-8, each: policy, application, NAT rule of the source, of the
              destination; empty: none

The reverse wing is the mirror of the forward one and is not spelled out. Both wings carry the same
record, so either is enough.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from struct import error as StructError

from controller.flow import FlowKey, Hop, Nanoseconds, Path, Port, Tuple5, Wing
from controller.value import value

VERSION = 2

_IPV6, _EXPRESS, _NAT = 1, 2, 4

_HEAD = "BBIBBQQi"
_LAYOUT = {
    4: Struct(f"!{_HEAD}4s4sHHHHH4s4sHHH"),
    16: Struct(f"!{_HEAD}16s16sHHHHH16s16sHHH"),
}
"""What comes before the hops, by the size of addresses."""
_SESSION = Struct("!BBI")
"""What a record begins with, up to the session id."""
_HOPS = Struct("!HHH6s6sHHH6s6s")
"""Two of ``Hop.packed``."""


class RecordError(ValueError):
    """Bytes that are no record of this version."""


@value
class SessionRecord:
    """What a session is rebuilt from."""

    session_id: int
    spu: int
    path: Path
    forward: Wing
    reverse: Wing
    source_nat: bool
    """The translated source port is a binding at the central point."""
    policy: str
    policy_index: int
    application: str
    started: Nanoseconds
    timeout: Nanoseconds
    """Inactivity, once established."""
    nat_rules: tuple[str, str] = ("", "")
    """Those that translate its source and its destination; empty: none."""


def encode(record: SessionRecord) -> bytes:
    """The record's bytes. Names are cut to 255 bytes."""
    forward, reverse = record.forward, record.reverse
    src, dst, sport, dport, protocol, token = forward.key
    npu, port = forward.ingress
    out_src, out_dst, out_sport, out_dport, _ = forward.translated
    flags = (
        (_IPV6 if len(src) == 16 else 0)
        | (_EXPRESS if record.path is Path.EXPRESS else 0)
        | (_NAT if record.source_nat else 0)
    )
    fixed = _LAYOUT[len(src)].pack(
        VERSION, flags, record.session_id, record.spu, protocol, record.started, record.timeout,
        record.policy_index,
        src, dst, sport, dport, token, npu, port,
        out_src, out_dst, out_sport, out_dport, reverse.key.token,
    )  # fmt: skip
    names = _names(record.policy, record.application, *record.nat_rules)
    return b"".join((fixed, forward.hop.packed, reverse.hop.packed, names))


@lru_cache(4096)
def _names(*names: str) -> bytes:
    """Names as they stand in records; sessions have few different ones."""
    cut = (name.encode()[:255].decode(errors="ignore").encode() for name in names)
    return b"".join(bytes((len(name),)) + name for name in cut)


def session_of(data: bytes) -> int:
    """The session id of a record; 0 if these bytes are none of this version."""
    if len(data) < _SESSION.size or data[0] != VERSION:
        return 0
    session_id: int = _SESSION.unpack_from(data)[2]
    return session_id


def decode(data: bytes) -> SessionRecord:
    """What ``encode`` wrote; ``RecordError`` if these bytes are something else."""
    try:
        return _decode(data)
    except (StructError, IndexError, UnicodeDecodeError) as error:
        raise RecordError(f"no session record: {error}") from error


def _decode(data: bytes) -> SessionRecord:
    version, flags = data[0], data[1]
    if version != VERSION:
        raise RecordError(f"session record of version {version}; this program reads {VERSION}")
    layout = _LAYOUT[16 if flags & _IPV6 else 4]
    (
        _, _, session_id, spu, protocol, started, timeout, index,
        src, dst, sport, dport, token, npu, port, out_src, out_dst, out_sport, out_dport,
        back_token,
    ) = layout.unpack_from(data)  # fmt: skip
    hops = _HOPS.unpack_from(data, layout.size)
    at = layout.size + _HOPS.size
    policy, at = _name(data, at)
    application, at = _name(data, at)
    source_rule, at = _name(data, at)
    destination_rule, at = _name(data, at)
    if at != len(data):
        raise RecordError(f"no session record: {len(data) - at} bytes too many")
    ahead = Hop(Port(hops[0], hops[1]), *hops[2:5])
    back = Hop(Port(hops[5], hops[6]), *hops[7:10])
    key = FlowKey(src, dst, sport, dport, protocol, token)
    translated = Tuple5(out_src, out_dst, out_sport, out_dport, protocol)
    return SessionRecord(
        session_id,
        spu,
        Path.EXPRESS if flags & _EXPRESS else Path.SPU,
        *wings(key, Port(npu, port), translated, ahead, back_token, back),
        bool(flags & _NAT),
        policy,
        index,
        application,
        started,
        timeout,
        (source_rule, destination_rule),
    )


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    if end > len(data):
        raise IndexError("a name is cut off")
    return data[at + 1 : end].decode(), end


def wings(
    key: FlowKey, ingress: Port, translated: Tuple5, ahead: Hop, back_token: int, back: Hop
) -> tuple[Wing, Wing]:
    """Both wings of a session: the reverse one is what answers look like and become."""
    forward = Wing(key, ingress, translated, ahead)
    src, dst, sport, dport, protocol = translated
    answer = FlowKey(dst, src, dport, sport, protocol, back_token)
    # What the answer becomes is the mirror image of the key.
    becomes = Tuple5(key.dst, key.src, key.dport, key.sport, protocol)
    return forward, Wing(answer, ahead.port, becomes, back)
