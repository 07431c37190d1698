"""Compiles the runtime and generated programs with the system's C compiler, and keeps the results.

Shared objects are cached under ``$XDG_CACHE_HOME/wingpath`` (default ``~/.cache/wingpath``) by a
hash of everything that goes in: sources, headers, compiler version and flags. ``WINGPATH_CFLAGS``
adds flags, as in ``-fsanitize=address,undefined -g``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

RUNTIME = Path(__file__).parent
"""Where the runtime's C sources lie."""

_FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=default", "-pthread")


class NativeError(RuntimeError):
    """The native executor cannot be built; the message says why and what to do."""


def cache_directory() -> Path:
    """Where shared objects are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wingpath"


def extra_flags() -> tuple[str, ...]:
    """What the user adds to the compiler's flags."""
    return tuple(shlex.split(os.environ.get("WINGPATH_CFLAGS", "")))


def _flags() -> tuple[str, ...]:
    """Flags for the compiler at hand.

    gcc 12.2's ipa-modref drops stores that a later call reads (a clone lost its metadata), so it
    stays off; clang does not know the option.
    """
    return _FLAGS if "clang" in _compiler()[1] else (*_FLAGS, "-fno-ipa-modref")


def runtime_library() -> Path:
    """The runtime as a shared object, compiled if need be."""
    sources = sorted(RUNTIME.glob("*.c"))
    return _build("runtime", sources, [*sources, *_headers()], ())


def program_library(source: str) -> Path:
    """A generated program as a shared object, linked against the runtime."""
    runtime = runtime_library()
    inputs = [*_headers(), runtime]
    digest = _digest(source.encode(), inputs, ())
    target = cache_directory() / f"program-{digest}.so"
    if target.exists():
        return target
    path = target.with_suffix(".c")
    _write(path, source.encode())
    return _compile(target, [path, runtime], (f"-I{RUNTIME}",))


def _headers() -> list[Path]:
    return sorted(RUNTIME.glob("*.h"))


def _build(name: str, sources: list[Path], inputs: list[Path], flags: tuple[str, ...]) -> Path:
    target = cache_directory() / f"{name}-{_digest(b'', inputs, flags)}.so"
    return target if target.exists() else _compile(target, sources, flags)


def _digest(text: bytes, inputs: list[Path], flags: tuple[str, ...]) -> str:
    digest = hashlib.sha256(text)
    for path in inputs:
        digest.update(f"\0{path.name}\0".encode())
        digest.update(path.read_bytes())
    settings = (platform.machine(), *_compiler(), *_flags(), *flags, *extra_flags())
    digest.update("\0".join(settings).encode())
    return digest.hexdigest()[:24]


@cache
def _compiler_at(configured: str, path: str) -> tuple[str, str]:
    """The compiler's path and version."""
    for name in (configured,) if configured else ("cc", "gcc", "clang"):
        found = shutil.which(name, path=path)
        if found:
            asked = subprocess.run(
                [found, "--version"], capture_output=True, text=True, check=False
            )
            return found, asked.stdout.partition("\n")[0]
    raise NativeError(
        f"no C compiler found (looked for {configured or 'cc, gcc, clang'}); the native executor"
        " needs one: install the package gcc, or choose the reference executor"
    )


def _compiler() -> tuple[str, str]:
    return _compiler_at(os.environ.get("CC", ""), os.environ.get("PATH", os.defpath))


def _write(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        raise NativeError(
            f"cannot write to the cache {path.parent}: {error.strerror};"
            " set XDG_CACHE_HOME to a directory that can be written"
        ) from None


def _compile(target: Path, sources: list[Path], flags: tuple[str, ...]) -> Path:
    compiler, _ = _compiler()
    _write(target.parent / ".keep", b"")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    command = [compiler, *_flags(), *flags, *extra_flags(), *map(str, sources), "-o", temporary]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            reason = errors[0] if errors else f"{compiler} ended with {done.returncode}"
            raise NativeError(f"cannot compile {sources[0].name}: {reason}")
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target
