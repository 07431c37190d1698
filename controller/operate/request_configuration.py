"""``request configuration load FILE``: put another configuration into force, sessions and all."""

from __future__ import annotations

import asyncio
from pathlib import Path

from controller.config.build import load
from controller.config.problems import ConfigurationError
from controller.operate.commands import CommandError, Options
from controller.operate.operator import Operator
from controller.routing.fib import FibError


async def load_file(operator: Operator, options: Options) -> str:
    """The file is read by the controller, from its own working directory. If anything is wrong
    with it, nothing changes. Packets go on while a long one is read."""
    runtime = operator.runtime
    path = Path(options["load"])
    # What a configuration calls its things follows from the one before: one at a time.
    async with operator.loading:
        try:
            new = await asyncio.to_thread(load, path, runtime.chassis, runtime.configuration)
            await runtime.load(new)
        except (ConfigurationError, FibError) as error:
            raise CommandError(f"{error}\nnothing has changed") from error
    return (
        f"load complete: {len(new.interfaces)} interfaces, {len(new.zones)} zones, "
        f"{len(new.policies)} policies\n"
    )
