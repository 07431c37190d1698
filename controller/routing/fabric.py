"""The fabric that joins the NPUs: a graph, checked once, asked for ways through."""

from __future__ import annotations

import networkx

from controller.config.cards import Chassis

FIRST_FABRIC_PORT = 200
LAST_FABRIC_PORT = 254


class FabricError(ValueError):
    """The chassis cannot work: what is wrong with its fabric and what would be right."""


class Fabric:
    """Ways between the NPUs of a chassis.

    A fabric frame names the egress port on the NPU that it reaches and nothing beyond
    (``docs/ARCHITECTURE.md``), so every NPU must be joined to every other directly. Anything
    else is refused here, before a switch is programmed, with a ``FabricError``.
    """

    def __init__(self, chassis: Chassis) -> None:
        self._graph: networkx.DiGraph[int] = networkx.DiGraph()
        self._graph.add_nodes_from(chassis.npus)
        for number, site in chassis.npus.items():
            used: dict[int, int] = {}
            for far, port in site.fabric.items():
                self._check(chassis, number, far, port)
                if port in used:
                    raise FabricError(
                        f"NPU {number}: fabric port {port} leads to NPU {used[port]} and to "
                        f"NPU {far}; give each its own port"
                    )
                used[port] = far
                self._graph.add_edge(number, far, port=port)
        for near in chassis.npus:
            for far in chassis.npus:
                if near != far and not self._graph.has_edge(near, far):
                    raise FabricError(self._gap(near, far))

    @staticmethod
    def _check(chassis: Chassis, number: int, far: int, port: int) -> None:
        if far == number or far not in chassis.npus:
            others = sorted(set(chassis.npus) - {number})
            raise FabricError(
                f"NPU {number}: fabric port {port} leads to NPU {far}, which "
                f"{'is itself' if far == number else 'does not exist'}; others are {others}"
            )
        if not FIRST_FABRIC_PORT <= port <= LAST_FABRIC_PORT:
            raise FabricError(
                f"NPU {number}: port {port} to NPU {far} is no fabric port; "
                f"they are {FIRST_FABRIC_PORT} to {LAST_FABRIC_PORT}"
            )

    def _gap(self, near: int, far: int) -> str:
        if networkx.has_path(self._graph, near, far):
            path = networkx.shortest_path(self._graph, near, far)
            way = " -> ".join(f"NPU {number}" for number in path)
            return (
                f"NPU {near} reaches NPU {far} only by {way}; "
                f"a fabric frame makes one hop: join the two directly"
            )
        return f"NPU {near} has no fabric port towards NPU {far}; join the two directly"

    def port(self, near: int, far: int) -> int:
        """NPU ``near``'s fabric port towards NPU ``far``."""
        return int(self._graph.edges[near, far]["port"])
