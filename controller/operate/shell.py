"""``wingpath cli``: one command, or a prompt with history and completion."""

from __future__ import annotations

import contextlib
import json
import readline
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.operate import pipes

HISTORY = Path("~/.wingpath_history").expanduser()


class ShellError(Exception):
    """No controller answers."""


class Client:
    """A connection to a running controller. Raises ``ShellError``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            if isinstance(error, PermissionError):
                raise ShellError(f"{path} belongs to another user; try it with sudo") from error
            raise ShellError(
                f"no wingpath is running at {path}; start one with 'make topology' or "
                "'wingpath run', or name its socket with --socket"
            ) from error
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def ask(self, **request: str) -> dict[str, Any]:
        """Send a request; the answer. Raises ``ShellError``."""
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            line = self._file.readline()
        except OSError as error:
            raise ShellError(
                f"the controller at {self._path} is gone ({error.strerror})"
            ) from error
        if not line:
            raise ShellError(f"the controller at {self._path} is gone")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


def run_command(client: Client, command: str) -> int:
    """Run one command and print what it says; the exit status."""
    try:
        command, stages = pipes.split(command)
    except pipes.PipeError as error:
        print(error, file=sys.stderr)
        return 1
    answer = client.ask(command=command)
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return 1
    print(pipes.apply(answer["text"], stages), end="")
    return 0


def prompt(client: Client) -> int:
    """Read commands until ``exit`` or the end of input."""
    host = client.ask(hello="")["text"]
    interactive = sys.stdin.isatty()
    if interactive:
        _prepare_readline(client)
    try:
        while True:
            try:
                line = input(f"{host}> " if interactive else "").strip()
            except EOFError:
                break
            except KeyboardInterrupt:
                print()
                continue
            if line in ("exit", "quit"):
                break
            if line == "help":
                line = "?"
            if line.endswith("?"):
                offers = [
                    *_offers(client, line[:-1]),
                    *([("exit", "Leave")] if line == "?" else ()),
                ]
                width = max((len(word) + 2 for word, _ in offers), default=0)
                for word, help_ in offers:
                    print(f"  {word:<{max(width, 24)}}{help_}")
            elif line:
                run_command(client, line)
    finally:
        if interactive:
            with contextlib.suppress(OSError):
                readline.write_history_file(HISTORY)
    return 0


def _offers(client: Client, start: str) -> Sequence[tuple[str, str]]:
    """What the last word of a line may become, with help."""
    behind_a_bar = pipes.complete(start)
    return client.ask(complete=start)["words"] if behind_a_bar is None else behind_a_bar


def _prepare_readline(client: Client) -> None:
    matches: list[str] = []

    def completer(text: str, state: int) -> str | None:
        nonlocal matches
        if state == 0:
            start = readline.get_line_buffer()[: readline.get_endidx()]
            words = _offers(client, start)
            matches = [word + " " for word, _ in words if word[0] not in "<|"]
            matches = [match for match in matches if match.startswith(text)]
        return matches[state] if state < len(matches) else None

    readline.set_completer(completer)
    readline.set_completer_delims(" ")
    readline.parse_and_bind("tab: complete")
    with contextlib.suppress(OSError):
        readline.read_history_file(HISTORY)
