"""Random packets: what the model predicts is what the data plane does, to the byte."""

from __future__ import annotations

import struct
import time
from collections import Counter
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ptf import testutils

from controller.reasons import Drop, Punt
from model import npu as model
from model.screens import FINDS
from support import base
from support.interfaces import DMZ, TRUST, UNTRUST, Interface
from support.packets import (
    CLIENT,
    CLIENT6,
    HOST_MAC,
    NEXT_HOP_MAC,
    PUBLIC,
    SERVER,
    SERVER6,
    address,
    mac,
)
from support.wings import Session

EXAMPLES = 1500
"""The same ones in every run."""
ALL_SCREENS = frozenset(FINDS) | {Drop.SCREEN_IPV6_EXTENSION_LIMIT, Drop.SCREEN_SPOOFING}

# -- what is configured -------------------------------------------------------------------

STRICT = model.Profile(
    on=ALL_SCREENS
    - {Drop.SCREEN_BLOCK_FRAG, Drop.SCREEN_IPV6_FRAGMENT, Drop.SCREEN_IPV6_DESTINATION},
    alarm_only=frozenset(
        {
            Drop.SCREEN_SYN_FIN,
            Drop.SCREEN_RECORD_ROUTE,
            Drop.SCREEN_IPV6_AH,
            Drop.SCREEN_SPOOFING,
        }
    ),
    limit=2,
)
ON_THE_WAY_OUT = model.Profile(
    on=frozenset(
        {
            Drop.SCREEN_TCP_NO_FLAG,
            Drop.SCREEN_WINNUKE,
            Drop.SCREEN_ICMP_LARGE,
            Drop.SCREEN_SPOOFING,
        }
    ),
    alarm_only=frozenset({Drop.SCREEN_ICMP_LARGE}),
)
SUSPICIOUS = model.Profile(
    on=frozenset({Drop.SCREEN_SPOOFING}), alarm_only=frozenset({Drop.SCREEN_SPOOFING})
)


def place(interface: Interface, **more: Any) -> model.Interface:
    """An interface as the model knows it."""
    port, vlan = interface.port, interface.vlan
    return model.Interface(port, vlan, interface.token, mac(interface.mac), interface.zone, **more)


PLACES = {
    TRUST: place(TRUST, ingress=SUSPICIOUS, egress=SUSPICIOUS),
    UNTRUST: place(UNTRUST, egress=ON_THE_WAY_OUT),
    DMZ: place(DMZ, epoch=1, ingress=STRICT),
}
A4, B4, P4 = address(CLIENT), address(SERVER), address(PUBLIC)
A6, B6 = address(CLIENT6), address(SERVER6)
PORT, SERVICE = 0x9C40, 80


def wings() -> dict[model.Key, model.Wing]:
    """Sessions of the few flows that packets here belong to, now and then."""
    found: dict[model.Key, model.Wing] = {}
    numbers = count(1)

    def add(key: model.Key, **how: Any) -> None:
        found[key] = model.Wing(session_id=next(numbers), spu=3, **how)

    for place, out in ((TRUST, UNTRUST), (DMZ, TRUST)):
        way = {"out": PLACES[out], "next_hop": mac(NEXT_HOP_MAC), "epoch": PLACES[place].epoch}
        token = place.token
        for protocol in (6, 17):
            add((A4, B4, PORT, SERVICE, protocol, token), **way,
                translated=(P4, B4, 20000, 8080))  # fmt: skip
            add((A6, B6, PORT, SERVICE, protocol, token), **way)
        add((A4, B4, PORT, 0x0800, 1, token), **way, translated=(P4, B4, 777, 0x0800))
        add((A4, B4, 0, 0, 47, token), **way, translated=(P4, B4, 0, 0))
        add((B4, A4, SERVICE, PORT, 6, token), epoch=1)
        add((B6, A6, SERVICE, PORT, 17, token), epoch=1)
        add((A6, B6, PORT, 0x8000, 58, token), epoch=0)
    return found


WINGS = wings()
ROUTES = {
    (A4, 32): DMZ.zone,
    (A4[:1] + bytes(3), 8): TRUST.zone,
    (A6, 128): TRUST.zone,
    (B6[:2] + bytes(14), 16): UNTRUST.zone,
}
"""To the source of most packets, and around it; to B4 there is no way."""
NPU = model.Npu(tuple(PLACES.values()), WINGS, ROUTES)

