"""Short Writes are answered at once; nothing else waits for a Write that has to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from finsy.proto import p4r

from p4embed.switch.dataplane import Options
from p4embed.switch.p4runtime import Server, Service, prompt
from p4embed.switch.p4runtime.writes import SHORT, Writes
from p4embed.switch.ports import ReferenceDataplane

from . import p4info as ids
from .client import CPU, DEVICE, INSERT, WAIT, Client, failure
from .programs import one_table

PROGRAM = json.dumps(one_table([("exact", "h", "kind")])).encode()


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads that carried out Writes, in order."""
    names: list[str] = []
    carry_out = Writes.carry_out

    def noted(self: Writes, message: bytes) -> bytes:
        names.append(threading.current_thread().name)
        return carry_out(self, message)

    monkeypatch.setattr(Writes, "carry_out", noted)
    return names


@pytest.fixture
def service() -> Service:
    return Service(DEVICE, ReferenceDataplane(Options(cpu_port=CPU)))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    server = Server(service, "127.0.0.1:0")
    server.start()
    made = Client(server.port)
    made.receive()
    made.set_config(PROGRAM)
    yield made
    made.close()
    server.stop()


def is_worker(name: str) -> bool:
    return name.startswith("p4runtime")


def test_a_short_write_needs_no_worker(client: Client, threads: list[str]) -> None:
    for kind in range(5):
        client.write((INSERT, ids.entry(kind, port=1)))
    assert len(client.read(p4r.TableEntry())) == 5
    assert not any(is_worker(name) for name in threads)


def test_a_long_write_is_a_workers(client: Client, threads: list[str]) -> None:
    entry = ids.entry(1, port=1)
    entry.metadata = bytes(SHORT)
    client.write((INSERT, entry))
    assert len(client.read(p4r.TableEntry())) == 1
    assert all(is_worker(name) for name in threads)


def test_a_write_that_must_wait_lets_others_pass(client: Client, service: Service) -> None:
    assert service.writes.claim(b"")  # as if somebody were at the state
    with ThreadPoolExecutor(1) as another:
        written = another.submit(client.write, (INSERT, ids.entry(1, port=1)))
        for _ in range(3):
            client.stub.Capabilities(p4r.CapabilitiesRequest(), timeout=WAIT)
        service.writes.release()
        written.result(WAIT)
    assert len(client.read(p4r.TableEntry())) == 1
    client.write((INSERT, ids.entry(2, port=1)))


def test_errors_and_what_comes_after_them(client: Client) -> None:
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as caught:
            client.write((INSERT, p4r.TableEntry(table_id=1)))
        assert caught.value.code() is grpc.StatusCode.UNKNOWN
        with pytest.raises(grpc.RpcError) as caught:
            client.write((INSERT, ids.entry(1, port=1)), device_id=9)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    client.write((INSERT, ids.entry(1, port=1)))


def test_a_call_without_message_is_refused(client: Client) -> None:
    silent = client.channel.stream_unary("/p4.v1.P4Runtime/Write", bytes, bytes)
    for _ in range(3):
        code, text = failure(silent, iter(()), timeout=WAIT)
        assert (code, text) == (grpc.StatusCode.UNIMPLEMENTED, "one request message is required")
    client.write((INSERT, ids.entry(1, port=1)))


def test_a_client_that_goes_away_leaves_nothing(client: Client) -> None:
    never = client.channel.stream_unary("/p4.v1.P4Runtime/Write", bytes, bytes)
    hold = threading.Event()

    def silent() -> Iterator[bytes]:
        hold.wait(WAIT)
        yield from ()

    for _ in range(3):
        call = never.future(silent())
        call.cancel()
    hold.set()
    client.write((INSERT, ids.entry(1, port=1)))


def test_another_grpc_works_too(
    monkeypatch: pytest.MonkeyPatch, service: Service, threads: list[str]
) -> None:
    monkeypatch.setattr(prompt, "_internals", lambda: None)
    server = Server(service, "127.0.0.1:0")
    server.start()
    client = Client(server.port)
    client.receive()
    client.set_config(PROGRAM)
    client.write((INSERT, ids.entry(1, port=1)))
    assert all(is_worker(name) for name in threads)
    client.close()
    server.stop()
