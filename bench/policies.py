"""The policy search by number of policies: alone, and within a first packet's whole decision.

    python -m bench.policies [--sizes 10 100 1000 10000] [--rounds 5]

Policies of one zone pair with addresses and ports of their own each; the flows looked up match one
of them at random. Reported are medians over rounds, in microseconds, and their ratio to the
smallest list's; and what compiling takes. "First packet" is from a create-session message to an SPU
to its question for the next hop: the part of a set-up that policies take part in, without I/O.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from random import Random
from statistics import median

from controller.config.cards import Chassis, NpuSite, SpuSite
from controller.config.schema import Action, Application, Configuration, Interface, Policy, Zone
from controller.flow import Direction, FlowKey, Port, Tuple5
from controller.messages import CreateSession, PacketIn
from controller.packet import UDP
from controller.reasons import Punt
from controller.routing.fib import Fib
from controller.spu import Spu
from controller.spu.policy import PolicyTable

LOOKUPS = 20_000
FIRST_PACKETS = 2_000
_SITE = NpuSite(1, "127.0.0.1:1", 1, {})
CHASSIS = Chassis({1: _SITE}, {1: SpuSite(1, 1 << 20)})


def configuration(size: int) -> Configuration:
    """Two zones and ``size`` policies between them."""
    interfaces = [
        Interface(f"ge-1/0/{n}.0", Port(1, n + 1), 0, bytes((2, 0, 0, 0, 0, n)),
                  (ip_interface(f"{10 + n}.0.0.1/8"),), zone, n + 1)
        for n, zone in enumerate(("trust", "untrust"))
    ]  # fmt: skip
    rules = []
    for n in range(size):
        source = ip_network(((10 << 24) + 256 * (n + 1), 24))
        destination = ip_network(((11 << 24) + 2 + n, 32))
        service = Application(f"service-{n}", UDP, range(65536), range(1000 + n, 1001 + n))
        rules.append(
            Policy(f"p{n}", 4 + n, "trust", "untrust", (source,), (destination,), (service,),
                   Action.PERMIT)
        )  # fmt: skip
    zones = {i.zone: Zone(i.zone, i.token, (i.name,)) for i in interfaces}
    return Configuration({i.name: i for i in interfaces}, zones, policies=tuple(rules))


def flows(size: int, count: int, random: Random) -> list[Tuple5]:
    """Flows that match one policy each."""
    found = []
    for _ in range(count):
        n = random.randrange(size)
        source = ((10 << 24) + 256 * (n + 1) + random.randrange(1, 255)).to_bytes(4, "big")
        destination = ip_address((11 << 24) + 2 + n).packed
        found.append(Tuple5(source, destination, random.randrange(1024, 65536), 1000 + n, UDP))
    return found


def searches(config: Configuration, probes: list[Tuple5]) -> tuple[float, float]:
    """Seconds to compile, and per search."""
    started = time.perf_counter()
    table = PolicyTable(config)
    compiled = time.perf_counter()
    for flow in probes:
        table.search("trust", "untrust", flow)
    return compiled - started, (time.perf_counter() - compiled) / len(probes)


def first_packets(config: Configuration, probes: list[Tuple5]) -> float:
    """Seconds per first packet that an SPU decides on."""
    spu = Spu(1, config, Fib(config), CHASSIS, trace=False)
    creates = []
    for flow in probes:
        packet = PacketIn(Port(1, 1), Punt.MISS, 1, 0, Direction.FORWARD, 0, _frame(flow), 0)
        creates.append(CreateSession(FlowKey(*flow, 1), packet, attempt=1))
    started = time.perf_counter()
    for create in creates:
        spu.handle(create, 0)
    spent = time.perf_counter() - started
    assert spu.pending_count() == len({create.flow for create in creates}), "flows were refused"
    return spent / len(creates)


def _frame(flow: Tuple5) -> bytes:
    udp = flow.sport.to_bytes(2, "big") + flow.dport.to_bytes(2, "big") + b"\0\x0c\0\0data"
    ip = b"\x45\0\0\x20\0\0\0\0\x40\x11\0\0" + flow.src + flow.dst
    return bytes((2, 0, 0, 0, 0, 0)) + bytes((2, 0, 0, 0, 0, 9)) + b"\x08\0" + ip + udp


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="cost of the policy search")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    random = Random(1)
    columns = ("policies", "compile ms", "search us", "ratio", "first packet us", "ratio")
    print("".join(f"{name:>17}" for name in columns))
    base: tuple[float, float] | None = None
    for size in options.sizes:
        config = configuration(size)
        compiled, search, first = [], [], []
        for _ in range(options.rounds):
            c, s = searches(config, flows(size, LOOKUPS, random))
            compiled.append(c)
            search.append(s)
            # A copy: nothing compiled earlier is found again.
            fresh = replace(config, host_name="bench")
            first.append(first_packets(fresh, flows(size, FIRST_PACKETS, random)))
        result = median(search), median(first)
        base = base or result
        print(
            f"{size:>17}{1000 * median(compiled):>17.1f}{1e6 * result[0]:>17.2f}"
            f"{result[0] / base[0]:>17.2f}{1e6 * result[1]:>17.2f}{result[1] / base[1]:>17.2f}"
        )


if __name__ == "__main__":
    main()
