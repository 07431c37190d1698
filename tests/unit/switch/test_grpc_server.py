"""The gRPC server itself, by the ``grpc`` library's client: TLS, and clients that misbehave."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from finsy.proto import p4r, p4r_grpc

from p4embed.switch.dataplane import Options
from p4embed.switch.engine import EntryKey, IdleEntry
from p4embed.switch.p4runtime import Server, ServerError, Service, Tls
from p4embed.switch.p4runtime.framing import message_at
from p4embed.switch.p4runtime.stream import IDLE_CHUNK, MAX_QUEUED, Idle, Stream
from p4embed.switch.ports import ReferenceDataplane

from .client import DEVICE, WAIT, Client, Code, failure


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    paths = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0])),
            *("-keyout", str(paths[1])),
        ],
        check=True,
        capture_output=True,
    )
    return paths


def serve(tls: Tls | None) -> Iterator[Server]:
    dataplane = ReferenceDataplane(Options())
    server = Server(Service(DEVICE, dataplane), "127.0.0.1:0", tls)
    server.start()
    yield server
    server.stop()
    dataplane.stop()


def version(channel: grpc.Channel) -> str:
    with channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        answer = stub.Capabilities(p4r.CapabilitiesRequest(), timeout=WAIT)
        return str(answer.p4runtime_api_version)


def test_tls(certificate: tuple[Path, Path]) -> None:
    root = certificate[0].read_bytes()
    for server in serve(Tls(*certificate)):
        address = f"localhost:{server.port}"
        assert version(grpc.secure_channel(address, grpc.ssl_channel_credentials(root)))


def test_tls_clients_may_have_to_show_a_certificate(certificate: tuple[Path, Path]) -> None:
    root, key = (path.read_bytes() for path in certificate)
    for server in serve(Tls(*certificate, ca=certificate[0], client_required=True)):
        address = f"localhost:{server.port}"
        known = grpc.ssl_channel_credentials(root, key, root)
        assert version(grpc.secure_channel(address, known))
        nobody = grpc.secure_channel(address, grpc.ssl_channel_credentials(root))
        code, _ = failure(version, nobody)
        assert code is Code.UNAVAILABLE


def test_files_that_are_no_certificate(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    service = Service(DEVICE, ReferenceDataplane(Options()))
    with pytest.raises(ServerError, match="no certificate with its key"):
        Server(service, "127.0.0.1:0", Tls(certificate[0], certificate[0]))
    with pytest.raises(ServerError, match=r"cannot read .*gone\.pem: No such file"):
        Server(service, "127.0.0.1:0", Tls(tmp_path / "gone.pem", certificate[1]))


def test_what_is_no_http2_is_hung_up_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: switch\r\n\r\n")
        while stranger.recv(4096):
            pass
    client = Client(port)
    assert client.receive().arbitration.status.code == 0
    client.close()


def test_unknown_methods_and_compressed_messages_are_refused(port: int) -> None:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    unknown = channel.unary_unary("/p4.v1.P4Runtime/Explode")
    assert failure(unknown, b"", timeout=WAIT)[0] is Code.UNIMPLEMENTED
    write = channel.unary_unary("/p4.v1.P4Runtime/Write")
    squeezed = {"timeout": WAIT, "compression": grpc.Compression.Gzip}
    code, text = failure(write, bytes(4096), **squeezed)
    assert (code, text) == (Code.UNIMPLEMENTED, "compressed messages are not understood")
    assert failure(write, b"\xff\xff", timeout=WAIT) == (
        Code.INVALID_ARGUMENT,
        "not a WriteRequest",
    )
    channel.close()


def test_messages_longer_than_frames_and_windows_pass(port: int) -> None:
    client = Client(port)
    client.receive()
    # A program that does not load: its text comes back in the error, both ways in many frames.
    text = b"x" * 300_000
    code, _ = failure(client.set_config, text)
    assert code is Code.INVALID_ARGUMENT
    client.close()


def test_a_full_queue_drops_the_newest_and_counts() -> None:
    service = Service(DEVICE, ReferenceDataplane(Options()))
    woken: list[None] = []
    stream: Stream = service.open("somebody", lambda: woken.append(None))
    stream.offer_frames([b"frame"] * (MAX_QUEUED - 1))
    stream.offer_frames([b"last", b"late", b"late", b"late"])
    assert stream.dropped == 3
    found = taken(stream)
    assert len(found) == MAX_QUEUED
    assert {message.packet.payload for message in found} == {b"frame", b"last"}
    assert woken
    stream.offer_frames([b"later"])
    assert [message.packet.payload for message in taken(stream)] == [b"later"]


def test_packets_overtake_idle_entries_and_come_if_those_are_gone() -> None:
    dataplane = ReferenceDataplane(Options())
    service = Service(DEVICE, dataplane)
    server = Server(service, "127.0.0.1:0")
    server.start()
    client = Client(server.port)
    client.receive()
    gone = [IdleEntry(0, EntryKey(bytes(4)))] * (3 * IDLE_CHUNK)
    stream = service.open("somebody", lambda: None)
    stream.offer(Idle(gone))
    stream.offer_frames([b"frame"])
    for expected in (b"", b"frame"):
        assert [message.packet.payload for message in taken(stream)] == [expected] * bool(expected)
        assert stream.waits
    service.idle(gone)
    service.packets_in([b"frame"])
    assert client.receive().packet.payload == b"frame"
    service.packets_in([b"another"])
    assert client.receive().packet.payload == b"another"
    client.close()
    server.stop()
    dataplane.stop()


def taken(stream: Stream) -> list[p4r.StreamMessageResponse]:
    found, at = [], 0
    messages = stream.take(1 << 30)
    while at < len(messages):
        message, at = message_at(messages, at)
        found.append(p4r.StreamMessageResponse.FromString(message))
    return found
