"""The base of every case: one NPU, and what may be asked of it.

Every case says what it expects in full: which frames leave, what the controller gets, and
how every counter of drops, punts and screens changes. Whatever happens besides is a failure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import ptf
from ptf import testutils
from ptf.base_tests import BaseTest

from controller.reasons import FIRST_SCREEN, Drop, Punt, Send, Verdict
from support.client import Client, PacketIn
from support.interfaces import INTERFACES, Interface
from support.names import Names, Value
from support.packets import mac
from support.wings import Session, hop, session_table

ARRIVES = 5.0
"""Seconds within which a frame comes or a counter moves; only a failure waits so long."""
QUIET = 0.05
"""Seconds of silence after everything expected has come."""

SCREENS = sum(drop.name.startswith("SCREEN_") for drop in Drop)
"""Bits of a screen profile."""

Counts = dict[str, dict[int, int]]


class NpuTest(BaseTest):  # type: ignore[misc]
    """A switch with empty session tables and no screens, and counters as they stood."""

    def setUp(self) -> None:
        super().setUp()
        self.dataplane = ptf.dataplane_instance
        self.dataplane.flush()
        names = Names(Path(testutils.test_param_get("p4info")))
        self.client = Client(testutils.test_param_get("address"), names)
        self.addCleanup(self.client.close)
        for table in names.tables:
            if names.tables[table].fields:
                self.client.clear(table)
        self._interfaces: dict[tuple[str, str, int], dict[str, Value]] = {}
        for interface in INTERFACES:
            self.set_interface(interface)
        self._before = self._counters()

    # -- configuration

    def set_interface(self, interface: Interface) -> None:
        """Create an interface without screens or features, both directions."""
        profile = {"zone": interface.zone, "screens": 0, "alarm_only": 0, "extension_limit": 8}
        params: dict[tuple[str, str], dict[str, Value]] = {
            ("ingress", "interface"): {
                "token": interface.token,
                "mac": mac(interface.mac),
                **profile,
                "vr": 0,
                "epoch": 0,
                "features": 0,
            },
            ("egress", "interface"): {**profile, "vr": 0, "features": 0},
            ("ingress", "features"): dict.fromkeys(
                ("filter_v4", "filter_v6", "dscp_classifier", "pcp_classifier", "trace"), 0
            ),
            ("egress", "features"): dict.fromkeys(
                ("filter_v4", "filter_v6", "dscp_rewrite", "shaper"), 0
            ),
        }
        for (side, what), values in params.items():
            self._interfaces[side, what, interface.port] = values
            key = {"port": interface.port, "vlan": interface.vlan}
            if what == "interface":
                self.client.insert(f"{side}_interface", key, f"set_{side}_interface", values)

    def ingress(self, interface: Interface, **changes: Value) -> None:
        """Change parameters of an interface for what arrives."""
        self._change("ingress", "interface", interface, changes)

    def egress(self, interface: Interface, **changes: Value) -> None:
        """Change parameters of an interface for what leaves."""
        self._change("egress", "interface", interface, changes)

    def ingress_features(self, interface: Interface, **changes: Value) -> None:
        """Give an interface filters, classifiers or trace."""
        self._features("ingress", interface, changes)

    def egress_features(self, interface: Interface, **changes: Value) -> None:
        """Give an interface output filters, a rewrite rule or a shaper."""
        self._features("egress", interface, changes)

    def _features(self, side: str, interface: Interface, changes: dict[str, Value]) -> None:
        params = self._interfaces[side, "interface", interface.port]
        if not params["features"]:
            key = {"port": interface.port, "vlan": interface.vlan}
            self.client.insert(
                f"{side}_features",
                key,
                f"set_{side}_features",
                self._interfaces[side, "features", interface.port],
            )
            self._change(side, "interface", interface, {"features": 1})
        self._change(side, "features", interface, changes)

    def _change(
        self, side: str, what: str, interface: Interface, changes: dict[str, Value]
    ) -> None:
        values = self._interfaces[side, what, interface.port]
        values.update(changes)
        key = {"port": interface.port, "vlan": interface.vlan}
        self.client.modify(f"{side}_{what}", key, f"set_{side}_{what}", values)

    def ingress_screens(
        self, interface: Interface, *screens: Drop, alarm_only: tuple[Drop, ...] = ()
    ) -> None:
        """Switch screens on for what arrives by an interface."""
        self.ingress(interface, screens=profile(*screens), alarm_only=profile(*alarm_only))

    def egress_screens(
        self, interface: Interface, *screens: Drop, alarm_only: tuple[Drop, ...] = ()
    ) -> None:
        """Switch screens on for what leaves by an interface."""
        self.egress(interface, screens=profile(*screens), alarm_only=profile(*alarm_only))

    def to_spu(self, key: dict[str, Value], session: Session, *, idle_ns: int = 0) -> None:
        """Install a wing of a normal session."""
        self.client.insert(session_table(key), key, "to_spu", session.params(), idle_ns=idle_ns)

    def express_v4(
        self,
        key: dict[str, Value],
        session: Session,
        translated: dict[str, Value],
        interface: Interface,
        *,
        port: int | None = None,
        remote_port: int = 0,
        idle_ns: int = 0,
    ) -> None:
        """Install an IPv4 wing on Express Path: out of an interface, or another port to it."""
        params = {name: translated[name] for name in ("src_addr", "dst_addr")}
        params |= {name: translated[name] for name in ("src_port", "dst_port")}
        params |= session.params() | hop(interface, port, remote_port)
        self.client.insert("session_v4", key, "express_v4", params, idle_ns=idle_ns)

    def express_v6(
        self,
        key: dict[str, Value],
        session: Session,
        interface: Interface,
        *,
        port: int | None = None,
        remote_port: int = 0,
    ) -> None:
        """Install an IPv6 wing on Express Path."""
        params = session.params() | hop(interface, port, remote_port)
        self.client.insert("session_v6", key, "express_v6", params)

    # -- what is done to the NPU

    def send(self, port: int, frame: bytes) -> None:
        """A frame arrives on a port."""
        testutils.send_packet(self, port, frame)

    def packet_out(self, frame: bytes, port: int, send: Send, **header: int) -> None:
        """The controller sends a frame; the rest of its header is zero."""
        self.client.packet_out(frame, send=send, egress_port=port, **header)

    # -- what is expected of it

    def expect_frame(self, port: int, frame: bytes) -> None:
        """Exactly this frame leaves by this port."""
        testutils.verify_packet(self, frame, port, timeout=ARRIVES)

    def expect_punt(
        self,
        frame: bytes,
        reason: Punt,
        interface: Interface,
        **header: int,
    ) -> PacketIn:
        """The controller gets this frame unchanged, with this header; the rest of it is zero."""
        packet = self.client.packet_in(ARRIVES)
        expected = dict.fromkeys(packet.metadata, 0)
        expected |= {
            "reason": int(reason),
            "ingress_port": interface.port,
            "token": interface.token,
            **header,
        }
        self.assertEqual(packet.metadata, expected)
        self.assertEqual(packet.frame.hex(), frame.hex())
        return packet

    def conclude(
        self,
        *,
        drops: Mapping[Drop, int] | None = None,
        egress_drops: Mapping[Drop, int] | None = None,
        punts: Mapping[Punt, int] | None = None,
        screen_hits: Mapping[tuple[Interface, Drop], int] | None = None,
        egress_screen_hits: Mapping[tuple[Interface, Drop], int] | None = None,
        refused: Mapping[Punt, int] | None = None,
        copies: Mapping[Verdict, int] | None = None,
        egress_copies: Mapping[Verdict, int] | None = None,
    ) -> None:
        """The counters have moved by exactly this, and nothing else leaves or is punted.

        And what arrived is what was forwarded, punted and dropped.
        """
        expected: Counts = {
            "drops": {int(reason): count for reason, count in (drops or {}).items()},
            "egress_drops": {int(reason): count for reason, count in (egress_drops or {}).items()},
            "punts": {int(reason): count for reason, count in (punts or {}).items()},
            "screen_hits": _screen_cells(screen_hits or {}),
            "egress_screen_hits": _screen_cells(egress_screen_hits or {}),
            "punts_refused": {int(reason): count for reason, count in (refused or {}).items()},
            "copies": {int(verdict): count for verdict, count in (copies or {}).items()},
            "egress_copies": {
                int(verdict): count for verdict, count in (egress_copies or {}).items()
            },
        }
        give_up = time.monotonic() + ARRIVES
        while (moved := self.moved()) != expected and time.monotonic() < give_up:
            time.sleep(0.01)
        self.assertEqual(moved, expected, "counters moved otherwise than expected")
        testutils.verify_no_other_packets(self, timeout=QUIET)
        self.assertTrue(self.client.packets.empty(), "a packet-in that nothing expected")
        self.assertEqual(self.moved(), expected, "counters moved after everything was over")
        arrived, ended = self._accounts()
        self.assertEqual(arrived, ended, "packets that nobody accounts for")

    def falls(self, interface: Interface, frame: bytes, reason: Drop) -> None:
        """A frame that arrives by an interface is dropped, for this reason alone."""
        self.send(interface.port, frame)
        self.conclude(drops={reason: 1})

    def misses(self, interface: Interface, frame: bytes) -> None:
        """A frame that arrives by an interface is sound, and matches no wing."""
        self.punted(interface, frame, Punt.MISS)

    def punted(self, interface: Interface, frame: bytes, reason: Punt, **header: int) -> None:
        """A frame that arrives by an interface goes to the controller, for this reason."""
        self.all_punted(interface, [frame], reason, **header)

    def all_punted(
        self, interface: Interface, frames: Sequence[bytes], reason: Punt, **header: int
    ) -> None:
        """The same of several frames."""
        for frame in frames:
            self.send(interface.port, frame)
            self.expect_punt(frame, reason, interface, **header)
        self.conclude(punts={reason: len(frames)})

    def forwarded(self, interface: Interface, frame: bytes, port: int, expected: bytes) -> None:
        """A frame that arrives by an interface leaves as ``expected`` and nothing else happens."""
        self.send(interface.port, frame)
        self.expect_frame(port, expected)
        self.conclude()

    # -- counters

    def _counters(self) -> Counts:
        cells = [
            cell
            for interface in INTERFACES
            for cell in range(interface.zone * 64, interface.zone * 64 + SCREENS)
        ]
        return {
            "drops": self.client.counts("drops"),
            "egress_drops": self.client.counts("egress_drops"),
            "punts": self.client.counts("punts"),
            "screen_hits": self.client.counts("screen_hits", cells),
            "egress_screen_hits": self.client.counts("egress_screen_hits", cells),
            "punts_refused": self.client.counts("punts_refused"),
            "copies": self.client.counts("copies"),
            "egress_copies": self.client.counts("egress_copies"),
        }

    def _accounts(self) -> tuple[int, int]:
        """Packets that came to this NPU since it runs, and packets whose end is counted."""
        sums = {
            counter: sum(self.client.counts(counter).values())
            for counter in ("arrived", "forwarded", "punts", "drops", "egress_drops")
        }
        arrived = sums.pop("arrived")
        return arrived, sum(sums.values())

    def moved(self) -> Counts:
        """How far each counter has moved since the case began; cells that stood still left out."""
        return {
            counter: {
                index: count - self._before[counter].get(index, 0)
                for index, count in now.items()
                if count != self._before[counter].get(index, 0)
            }
            for counter, now in self._counters().items()
        }


def profile(*screens: Drop) -> int:
    """Bit map of screens, as an interface carries it."""
    return sum(1 << (screen - FIRST_SCREEN) for screen in screens)


def _screen_cells(hits: Mapping[tuple[Interface, Drop], int]) -> dict[int, int]:
    return {
        interface.zone * 64 + screen - FIRST_SCREEN: count
        for (interface, screen), count in hits.items()
    }
