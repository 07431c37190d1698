"""``chassis.toml``: the cards of the chassis, which no Junos configuration describes.

[[npu]]
number = 1
address = "127.0.0.1:9559"     # of its P4Runtime server
device_id = 1
fabric = { 2 = 200 }           # NPU 2 is reached by port 200

[[spu]]
number = 1
max_sessions = 1000000         # this and the next two may be left out; IPv6 sessions count twice
weight = 3                     # share of new sessions (for all SPUs or none); else max_sessions
mode = "combo"                 # the central point runs on it too (one at most): half of its
                               # sessions and of its weight are left for flows

[central_point]                # may be left out, as may each of these
balancing = "least-sessions"   # or "weighted-round-robin" or "hash"
max_sessions = 1500000         # of the whole chassis; otherwise all that the SPUs can hold
pending_timeout = 5            # seconds that a session may take to set up

[punt_rates]                   # may be left out: packets a second from each NPU, by reason
miss = 10000

[nat]                          # may be left out: for labs and tests
delay = 50                     # milliseconds that each allocation takes
refuse_every = 10              # one of every so many is refused as if nothing were left
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from controller.config.cards import (
    PENDING_TIMEOUT,
    Balancing,
    Chassis,
    CpSite,
    NatFaults,
    NpuSite,
    SpuSite,
)
from controller.config.problems import ConfigurationError, Place, Problem, Problems, unknown
from controller.config.schema import SECOND
from controller.reasons import Punt

DEFAULT_MAX_SESSIONS = 1_048_576
"""An SPU's maximum in Juniper's published captures of first-generation cards."""

MAX_SESSIONS = 9_999_999
"""Session ids leave seven digits to each SPU."""

FABRIC_PORTS = range(200, 255)
"""``FIRST_FABRIC_PORT`` to ``LAST_FABRIC_PORT`` of ``p4src/ids.p4``."""

_NPU_KEYS = ("number", "address", "device_id", "fabric")
_SPU_KEYS = ("number", "max_sessions", "weight", "mode")
_CP_KEYS = ("balancing", "max_sessions", "pending_timeout")
_KEYS = ("npu", "spu", "central_point", "punt_rates", "nat")
_NAT_KEYS = ("delay", "refuse_every")
NAT_DELAYS = range(60_001)
NAT_REFUSALS = range(1_000_001)
_MODES = ("flow", "combo")
_BALANCING = {each.value: each for each in Balancing}
COMBO_SHARE = 2
"""What a combo SPU has left is one of so many parts (outputs of such chassis show 524288 sessions
as the maximum, and 1048576 of an SPU that is no combo one)."""
WEIGHTS = range(1, 1_000_001)
PENDING_TIMEOUTS = range(1, 61)
_PUNTS = {punt.name.lower(): punt for punt in Punt if punt is not Punt.NONE}
PUNT_RATES = range(1, 10_000_001)
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")


def load_chassis(path: Path) -> Chassis:
    """Read a chassis file. Raises ``ConfigurationError`` with everything that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        problem = Problem(Place(str(path), 1, 1), f"cannot read this chassis file: {why}")
        raise ConfigurationError([problem]) from error
    return parse_chassis(text, str(path))


