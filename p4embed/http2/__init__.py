"""HTTP/2 (RFC 9113) as far as gRPC needs it, without I/O: bytes in, bytes out.

A message of P4Runtime is a few hundred bytes, and has a frame or shares one. The general library
for HTTP/2 makes objects of frames, states and events, some 25 us for each frame, which is more than
what is done with most messages. Of all that HTTP/2 has, gRPC uses requests with headers, data and
trailers; there are no pushes, priorities or upgrades.

- ``frames``: what is on the wire.
- ``headers``: header blocks, by the ``hpack`` library.
- ``stream``, ``connection``: what both ends of a connection have in common.
- ``client``, ``server``: one end of it.
"""

from p4embed.http2.client import ClientConnection
from p4embed.http2.connection import Connection
from p4embed.http2.frames import ErrorCode, Http2Error
from p4embed.http2.headers import Header, spelt_out
from p4embed.http2.server import ServerConnection
from p4embed.http2.stream import Stream

__all__ = [
    "ClientConnection",
    "Connection",
    "ErrorCode",
    "Header",
    "Http2Error",
    "ServerConnection",
    "Stream",
    "spelt_out",
]
