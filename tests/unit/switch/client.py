"""A controller for tests of the P4Runtime server: gRPC over loopback, no client library."""

from __future__ import annotations

import json
import queue
from typing import Any

import grpc
import pytest
from finsy.proto import p4r, p4r_grpc, rpc_status

from .p4info import p4info
from .programs import load

CPU = 64
DEVICE = 7
WAIT = 5.0
"""Seconds; only a failure waits so long."""

SetConfig = p4r.SetForwardingPipelineConfigRequest
Code = grpc.StatusCode
INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE


class Client:
    """A controller: the stream's answers in a queue, the RPCs as methods."""

    def __init__(self, port: int, election_id: int | None = 10) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = p4r_grpc.P4RuntimeStub(self.channel)
        self.requests: queue.Queue[Any] = queue.Queue()
        self.stream = self.stub.StreamChannel(iter(self.requests.get, None), timeout=60)
        self.election_id = election_id
        self.arbitrate(election_id)

    def arbitrate(self, election_id: int | None, device_id: int = DEVICE) -> None:
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = device_id
        if election_id is not None:
            request.arbitration.election_id.low = election_id
        self.requests.put(request)

    def receive(self) -> p4r.StreamMessageResponse:
        message: p4r.StreamMessageResponse = next(self.stream)
        return message

    def close(self) -> None:
        self.requests.put(None)
        self.stream.cancel()
        self.channel.close()

    def set_config(
        self, text: bytes | None, action: int = SetConfig.VERIFY_AND_COMMIT, cookie: int = 0
    ) -> None:
        request = SetConfig(device_id=DEVICE, action=action)
        request.election_id.low = self.election_id or 0
        if text is not None:
            request.config.p4_device_config = text
            request.config.cookie.cookie = cookie
            if text.startswith(b"{"):
                request.config.p4info.CopyFrom(p4info(load(json.loads(text))))
        self.stub.SetForwardingPipelineConfig(request, timeout=WAIT)

    def write(self, *updates: tuple[int, Any], **more: Any) -> None:
        request = p4r.WriteRequest(device_id=more.pop("device_id", DEVICE), **more)
        if "election_id" not in more and self.election_id is not None:
            request.election_id.low = self.election_id
        for type_, message in updates:
            update = request.updates.add(type=type_)
            fill(update.entity, message)
        self.stub.Write(request, timeout=WAIT)

    def read(self, *queries: Any) -> list[Any]:
        request = p4r.ReadRequest(device_id=DEVICE)
        for query in queries:
            fill(request.entities.add(), query)
        found = []
        for response in self.stub.Read(request, timeout=WAIT):
            for entity in response.entities:
                found.append(getattr(entity, entity.WhichOneof("entity")))
        return found


def fill(entity: p4r.Entity, message: Any) -> None:
    for field in entity.DESCRIPTOR.fields:
        if field.message_type is message.DESCRIPTOR:
            getattr(entity, field.name).CopyFrom(message)
            return
    raise AssertionError(type(message))


def failure(call_: Any, *arguments: Any, **more: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call_(*arguments, **more)
    return caught.value.code(), caught.value.details()


def batch_errors(call_: Any, *arguments: Any) -> list[tuple[int, str]]:
    """Canonical code and message for each member of a failed batch."""
    with pytest.raises(grpc.RpcError) as caught:
        call_(*arguments)
    error = caught.value
    assert error.code() is Code.UNKNOWN
    (raw,) = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
    status = rpc_status.Status.FromString(raw)
    assert (status.code, status.message) == (Code.UNKNOWN.value[0], error.details())
    found = []
    for detail in status.details:
        one = p4r.Error()
        assert detail.Unpack(one)
        found.append((one.canonical_code, one.message))
    return found