def parse_chassis(text: str, file: str = "<text>") -> Chassis:
    """Like ``load_chassis``, from a text; ``file`` is its name in error messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        place = Place(file, int(where[1]), int(where[2])) if where else Place(file, 1, 1)
        what = str(error).split(" (at ")[0]
        raise ConfigurationError([Problem(place, f"this is no TOML: {what}")]) from error
    return _Reader(text, file).chassis(table)


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._lines = text.splitlines()
        self._file = file
        self._problems = Problems()

    def chassis(self, table: Mapping[str, object]) -> Chassis:
        for key in table:
            if key not in _KEYS:
                self._problems.add(self._place("", 0, key), unknown("key", key, _KEYS))
        npus: dict[int, NpuSite] = {}
        for index, entry in enumerate(self._tables(table, "npu")):
            site = self._npu(entry, index)
            if site is not None:
                if site.number in npus:
                    place = self._place("npu", index, "number")
                    self._problems.add(place, f"NPU {site.number} is there twice")
                for other in npus.values():
                    if (other.address, other.device_id) == (site.address, site.device_id):
                        place = self._place("npu", index, "address")
                        text = f"NPU {site.number} and NPU {other.number} have one address and "
                        self._problems.add(
                            place, text + "one device_id; each is a switch of its own"
                        )
                npus[site.number] = site
        spus: dict[int, SpuSite] = {}
        tables = self._tables(table, "spu")
        for index, entry in enumerate(tables):
            spu = self._spu(entry, index)
            if spu is not None:
                if spu.number in spus:
                    place = self._place("spu", index, "number")
                    self._problems.add(place, f"SPU {spu.number} is there twice")
                if spu.is_combo and any(other.is_combo for other in spus.values()):
                    place = self._place("spu", index, "mode")
                    self._problems.add(place, "the central point runs on one SPU only")
                spus[spu.number] = spu
        weighted = [index for index, entry in enumerate(tables) if "weight" in entry]
        if 0 < len(weighted) < len(tables):
            place = self._place("spu", weighted[0], "weight")
            self._problems.add(place, "all SPUs have a weight, or none has")
        self._check_fabric(npus)
        cp = self._cp(table.get("central_point", {}))
        rates = self._punt_rates(table.get("punt_rates", {}))
        faults = self._nat_faults(table.get("nat", {}))
        self._problems.raise_if_any()
        return Chassis(npus, spus, rates, cp, faults)

    def _punt_rates(self, table: object) -> dict[Punt, int]:
        if not isinstance(table, dict):
            text = "a table [punt_rates] of reasons and packets a second is expected"
            self._problems.add(self._place("", 0, "punt_rates"), text)
            return {}
        rates: dict[Punt, int] = {}
        for name, rate in table.items():
            place = self._place("", 0, name)
            if name not in _PUNTS:
                self._problems.add(place, unknown("reason", name, _PUNTS))
            elif type(rate) is not int or rate not in PUNT_RATES:
                text = f"{name} = {rate!r}; a number of packets a second from {PUNT_RATES[0]} to "
                self._problems.add(place, text + f"{PUNT_RATES[-1]} is expected")
            else:
                rates[_PUNTS[name]] = rate
        return rates

    def _tables(self, table: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
        entries = table.get(name)
        if (
            not isinstance(entries, list)
            or not entries
            or not all(isinstance(entry, dict) for entry in entries)
        ):
            text = f"at least one [[{name}]] table is needed"
            self._problems.add(self._place("", 0, name), text)
            return []
        return entries

    def _npu(self, entry: Mapping[str, object], index: int) -> NpuSite | None:
        before = len(self._problems.found)
        self._check_keys(entry, "npu", index, _NPU_KEYS)
        number = self._number(entry, "npu", index, "number", range(1, 256), None)
        device_id = self._number(entry, "npu", index, "device_id", range(1, 1 << 63), number or 1)
        address = entry.get("address")
        match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if match is None or not 1 <= int(match[2]) <= 65535:
            place = self._place("npu", index, "address")
            self._problems.add(place, 'address = "HOST:PORT" of its P4Runtime server is needed')
        fabric = entry.get("fabric", {})
        ports: dict[int, int] = {}
        place = self._place("npu", index, "fabric")
        if not isinstance(fabric, dict):
            self._problems.add(place, "fabric = { FAR-NPU = PORT } is expected, as { 2 = 200 }")
        else:
            for far, port in fabric.items():
                if not far.isdecimal() or type(port) is not int or port not in FABRIC_PORTS:
                    text = f"fabric {{ {far} = {port} }}: an NPU number and a port from "
                    text += f"{FABRIC_PORTS[0]} to {FABRIC_PORTS[-1]} are expected"
                    self._problems.add(place, text)
                elif port in ports.values():
                    self._problems.add(place, f"fabric port {port} leads to two NPUs")
                else:
                    ports[int(far)] = port
        if len(self._problems.found) > before:
            return None
        assert isinstance(address, str)
        return NpuSite(number, address, device_id, ports)

    def _spu(self, entry: Mapping[str, object], index: int) -> SpuSite | None:
        before = len(self._problems.found)
        self._check_keys(entry, "spu", index, _SPU_KEYS)
        number = self._number(entry, "spu", index, "number", range(1, 256), None)
        limit = range(1, MAX_SESSIONS + 1)
        sessions = self._number(entry, "spu", index, "max_sessions", limit, DEFAULT_MAX_SESSIONS)
        weight = 0
        if "weight" in entry:
            weight = self._number(entry, "spu", index, "weight", WEIGHTS, None)
        mode = entry.get("mode", "flow")
        if mode not in _MODES:
            place = self._place("spu", index, "mode")
            self._problems.add(place, f"mode = {mode!r}; one of {', '.join(_MODES)} is expected")
        if len(self._problems.found) > before:
            return None
        # Weights are only compared: doubling those of all others halves that of a combo one.
        if mode == "flow":
            return SpuSite(number, sessions, weight * COMBO_SHARE)
        return SpuSite(number, max(1, sessions // COMBO_SHARE), weight, is_combo=True)

    def _cp(self, entry: object) -> CpSite:
        if not isinstance(entry, dict):
            text = "a table [central_point] is expected"
            self._problems.add(self._place("", 0, "central_point"), text)
            return CpSite()
        before = len(self._problems.found)
        self._check_keys(entry, "central_point", 0, _CP_KEYS)
        word = entry.get("balancing", Balancing.LEAST_SESSIONS.value)
        if word not in _BALANCING:
            place = self._place("central_point", 0, "balancing")
            text = f"balancing = {word!r}; one of {', '.join(_BALANCING)} is expected"
            self._problems.add(place, text)
        sessions = 0
        if "max_sessions" in entry:
            limit = range(1, 255 * MAX_SESSIONS + 1)
            sessions = self._number(entry, "central_point", 0, "max_sessions", limit, None)
        seconds = self._number(
            entry,
            "central_point",
            0,
            "pending_timeout",
            PENDING_TIMEOUTS,
            PENDING_TIMEOUT // SECOND,
        )
        if len(self._problems.found) > before:
            return CpSite()
        return CpSite(_BALANCING[str(word)], sessions, seconds * SECOND)

    def _nat_faults(self, entry: object) -> NatFaults:
        if not isinstance(entry, dict):
            self._problems.add(self._place("", 0, "nat"), "a table [nat] is expected")
            return NatFaults()
        self._check_keys(entry, "nat", 0, _NAT_KEYS)
        delay = self._number(entry, "nat", 0, "delay", NAT_DELAYS, 0)
        every = self._number(entry, "nat", 0, "refuse_every", NAT_REFUSALS, 0)
        return NatFaults(delay * 1_000_000, every)

    def _check_fabric(self, npus: Mapping[int, NpuSite]) -> None:
        for index, site in enumerate(npus.values()):
            for far in site.fabric:
                place = self._place("npu", index, "fabric")
                if far == site.number:
                    self._problems.add(place, f"NPU {far} is joined to itself")
                elif far not in npus:
                    self._problems.add(place, f"there is no NPU {far} to be joined to")
                elif site.number not in npus[far].fabric:
                    text = f"NPU {site.number} is joined to NPU {far}, but not the other way round"
                    self._problems.add(place, text)

    def _check_keys(
        self, entry: Mapping[str, object], table: str, index: int, known: tuple[str, ...]
    ) -> None:
        for key in entry:
            if key not in known:
                self._problems.add(self._place(table, index, key), unknown("key", key, known))

    def _number(
        self, entry: Mapping[str, object], table: str, index: int, key: str, allowed: range,
        default: int | None,
    ) -> int:  # fmt: skip
        value = entry.get(key, default)
        if type(value) is not int or value not in allowed:
            what = "is missing" if value is None else f"= {value!r}"
            text = f"{key} {what}; a number from {allowed[0]} to {allowed[-1]} is expected"
            self._problems.add(self._place(table, index, key), text)
            return 0
        return value

    def _place(self, table: str, index: int, key: str) -> Place:
        """Where ``key`` of the ``index``-th ``[[table]]`` stands; tomllib keeps no positions."""
        header = re.compile(rf"\s*\[\[?\s*{re.escape(table)}\s*\]\]?") if table else None
        word = re.compile(rf'\s*\[*\s*"?{re.escape(key)}"?\s*[\]=.]')
        seen, start = -1, 1
        for number, line in enumerate(self._lines, start=1):
            if header is not None and header.match(line):
                seen += 1
                start = number if seen == index else start
            elif (header is None or seen == index) and word.match(line):
                return Place(self._file, number, len(line) - len(line.lstrip()) + 1)
        return Place(self._file, start, 1)
