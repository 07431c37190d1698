"""The native data plane on real ports: veth pairs in a network namespace of each test's own.

Helpers of the unit tests are at hand; compiled programs go to a directory of the test run.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "native"))

from ends import CPU, Far, Heard, forwarding, ip

from p4embed.switch.dataplane import Options
from p4embed.switch.native import NativeDataplane

CLONE_NEWNET = 0x40000000


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where compiled programs of this run are."""
    directory = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(directory))
        yield directory


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    """A namespace with ports npu1 and npu2, their far ends far1 and far2."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
            for n in (1, 2):
                ip("link", "add", f"npu{n}", "mtu", "9300", "type", "veth",
                   "peer", "name", f"far{n}", "mtu", "9300")  # fmt: skip
                ip("link", "set", f"npu{n}", "up")
                ip("link", "set", f"far{n}", "up")
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(params=[True, False], ids=["mapped", "copied"])
def options(request: pytest.FixtureRequest) -> Options:
    """Both ways of packet I/O."""
    return Options(cpu_port=CPU, mapped=request.param)


@pytest.fixture
def dataplane(options: Options, heard: Heard) -> Iterator[NativeDataplane]:
    plane = NativeDataplane(options)
    plane.use(plane.prepare(forwarding()))
    plane.start({1: "npu1", 2: "npu2"}, heard)
    yield plane
    plane.stop()


@pytest.fixture
def far() -> Iterator[dict[int, Far]]:
    ends = {number: Far(number) for number in (1, 2)}
    yield ends
    for end in ends.values():
        end.socket.close()
