"""Bodies of SIP messages: where in one a session description stands (RFC 3261, 7.4; RFC 5621)."""

from __future__ import annotations

import re
from itertools import pairwise

SDP = b"application/sdp"

_BOUNDARY = re.compile(rb';[ \t]*boundary[ \t]*=[ \t]*"?([^";,\s]{1,70})', re.I)
_TYPE = re.compile(rb"^(?:Content-Type|c)[ \t]*:[ \t]*([^;\r\n]*)", re.I | re.M)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def description_within(content_type: bytes, body: bytes) -> slice | None:
    """The session description of a body: all of it, or the first part that is one."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == SDP:
        return slice(0, len(body))
    boundary = _BOUNDARY.search(content_type)
    if not kind.startswith(b"multipart/") or boundary is None:
        return None
    # A line end before a boundary belongs to it (RFC 2046, section 5.1.1).
    line = re.compile(rb"(?:\r?\n|^)--" + re.escape(boundary[1]) + rb"(?:--)?[ \t]*(?=\r?\n|$)")
    for before, after in pairwise(line.finditer(body)):
        head_end = _HEAD_END.search(body, before.end(), after.start())
        if head_end is None:
            continue
        named = _TYPE.search(body, before.end(), head_end.start())
        if named is not None and named[1].strip().lower() == SDP:
            return slice(head_end.end(), after.start())
    return None
