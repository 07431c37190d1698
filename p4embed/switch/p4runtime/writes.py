"""The Write RPC, from the bytes that came: in bulk if it can be, with care if not."""

from __future__ import annotations

import threading
from typing import NoReturn

import grpc
from finsy.proto import U128, p4r
from google.protobuf.message import DecodeError

from p4embed.switch.p4runtime.arbitration import Arbiter
from p4embed.switch.p4runtime.errors import BatchError, P4RuntimeError, abort, internal, invalid
from p4embed.switch.p4runtime.pipeline import Pipeline
from p4embed.switch.p4runtime.roles import Scope
from p4embed.switch.p4runtime.write import Writer

SHORT = 4096
"""Bytes of a Write, some ten entries, that take less time than another thread takes to wake."""
_DONE = p4r.WriteResponse().SerializeToString()


def check_primary(
    arbiter: Arbiter,
    arbitration: threading.Lock,
    request: p4r.WriteRequest | p4r.SetForwardingPipelineConfigRequest,
) -> Scope | None:
    """What the role may do whose primary sent a request. ``P4RuntimeError`` if no primary did."""
    election_id = U128.decode(request.election_id) if request.HasField("election_id") else None
    with arbitration:
        arbiter.check_primary(request.device_id, request.role, election_id)
        return arbiter.scope(request.role)


class Writes:
    """Carries out Writes of one device; a ``prompt.Method``."""

    def __init__(
        self,
        pipeline: Pipeline,
        state: threading.RLock,
        arbiter: Arbiter,
        arbitration: threading.Lock,
    ) -> None:
        """``state`` is held while the pipeline's state is read or written, ``arbitration`` while
        the arbiter is asked."""
        self._pipeline, self._state = pipeline, state
        self._arbiter, self._arbitration = arbiter, arbitration

    def claim(self, message: bytes) -> bool:
        """Whether a Write can be carried out at once: it is short, and nobody is at the state,
        which then is the caller's until ``release``, in the same thread."""
        return len(message) <= SHORT and self._state.acquire(blocking=False)

    def release(self) -> None:
        """Give back what ``claim`` has taken."""
        self._state.release()

    def carry_out(self, message: bytes) -> bytes:
        """A serialized ``WriteRequest``; the serialized response. Raises what is wrong with it."""
        bulk = self._pipeline.bulk
        understood = None if bulk is None else bulk.parse(message)
        if bulk is not None and understood is not None:
            with self._arbitration:
                self._arbiter.check_primary(understood.device_id, "", understood.election_id)
            with self._state:
                if bulk is self._pipeline.bulk:
                    bulk.write(understood, message)
                    return _DONE
            # Another program was loaded meanwhile, which it has to be understood for.
        try:
            request = p4r.WriteRequest.FromString(message)
        except DecodeError:
            raise invalid("not a WriteRequest") from None
        self.write(request)
        return _DONE

    def write(self, request: p4r.WriteRequest) -> None:
        """See ``write.py``."""
        scope = check_primary(self._arbiter, self._arbitration, request)
        with self._state:
            Writer(self._pipeline.target, scope).write(request)

    def fail(self, error: Exception, context: grpc.ServicerContext) -> NoReturn:
        """Tell the client what went wrong."""
        if not isinstance(error, P4RuntimeError | BatchError):
            error = internal(error)
        abort(context, error)
