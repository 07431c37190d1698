"""A web server on port 80 and a UDP answerer on port 5353, IPv4 and IPv6.

``GET /bytes/N`` sends N bytes; ``GET /held/N`` the first half of them, and the rest after a
``GET /release``, or a minute. ``GET /client`` and any UDP question are answered with the address
and port that the question came from, as the server saw them: after translation.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTTP_PORT = 80
UDP_PORT = 5353
HELD_SECONDS = 60.0

_released = threading.Event()


class _Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: nobody reads on when the server is up, and a full pipe would stop it."""

    def do_GET(self) -> None:
        kind, _, argument = self.path.lstrip("/").partition("/")
        held = 0
        if kind == "client":
            body = f"{_plain(self.client_address[0])} {self.client_address[1]}\n".encode()
        elif kind in ("bytes", "held") and argument.isdigit():
            body = bytes(int(argument))
            held = len(body) // 2 if kind == "held" else 0
        elif kind == "release":
            body = b"released\n"
            _released.set()
        else:
            self.send_error(404, "there is /client, /bytes/N, /held/N and /release")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if held:
            _released.clear()
            self.wfile.write(body[:held])
            _released.wait(HELD_SECONDS)
        self.wfile.write(body[held:])


class _WebServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        question, server = self.request
        seen = f"{_plain(self.client_address[0])} {self.client_address[1]} "
        server.sendto(seen.encode() + question, self.client_address)


class _UdpServer(socketserver.UDPServer):
    address_family = socket.AF_INET6


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")


def main() -> None:
    """Serve until killed."""
    web = _WebServer(("::", HTTP_PORT), _Web)
    udp = _UdpServer(("::", UDP_PORT), _Answer)
    threading.Thread(target=udp.serve_forever, daemon=True).start()
    print("serving", flush=True)
    web.serve_forever()


if __name__ == "__main__":
    main()
