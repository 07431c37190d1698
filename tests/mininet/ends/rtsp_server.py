"""An RTSP server of one film without pictures, for one client.

``python rtsp_server.py ADDRESS``: prints ``serving``, then a line per report of the client.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
import threading

RTP_PORT = 6970
PACKETS_A_SECOND = 100
SDP = "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=film\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n" \
      "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"  # fmt: skip


def main() -> None:
    address = sys.argv[1]
    media = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for n, sock in enumerate(media):
        sock.bind((address, RTP_PORT + n))
    threading.Thread(target=hear_reports, args=(media[1],), daemon=True).start()
    with socket.create_server((address, 554)) as listener:
        print("serving", flush=True)
        connection, peer = listener.accept()
        with connection:
            serve(connection, peer[0], address, media)


def hear_reports(sock: socket.socket) -> None:
    while True:
        data, peer = sock.recvfrom(2000)
        print(f"report of {len(data)} bytes from {peer[0]}:{peer[1]}", flush=True)


def serve(connection: socket.socket, peer: str, address: str, media: list[socket.socket]) -> None:
    stop = threading.Event()
    ports = (0, 0)
    stream = connection.makefile("rwb")
    while request := stream.readline().decode().split():
        fields = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        method, body, more = request[0], "", ""
        if method == "OPTIONS":
            more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = SDP.format(address)
            more = f"Content-Base: {request[1]}/\r\nContent-Type: application/sdp\r\n"
        elif method == "SETUP":
            match = re.search(r"client_port=(\d+)-(\d+)", fields["transport"])
            assert match is not None, fields
            ports = int(match[1]), int(match[2])
            print(f"client at {peer} ports {ports[0]}-{ports[1]}", flush=True)
            more = (
                f"Transport: RTP/AVP;unicast;client_port={ports[0]}-{ports[1]}"
                f";server_port={RTP_PORT}-{RTP_PORT + 1}\r\n"
            )
        elif method == "PLAY":
            threading.Thread(target=play, args=(stop, media, peer, ports), daemon=True).start()
        answer = f"RTSP/1.0 200 OK\r\nCSeq: {fields['cseq']}\r\nSession: 7;timeout=60\r\n{more}"
        stream.write(f"{answer}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        stream.flush()
        if method == "TEARDOWN":
            break
    stop.set()


def play(
    stop: threading.Event, media: list[socket.socket], peer: str, ports: tuple[int, int]
) -> None:
    number = 0
    while not stop.wait(1 / PACKETS_A_SECOND):
        head = struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, number * 900, 7)
        media[0].sendto(head + bytes(500), (peer, ports[0]))
        if number % PACKETS_A_SECOND == 0:
            report = struct.pack(
                "!BBHIQIII", 0x80, 200, 6, 7, 0, number * 900, number, number * 500
            )
            media[1].sendto(report, (peer, ports[1]))
        number += 1


if __name__ == "__main__":
    main()
