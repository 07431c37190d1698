"""``p4embed-switch``, the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the switch until it is told to stop; the exit status."""
    # gRPC's core would print lines of its own about what our messages say better. It reads this
    # when it is imported, hence the import below.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from p4embed.switch.process import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        return 130
