"""Short Writes are answered by the thread that reads them.

gRPC for Python hands every call to a worker, which asks for the message, waits until the thread
that reads sockets has it, and is woken: on a small machine these hand-overs take longer than a
Write of one entry. ``PromptPool`` stands where that worker pool would. It lets the message come
first, and then runs the handler at once if ``claim`` says that it will not wait nor take long;
otherwise it goes to the workers, as ever.

gRPC offers a pool of a method's own (``experimental_thread_pool``), but the order of its steps is
internal to it. Where it is not as known here, everything goes to the workers.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

log = logging.getLogger("p4embed.switch")

_STEPS = 7
"""What gRPC gives to a pool behind the function to run: task, event, state, behaviour, argument
thunk, deserializer, serializer."""


@dataclass(frozen=True, slots=True)
class _Internals:
    """What is used of gRPC that it does not document."""

    receive: Callable[..., Callable[[Any], tuple[Any, Any]]]
    token: str
    abort: Callable[..., None]
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
            core.ReceiveMessageOperation,
            core.StatusCode.unimplemented,
        )
    except (ImportError, AttributeError):
        return None


class PromptPool(ThreadPoolExecutor):
    """A pool for one unary method whose messages arrive as bytes."""

    def __init__(
        self,
        workers: ThreadPoolExecutor,
        claim: Callable[[bytes], bool],
        release: Callable[[], None],
    ) -> None:
        """``claim`` says whether to run a message's handler at once; if so, ``release`` follows."""
        super().__init__(1)  # never starts a thread: nothing is submitted to it
        self._workers = workers
        self._claim, self._release = claim, release
        self._grpc = _internals()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call as soon as its message is there."""
        if self._grpc is None or len(args) != _STEPS or kwargs:
            return self._workers.submit(fn, *args, **kwargs)
        task, event, state, behaviour, _, deserializer, serializer = args
        receive = self._grpc.receive(state, event.call, deserializer)
        done: Future[Any] = Future()

        def run(message: bytes) -> None:
            fn(task, event, state, behaviour, lambda: message, deserializer, serializer)

        def received(what: Any) -> tuple[Any, Any]:
            outcome = receive(what)
            try:
                with state.condition:
                    message, state.request = state.request, None
                if outcome[0] is not None:  # the client went away
                    done.set_result(None)
                elif message is None:
                    self._refuse(event, state, done)
                else:
                    self._answer(run, message, done)
            except Exception:  # nothing may escape into gRPC's own thread
                log.exception("a Write could not be served")
            return outcome

        with state.condition:
            event.call.start_server_batch((self._grpc.operation(0),), received)
            state.due.add(self._grpc.token)
        return done

    def _answer(self, run: Callable[[bytes], None], message: bytes, done: Future[Any]) -> None:
        if not self._claim(message):
            self._workers.submit(run, message).add_done_callback(lambda _: done.set_result(None))
            return
        try:
            run(message)
        finally:
            self._release()
            done.set_result(None)

    def _refuse(self, event: Any, state: Any, done: Future[Any]) -> None:
        """A call without a message, as gRPC itself refuses it."""
        assert self._grpc is not None
        with state.condition:
            self._grpc.abort(
                state, event.call, self._grpc.unimplemented, b"one request message is required"
            )
        done.set_result(None)


@dataclass(frozen=True)
class PromptMethod:
    """A unary method's behaviour with a pool of its own."""

    behaviour: Callable[[bytes, grpc.ServicerContext], Any]
    experimental_thread_pool: PromptPool
    """gRPC looks for this name."""

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> Any:
        return self.behaviour(request, context)
