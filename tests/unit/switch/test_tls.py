"""P4Runtime over TLS, with and without certificates of clients."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from finsy.proto import p4r, p4r_grpc

from p4embed.switch.dataplane import Options
from p4embed.switch.p4runtime import Server, ServerError, Service
from p4embed.switch.p4runtime.server import Tls
from p4embed.switch.ports import ReferenceDataplane

WAIT = 5.0
"""Seconds; only a failure waits so long."""


def openssl(directory: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates: of an authority, what it signed, and of a stranger."""
    directory = tmp_path_factory.mktemp("tls")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "stranger"):
        openssl(directory, "req", "-x509", *new_key, "-keyout", f"{name}.key",
                "-out", f"{name}.crt", "-subj", f"/CN={name}", "-days", "2")  # fmt: skip
    for name in ("server", "client"):
        openssl(directory, "req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost")  # fmt: skip
        openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt",
                "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt",
                "-copy_extensions", "copy", "-days", "2")  # fmt: skip
    return directory


@contextmanager
def serving(files: Path, *, ca: bool, required: bool) -> Iterator[int]:
    """A server's port."""
    tls = Tls(
        files / "server.crt", files / "server.key", files / "ca.crt" if ca else None, required
    )
    server = Server(Service(1, ReferenceDataplane(Options())), "localhost:0", tls)
    server.start()
    yield server.port
    server.stop()


def version(port: int, files: Path, name: str | None) -> str:
    """What a client with a certificate, or none, is told."""
    key = None if name is None else (files / f"{name}.key").read_bytes()
    chain = None if name is None else (files / f"{name}.crt").read_bytes()
    credentials = grpc.ssl_channel_credentials((files / "ca.crt").read_bytes(), key, chain)
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        answer = stub.Capabilities(p4r.CapabilitiesRequest(), timeout=WAIT)
        return str(answer.p4runtime_api_version)


def refused(port: int, files: Path, name: str | None) -> bool:
    with pytest.raises(grpc.RpcError) as caught:
        version(port, files, name)
    return caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_the_server_shows_its_certificate(files: Path) -> None:
    with serving(files, ca=False, required=False) as port:
        assert version(port, files, None) == "1.4.1"
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            stub = p4r_grpc.P4RuntimeStub(channel)
            with pytest.raises(grpc.RpcError):
                stub.Capabilities(p4r.CapabilitiesRequest(), timeout=WAIT)


def test_clients_must_show_theirs(files: Path) -> None:
    with serving(files, ca=True, required=True) as port:
        assert version(port, files, "client") == "1.4.1"
        assert refused(port, files, None)
        assert refused(port, files, "stranger")


def test_files_that_do_not_fit_are_named(files: Path) -> None:
    service = Service(1, ReferenceDataplane(Options()))
    with pytest.raises(ServerError, match=r"cannot read .*nowhere.pem"):
        Server(service, "localhost:0", Tls(Path("nowhere.pem"), files / "server.key"))
