"""Random packets and entries for any program.

Frames grow along the program's own parser, and so get deep into it; entries have keys that packets
looked up, and so are hit. All from a seed.
"""

from __future__ import annotations

import random

from p4embed.switch import program as p
from p4embed.switch.engine import TO_GROUP, TO_MEMBER, Entry, EntryKey

CLOCK_NS = 1_000_000_000
"""A step of the clock, and the one time-out of entries that have any."""
PROFILE_ROWS = 6
"""Members, and groups, of each action profile."""


def frame_along_parser(program: p.Program, rng: random.Random) -> bytes:
    """A frame that takes a random path through the parser."""
    bits: list[int] = []
    place: dict[int, int] = {}
    following = [0] * len(program.stacks)
    index = program.parser.start
    for _ in range(rng.randint(1, 24)):
        if index is None:
            break
        state = program.parser.states[index]
        for op in state.ops:
            header = None
            match op:
                case p.ExtractHeader(header):
                    pass
                case p.ExtractNext(stack) if following[stack] < len(program.stacks[stack].headers):
                    header = program.stacks[stack].headers[following[stack]]
                    following[stack] += 1
                case _:
                    continue
            place[header] = len(bits)
            bits += _header_bits(program.headers[header].type, rng)
        index = _choose_next(program, state, bits, place, following, rng)
    bits += [0] * (-len(bits) % 8)
    data = bytearray(int("".join(map(str, bits[i : i + 8])), 2) for i in range(0, len(bits), 8))
    data += rng.randbytes(rng.choice((0, 0, 1, 20, 46, 200)))
    if rng.random() < 0.1:
        data = data[: rng.randint(0, len(data))]
    return bytes(data)


def _header_bits(type_: p.HeaderType, rng: random.Random) -> list[int]:
    bits: list[int] = []
    for part in type_.fields:
        if part.variable:
            continue
        full = (1 << part.width) - 1
        value = rng.choice(
            (0, 1, full, rng.getrandbits(part.width), rng.randint(0, min(full, 6)), full >> 1)
        )
        # Lengths and versions of IPv4: worth being right often.
        if part.width == 4 and rng.random() < 0.8:
            value = rng.choice((4, 5, 6))
        bits += [value >> (part.width - 1 - i) & 1 for i in range(part.width)]
    return bits


def _choose_next(
    program: p.Program,
    state: p.ParseState,
    bits: list[int],
    place: dict[int, int],
    following: list[int],
    rng: random.Random,
) -> int | None:
    if not state.transitions or rng.random() < 0.1:
        return state.default
    chosen = rng.choice(state.transitions)
    if not isinstance(chosen, p.OnValue):
        return state.default
    at = 0
    for part in state.key:
        size = p.byte_width(part.width)
        value = int.from_bytes(chosen.value[at : at + size], "big")
        mask = int.from_bytes(chosen.mask[at : at + size], "big")
        at += size
        match part.source:
            case p.FieldRef(header, index):
                pass
            case p.FieldOf(p.LastElement(stack), index) if following[stack]:
                header = program.stacks[stack].headers[following[stack] - 1]
            case p.Lookahead(offset, width):
                _put(bits, len(bits) + offset, width, value, mask)
                continue
            case _:
                continue
        if header in place:
            type_ = program.headers[header].type
            _put(bits, place[header] + type_.offsets[index], part.width, value, mask)
    # Bits that a look-ahead demanded are there now; the next state extracts others over them.
    return chosen.next


def _put(bits: list[int], at: int, width: int, value: int, mask: int) -> None:
    if at + width > len(bits):
        return
    for i in range(width):
        shift = width - 1 - i
        if mask >> shift & 1:
            bits[at + i] = value >> shift & 1


def random_params(action: p.Action, rng: random.Random) -> bytes:
    """Packed parameters; small numbers are likely."""
    packed = b""
    for param in action.params:
        value = rng.choice((rng.getrandbits(param.width), rng.randint(0, 6), 255))
        packed += (value & (1 << param.width) - 1).to_bytes(p.byte_width(param.width), "big")
    return packed


def random_entry(
    program: p.Program, table: p.Table, values: tuple[int, ...], rng: random.Random
) -> Entry:
    """An entry that, more often than not, matches a packet with these key values."""
    value, mask = b"", b""
    for part, wanted in zip(table.key, values, strict=True):
        full = (1 << part.width) - 1
        if rng.random() < 0.05:
            wanted = rng.getrandbits(part.width)
        size = part.size
        match part.match:
            case p.MatchKind.EXACT:
                low, high = wanted, full
            case p.MatchKind.LPM:
                high = full >> (length := rng.randint(0, part.width)) << length
                low = wanted & high
            case p.MatchKind.TERNARY:
                high = rng.choice((full, 0, rng.getrandbits(part.width)))
                low = wanted & high
            case p.MatchKind.RANGE:
                low = rng.randint(0, wanted)
                high = rng.randint(wanted, full)
        value += low.to_bytes(size, "big")
        mask += high.to_bytes(size, "big")
    key = EntryKey(
        value,
        mask if table.masked else b"",
        rng.randint(1, 4) if table.prioritized else 0,
    )
    action = program.actions_by_id[rng.choice(table.actions)]
    chosen, params = action.id, random_params(action, rng)
    if table.profile is not None:
        groups = program.profiles[table.profile].selector is not None
        chosen = TO_GROUP if groups and rng.random() < 0.5 else TO_MEMBER
        params = rng.randrange(PROFILE_ROWS).to_bytes(4, "big")
    return Entry(
        key,
        chosen,
        params,
        idle_timeout_ns=rng.choice((0, CLOCK_NS)),
        metadata=rng.randbytes(rng.choice((0, 3, 40))),
    )
