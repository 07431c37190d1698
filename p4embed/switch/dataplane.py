"""What stands between the engine, real ports and the P4Runtime server.

A ``Dataplane`` owns an engine and the thread that runs packets through it: it receives on
interfaces, calls the engine, transmits. Everything that reaches a controller on its own
initiative (packets for the CPU port, idle notices) arrives at the ``Listener`` that it was
started with; everything a controller asks for goes through ``engine`` or ``packet_out``.

The reference data plane is in ``ports.py`` (Python, AF_PACKET), the native one in ``native/``
(C, the engine's code inlined between receive and transmit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from p4embed.switch.engine import Digested, Engine, IdleEntry
from p4embed.switch.program import DROP_PORT, Program


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for a data plane's whole life, whatever program it runs."""

    cpu_port: int | None = None
    """Frames sent here go to the controller; ``None``: there is no CPU port."""
    drop_port: int = DROP_PORT
    pcap_directory: str | None = None
    """Where each interface's traffic is written as ``<interface>_in.pcap``, ``..._out.pcap``."""
    mapped: bool = True
    """Of the native data plane: frames pass through memory shared with the kernel where it allows
    that; otherwise, and if this is false, by system calls that copy each."""


class PortError(Exception):
    """An interface that cannot be used: which, why, and what to do."""


class Listener(Protocol):
    """Who hears of what no controller asked for.

    Called on a thread of the data plane, which does not forward meanwhile, or by ``collect``: an
    implementation queues and returns, and never raises.
    """

    def packets_in(self, frames: Sequence[bytes]) -> None:
        """Frames that the program sent to the CPU port, in order, complete with the header."""
        ...

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        """Entries that have not been hit for their time-out."""
        ...

    def digests(self, digests: Sequence[Digested]) -> None:
        """Digests of the running program, in order."""
        ...


@runtime_checkable
class Collected(Protocol):
    """A ``Dataplane`` whose frames for the controller an event loop can collect: a thread that
    hands them over costs more than all that is done with them."""

    def bell(self) -> int:
        """Have frames collected instead of told; to be called before ``start``. A file descriptor
        that is readable as long as frames wait."""
        ...

    def collect(self) -> None:
        """Tell the listener of frames that wait: some hundreds at most, so that whoever calls this
        gets to other work. Never waits."""
        ...


class Dataplane(Protocol):
    """A program running between ports. Methods may be called from any thread."""

    @property
    def engine(self) -> Engine:
        """The state of the loaded program. Raises ``RuntimeError`` before the first ``use``.

        Its calls are safe while packets run: each takes effect between two packets (native: two
        bursts), and a call has taken effect once it returns.
        """
        ...

    def check(self, program: Program) -> None:
        """Whether ``prepare`` would take this program: ``RuntimeError`` with the reason if not."""
        ...

    def prepare(self, program: Program) -> Engine:
        """Fresh state of a program, for ``use``; whoever does not use it closes it.

        ``RuntimeError`` with a message for the user if it cannot be run.
        """
        ...

    def use(self, engine: Engine) -> None:
        """Run an engine of this data plane's ``prepare`` from now on.

        The old engine is closed; frames of before are not mixed in.
        """
        ...

    def start(self, ports: Mapping[int, str], listener: Listener) -> None:
        """Attach interfaces (P4 port number to name) and forward from now on.

        ``PortError`` when an interface is missing or may not be opened; then nothing is attached.
        Without a program loaded, frames are dropped.
        """
        ...

    def packet_out(self, frames: Sequence[bytes]) -> None:
        """Run frames, header included, through the program as if received on the CPU port."""
        ...

    def stop(self) -> None:
        """Stop forwarding and detach. Idempotent; joins the threads; returns within a second."""
        ...
