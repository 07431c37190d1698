"""Short Writes are answered by the thread that reads them.

gRPC for Python hands every call to a worker, which asks for the message, waits until the thread
that reads sockets has it, and is woken: on a small machine these hand-overs take longer than a
Write of one entry. ``PromptPool`` stands where that worker pool would. It lets the message come
first, and then carries the call out at once if it will not wait nor take long; otherwise it goes
to the workers, as ever.

gRPC offers a pool of a method's own (``experimental_thread_pool``), but the order of its steps is
internal to it. Where it is not as known here, everything goes to the workers.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import grpc

log = logging.getLogger("p4embed.switch")

_STEPS = 7
"""What gRPC gives to a pool behind the function to run: task, event, state, behaviour, argument
thunk, deserializer, serializer."""
_NO_MESSAGE = b"one request message is required"


@dataclass(frozen=True, slots=True)
class _Internals:
    """What is used of gRPC that it does not document."""

    receive: Callable[..., Callable[[Any], tuple[Any, Any]]]
    token: str
    abort: Callable[..., None]
    finish: Callable[..., None]
    operation: Any
    unimplemented: Any


def _internals() -> _Internals | None:
    try:
        server = importlib.import_module("grpc._server")
        core = importlib.import_module("grpc._cython.cygrpc")
        return _Internals(
            server._receive_message,
            server._RECEIVE_MESSAGE_TOKEN,
            server._abort,
            server._status,
            core.ReceiveMessageOperation,
            core.StatusCode.unimplemented,
        )
    except (ImportError, AttributeError):
        return None


class Method(Protocol):
    """A unary method whose requests and responses are bytes."""

    def claim(self, message: bytes) -> bool:
        """Whether to carry a call out at once; if so, ``release`` follows."""
        ...

    def release(self) -> None:
        """The call is carried out."""
        ...

    def carry_out(self, message: bytes) -> bytes:
        """The response. Raises whatever is wrong."""
        ...

    def fail(self, error: Exception, context: grpc.ServicerContext) -> NoReturn:
        """Tell the client what ``carry_out`` raised."""
        ...


class PromptPool(ThreadPoolExecutor):
    """A pool for one method."""

    def __init__(self, workers: ThreadPoolExecutor, method: Method) -> None:
        super().__init__(1)  # never starts a thread: nothing is submitted to it
        self._workers, self._method = workers, method
        self._grpc = _internals()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call as soon as its message is there."""
        known = self._grpc
        if known is None or len(args) != _STEPS or kwargs:
            return self._workers.submit(fn, *args, **kwargs)
        task, event, state, behaviour, _, *serialization = args
        receive = known.receive(state, event.call, serialization[0])
        done: Future[Any] = Future()

        def run(behaviour: Callable[[bytes, grpc.ServicerContext], bytes], message: bytes) -> None:
            fn(task, event, state, behaviour, lambda: message, *serialization)

        def answer(message: bytes) -> None:
            try:
                response = self._method.carry_out(message)
            except Exception as error:
                failed = error  # outlives the block
                run(lambda _, context: self._method.fail(failed, context), message)
            else:
                known.finish(event, state, response)

        def received(what: Any) -> tuple[Any, Any]:
            outcome = receive(what)
            try:
                with state.condition:
                    message, state.request = state.request, None
                if outcome[0] is not None:  # the client went away
                    done.set_result(None)
                elif message is None:
                    with state.condition:
                        known.abort(state, event.call, known.unimplemented, _NO_MESSAGE)
                    done.set_result(None)
                elif self._method.claim(message):
                    try:
                        answer(message)
                    finally:
                        self._method.release()
                        done.set_result(None)
                else:
                    self._workers.submit(run, behaviour, message).add_done_callback(
                        lambda _: done.set_result(None)
                    )
            except Exception:  # nothing may escape into gRPC's own thread
                log.exception("a Write could not be served")
            return outcome

        with state.condition:
            event.call.start_server_batch((known.operation(0),), received)
            state.due.add(known.token)
        return done


@dataclass(frozen=True)
class PromptBehaviour:
    """A method as gRPC calls it, with a pool of its own."""

    method: Method
    experimental_thread_pool: PromptPool
    """gRPC looks for this name."""

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return self.method.carry_out(request)
        except Exception as error:
            self.method.fail(error, context)