# -- what arrives ---------------------------------------------------------------------------

identifications = count(1)
"""No two fragments of a datagram: those that follow a first have cases of their own."""


def often(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """One value most of the time, others now and then."""
    return st.sampled_from([usual] * (15 * len(others)) + list(others))


def checksummed(header: bytes) -> bytes:
    """An IPv4 header with its checksum."""
    total = model.ones_sum(header[:10] + b"\0\0" + header[12:])
    return header[:10] + struct.pack("!H", 0xFFFF - total) + header[12:]


PORTS = st.sampled_from([*[(PORT, SERVICE)] * 5, (SERVICE, PORT), (PORT, 139), (1, 2)])
DATA = st.sampled_from([b"", b"x", bytes(40), bytes(range(100))])


@st.composite
def upper(draw: st.DrawFn, protocol: int, version: int) -> bytes:
    """TCP, UDP, ICMP, or something, with an occasional flaw."""
    data, (sport, dport) = draw(DATA), draw(PORTS)
    if protocol == 6:
        flags = draw(st.sampled_from([0x10, 0x18, 0x18, 0x02, 0x11, 0x03, 0x00, 0x04, 0x30, 0x01]))
        words = draw(often(5, 6, 4, 15))
        return struct.pack("!HHIIBBHHH", sport, dport, 1, 2, words << 4, flags, 99, 77, 0) + data
    if protocol == 17:
        length = 8 + len(data) + draw(often(0, -1, 1, -9))
        checksum = draw(st.sampled_from([0, 0xFFFF, 0x1234]))
        return struct.pack("!HHHH", sport, dport, max(length, 0), checksum) + data
    if protocol in (1, 58):
        kinds = [8, 0, 3, 11, 13] if protocol == 1 else [128, 129, 1, 2, 135, 133, 137, 127, 200]
        kind, code = draw(st.sampled_from(kinds)), draw(often(0, 1, 12))
        head = struct.pack("!BBHHH", kind, code, 0x4321, draw(st.sampled_from([PORT, 5])), 7)
        quotes = kind in ((3, 11) if protocol == 1 else (1, 2))
        return head + (draw(quoted(version)) if quotes else data)
    return data


@st.composite
def quoted(draw: st.DrawFn, version: int) -> bytes:
    """The packet that an ICMP error is about, perhaps cut short."""
    protocol = draw(st.sampled_from([6, 17, 1 if version == 4 else 58, 47]))
    ports = struct.pack("!HH", *draw(PORTS)) + struct.pack("!HH", PORT, 0)
    if protocol in (1, 58):
        kind = draw(st.sampled_from([8, 0] if version == 4 else [128, 129]))
        ports = struct.pack("!BBHHH", kind, 0, 0, PORT, 1)
    if version == 4:
        words, offset = draw(often(5, 6)), draw(often(0, 9))
        packet = struct.pack("!BBHHHBBH", 0x40 | words, 0, 99, 1, offset, 9, protocol, 0) + A4 + B4
    else:
        packet = struct.pack("!IHBB", 6 << 28, 99, protocol, 9) + A6 + B6
    return (packet + ports)[: draw(often(100, 20, 27, 40, 47))]


@st.composite
def ipv4(draw: st.DrawFn) -> bytes:
    """An IPv4 packet with an occasional flaw."""
    protocol = draw(st.sampled_from([6, 6, 17, 17, 1, 1, 47, 58, 137, 0]))
    payload = draw(upper(protocol, 4))
    lists = [
        b"", b"\x94\4\0\0", b"\7\7\4\0\0\0\0\0", b"\1\1\x44\6\5\0\0\0", b"\x83\3\4\0",
        b"\x89\2\0\0", b"\x88\4\0\1", b"\x82\3\0\0", b"\7\0\0\0", b"\1" * 12, b"\x94\2" * 20,
    ]  # fmt: skip
    options = draw(often(*lists)) if draw(st.integers(0, 3)) == 0 else b""
    words = 5 + len(options) // 4
    total = 4 * words + len(payload)
    fragment = draw(often(0, 0x4000, 0x2000, 0x0010, 0x1FFF, 0x2005))
    src = draw(often(A4, B4, b"\x7f\0\0\1", b"\0\0\0\1", b"\xe0\0\0\5", b"\xff" * 4))
    dst = draw(often(B4, A4, b"\xe0\0\0\5", b"\xff" * 4))
    header = (
        struct.pack(
            "!BBHHHBBH",
            draw(often(4, 6)) << 4 | draw(often(words, words, words, words, 4, 15)),
            draw(st.sampled_from([0, 0xB8])),
            max(0, total + draw(often(0, 1, -1, -30))),
            next(identifications) & 0xFFFF,
            fragment,
            draw(often(64, 2, 1, 0)),
            protocol,
            0,
        )
        + src
        + dst
        + options
    )
    size = 4 * max(header[0] & 15, 5)
    header = checksummed((header + bytes(60))[:size])[: len(header)]
    return header + payload + draw(often(b"", b"pad"))


@st.composite
def ipv6(draw: st.DrawFn) -> bytes:
    """An IPv6 packet with an occasional flaw."""
    protocol = draw(st.sampled_from([6, 6, 17, 17, 58, 58, 47, 50, 51, 59, 1]))
    payload = draw(upper(protocol, 6))
    numbers = st.sampled_from([0, 43, 60, 60, 44, 44, 135, 139, 140])
    chain = draw(st.lists(numbers, max_size=3)) if draw(st.booleans()) else []
    chain += [60] * draw(often(0, 0, 0, 7))
    nexts = [*chain[1:], protocol]
    headers = b""
    for number, following in zip(chain, nexts, strict=False):
        if number == 44:
            offset = draw(often(0, 1, 8, 8 * 30 | 1))
            headers += struct.pack("!BBHI", following, 0, offset, next(identifications) << 8)
        else:
            units = draw(often(0, 1, 7, 8))
            headers += bytes([following, units]) + bytes(6 + 8 * units)
    src = draw(often(A6, B6, bytes(16), bytes(15) + b"\1", b"\xff\2" + bytes(14)))
    dst = draw(often(B6, A6, b"\xff\2" + bytes(14)))
    length = len(headers) + len(payload) + draw(often(0, 1, -1, -30))
    first = chain[0] if chain else protocol
    fixed = struct.pack(
        "!IHBB",
        draw(often(6, 4)) << 28 | 0x12345,
        max(0, length),
        first,
        draw(often(64, 255, 1, 0)),
    )
    return fixed + src + dst + headers + payload + draw(often(b"", b"pad"))


@st.composite
def frames(draw: st.DrawFn) -> tuple[int, bytes]:
    """A port and a frame that arrives there."""
    place = draw(st.sampled_from([TRUST, TRUST, DMZ, DMZ, UNTRUST]))
    version = draw(st.sampled_from([4, 4, 6, 6, 0]))
    ether_type = {4: 0x0800, 6: 0x86DD}.get(version, 0)
    if version == 4:
        packet = draw(ipv4())
    elif version == 6:
        packet = draw(ipv6())
    else:
        ether_type, packet = draw(st.sampled_from([(0x0806, bytes(28)), (0x88CC, bytes(60))]))
    others = (b"\xff" * 6, b"\1\0\x5e\0\0\5", mac("02:00:00:00:0f:0f"))
    link = draw(often(mac(place.mac), *others)) + mac(HOST_MAC)
    vlan = draw(often(place.vlan, 77))
    if vlan:
        link += struct.pack("!HH", 0x8100, draw(st.sampled_from([0, 5])) << 13 | vlan)
    frame = link + struct.pack("!H", ether_type) + packet
    if draw(st.integers(0, 7)) == 0:
        # Linux itself drops what ends right behind a tag.
        frame = frame[: draw(st.integers(20, len(frame)))]
    if draw(st.integers(0, 7)) == 0:
        at = draw(st.integers(12, len(frame) - 1))
        frame = frame[:at] + bytes([frame[at] ^ 1 << draw(st.integers(0, 7))]) + frame[at + 1 :]
    return place.port, frame


class TheModelAgrees(base.NpuTest):
    """Every outcome, and every frame that leaves; each counter once all have passed."""

    def setUp(self) -> None:
        super().setUp()
        for interface, place in PLACES.items():
            for configure, of in ((self.ingress, place.ingress), (self.egress, place.egress)):
                configure(
                    interface,
                    screens=base.profile(*of.on),
                    alarm_only=base.profile(*of.alarm_only),
                    extension_limit=of.limit,
                )
            self.ingress(interface, epoch=place.epoch)
        for prefix, zone in ROUTES.items():
            for side in ("", "egress_"):
                table = f"{side}reverse_path_v{4 if len(prefix[0]) == 4 else 6}"
                route: dict[str, Any] = {"vr": 0, "src_addr": prefix}
                self.client.insert(table, route, "reverse_zone", {"zone": zone})
        for (src, dst, sport, dport, protocol, token), wing in WINGS.items():
            key: dict[str, Any] = {
                "src_addr": src, "dst_addr": dst, "src_port": sport, "dst_port": dport,
                "protocol": protocol, "token": token,
            }  # fmt: skip
            session = Session(wing.session_id, 0, wing.spu, wing.epoch)
            if wing.out is None:
                self.to_spu(key, session)
                continue
            out = next(interface for interface, place in PLACES.items() if place is wing.out)
            if wing.translated is None:
                self.express_v6(key, session, out)
            else:
                names = ("src_addr", "dst_addr", "src_port", "dst_port")
                translated = dict(zip(names, wing.translated, strict=True))
                self.express_v4(key, session, translated, out)

    def runTest(self) -> None:
        expected: list[model.Outcome] = []

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            # Shrinking would wait for every packet that does not come.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(frames())
        def agrees(arrival: tuple[int, bytes]) -> None:
            outcome = NPU.predict(*arrival)
            expected.append(outcome)
            self.check(*arrival, outcome)

        agrees()
        self.conclude_all(expected)

    def check(self, port: int, frame: bytes, outcome: model.Outcome) -> None:
        """One frame's way, followed to its end."""
        dropped = [("drops", outcome.drop), ("egress_drops", outcome.egress_drop)]
        before = {name: self.cell(name, reason) for name, reason in dropped if reason}
        self.send(port, frame)
        if outcome.punt:
            packet = self.client.packet_in(base.ARRIVES)
            self.assertEqual(Punt(packet.metadata["reason"]), outcome.punt)
            self.assertEqual(packet.metadata["session_id"], outcome.session_id)
            self.assertEqual(packet.frame.hex(), frame.hex())
        elif outcome.port:
            found = testutils.dp_poll(self, port_number=outcome.port, timeout=base.ARRIVES)
            self.assertIsInstance(found, self.dataplane.PollSuccess, f"expected {outcome}")
            self.assertEqual(found.packet.hex(), outcome.frame.hex())
        for name, reason in dropped:
            give_up = time.monotonic() + base.ARRIVES
            while reason and self.cell(name, reason) == before[name]:
                self.assertLess(time.monotonic(), give_up, f"not dropped: {outcome}")

    def cell(self, counter: str, index: int) -> int:
        """One cell of a counter."""
        return self.client.counts(counter, [index]).get(index, 0)

    def conclude_all(self, outcomes: list[model.Outcome]) -> None:
        """All counters have moved as all predictions together say, and nothing else happened."""
        seen = Counter[str]()
        for outcome in outcomes:
            seen[(outcome.drop or outcome.egress_drop or outcome.punt).name] += 1
        # The packets are as varied as they are meant to be.
        self.assertGreater(len(seen), 30, seen)
        moved = self.moved()
        for counter, name in (
            ("drops", "drop"),
            ("egress_drops", "egress_drop"),
            ("punts", "punt"),
        ):
            counted = Counter(int(getattr(outcome, name)) for outcome in outcomes)
            del counted[0]
            self.assertEqual(moved[counter], dict(counted), counter)
        for counter, name in (("screen_hits", "hits"), ("egress_screen_hits", "egress_hits")):
            hits = Counter(screen for outcome in outcomes for screen in getattr(outcome, name))
            by_screen = Counter[int]()
            for cell, packets in moved[counter].items():
                by_screen[cell % 64 + 32] += packets
            self.assertEqual(by_screen, Counter({int(s): n for s, n in hits.items()}), counter)
        testutils.verify_no_other_packets(self, timeout=base.QUIET)
        self.assertTrue(self.client.packets.empty(), "a packet-in that nothing expected")
        arrived, ended = self._accounts()
        self.assertEqual(arrived, ended, "packets that nobody accounts for")
