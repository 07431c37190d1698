"""Native code under gcc's sanitizers, which end a process at the first thing they find."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def _library() -> str | None:
    """The library that must be loaded before all others."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    asked = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    path = asked.stdout.strip()
    return path if Path(path).is_absolute() else None


def environment(cache: Path) -> dict[str, str] | None:
    """Variables of a process with address and undefined-behaviour sanitizers, compiled programs
    in ``cache``; ``None`` if the C compiler has no such thing."""
    library = _library()
    if library is None:
        return None
    return os.environ | {
        "XDG_CACHE_HOME": str(cache),
        "WINGPATH_CFLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1",
        "LD_PRELOAD": library,
        # The interpreter frees little when it ends.
        "ASAN_OPTIONS": "detect_leaks=0",
    }
