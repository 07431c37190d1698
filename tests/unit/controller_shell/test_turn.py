"""The end of a turn of the event loop: what is done then, and in what order."""

import asyncio
from typing import Any

from controller.npu.turn import Turn


def test_steps_come_in_order_and_one_that_fails_takes_no_other_with_it() -> None:
    async def run() -> None:
        turn, done, failed = Turn(), [], []

        def note(_loop: Any, context: dict[str, Any]) -> None:
            failed.append(str(context["exception"]))

        def fail() -> None:
            raise ValueError("broken")

        def handle() -> None:
            done.append("handle")
            turn.batch(lambda: done.append("batch, asked for by handling"))
            turn.handle(lambda: done.append("next turn"))

        asyncio.get_running_loop().set_exception_handler(note)
        turn.flush(lambda: done.append("flush"))
        turn.batch(fail)
        turn.batch(lambda: done.append("batch"))
        turn.handle(handle)
        for _ in range(5):
            await asyncio.sleep(0)
        assert failed == ["broken"]
        assert done == ["handle", "next turn", "batch", "batch, asked for by handling", "flush"]
        done.clear()
        turn.flush(lambda: done.append("flush"))
        turn.batch(lambda: turn.flush(lambda: done.append("flush of a batch")))
        turn.handle(handle)
        for _ in range(5):
            await asyncio.sleep(0)
        first = ["handle", "batch, asked for by handling", "flush", "flush of a batch"]
        assert done == [*first, "next turn"]

    asyncio.run(run())
