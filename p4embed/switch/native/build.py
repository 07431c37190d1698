"""Compiles the runtime and generated programs with the system's C compiler, and keeps the results.

Shared objects are cached under ``$XDG_CACHE_HOME/wingpath`` (default ``~/.cache/wingpath``) by a
hash of everything that goes in: sources, headers, compiler version and flags. ``WINGPATH_CFLAGS``
adds flags, as in ``-fsanitize=address,undefined -g``. Whoever needs what another process is
compiling waits for it. Beyond ``CACHE_BYTES``, what was not used for longest is removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

RUNTIME = Path(__file__).parent
"""Where the runtime's C sources lie."""

CACHE_BYTES = 256 << 20
"""The cache is cut back to so much whenever something is added."""
_LOCK, _LOCKS = ".lock-", 16
"""Files to lock: programs that share one are not compiled at the same time."""

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


def settings() -> str:
    """The compiler and its flags, for a report."""
    return " ".join((_compiler()[1], *_flags(), *extra_flags()))


def runtime_library() -> Path:
    """The runtime as a shared object, compiled if need be."""
    sources = sorted(RUNTIME.glob("*.c"))
    return _build("runtime", sources, [*sources, *_headers()], ())


def program_library(source: str) -> Path:
    """A generated program as a shared object, linked against the runtime."""
    runtime = runtime_library()
    digest = _digest(source.encode(), [*_headers(), runtime], ())
    path = cache_directory() / f"program-{digest}.c"
    return _cached(path.with_suffix(".so"), [path, runtime], (f"-I{RUNTIME}",), source)


def _headers() -> list[Path]:
    return sorted(RUNTIME.glob("*.h"))


def _build(name: str, sources: list[Path], inputs: list[Path], flags: tuple[str, ...]) -> Path:
    target = cache_directory() / f"{name}-{_digest(b'', inputs, flags)}.so"
    return _cached(target, sources, flags)


def _cached(
    target: Path, sources: list[Path], flags: tuple[str, ...], text: str | None = None
) -> Path:
    """``target``, compiled unless it is there; ``text`` is what the first source is to contain."""
    if not _used(target):
        with _locked(target):
            if not _used(target):  # by now
                if text is not None:
                    _write(sources[0], text.encode())
                _compile(target, sources, flags)
                _trim(target.parent)
    return target


def _used(target: Path) -> bool:
    """Whether it is there; if so, it is the last that would be removed."""
    try:
        os.utime(target)
    except FileNotFoundError:
        return False
    except OSError:  # of another user: theirs to keep
        return target.exists()
    with suppress(OSError):
        os.utime(target.with_suffix(".c"))
    return True


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Alone with a target among all processes; ends with the process, however that ends."""
    number = int(hashlib.sha256(target.name.encode()).hexdigest(), 16) % _LOCKS
    lock = target.parent / f"{_LOCK}{number}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _trim(directory: Path) -> None:
    """Remove what was not used for longest."""
    files = []
    for path in directory.iterdir():
        if path.name.startswith(_LOCK):
            continue
        with suppress(OSError):  # gone meanwhile
            files.append((path.stat().st_mtime, path.stat().st_size, path))
    left = CACHE_BYTES
    for _, size, path in sorted(files, reverse=True):
        left -= size
        if left < 0:
            path.unlink(missing_ok=True)


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
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path.parent, error) from None


def _unwritable(directory: Path, error: OSError) -> NativeError:
    return NativeError(
        f"cannot write to the cache {directory}: {error.strerror};"
        " set XDG_CACHE_HOME to a directory that can be written"
    )


def _compile(target: Path, sources: list[Path], flags: tuple[str, ...]) -> None:
    compiler, _ = _compiler()
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
