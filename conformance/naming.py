"""What a script's names mean in a compiled program: tables, key fields and actions of BMv2 JSON.

Scripts may shorten names to their ends (``ipv4_da_lpm`` for ``ingress.ipv4_da_lpm``), leave key
fields out (a zero, or for masked fields anything) and write ``stack$0`` for ``stack[0]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.commands import Add, Call, Number, SetDefault


class UnknownName(ValueError):
    """A name that the program does not have, or a value that its key cannot take."""


@dataclass(frozen=True, slots=True)
class Match:
    """One field of an entry's key. ``mask`` is given for ternary, ``prefix`` for lpm."""

    name: str
    kind: str
    """``exact``, ``lpm``, ``ternary``."""
    value: int = 0
    mask: int = 0
    prefix: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    """An action with its arguments in the order of its parameters."""

    name: str
    id: int
    args: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table entry in the program's own names."""

    table: str
    keys: tuple[Match, ...]
    priority: int
    """Higher wins; 0 where the table knows no priorities."""
    action: Action


class Names:
    """The names of one program."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """``document`` is BMv2 JSON that an executor has loaded."""
        self._actions = {action["id"]: action for action in document["actions"]}
        self._tables = {
            table["name"]: table
            for pipeline in document["pipelines"]
            for table in pipeline["tables"]
        }
        self._arrays = {
            part: [array["name"] for array in document.get(part, ())]
            for part in ("register_arrays", "counter_arrays", "meter_arrays")
        }

    @classmethod
    def of(cls, json_text: bytes) -> Names:
        """Read a document."""
        return cls(json.loads(json_text))

    def entry(self, add: Add) -> TableEntry:
        """The entry that ``add`` means."""
        table = self._table(add.table)
        given = {self._key(table, name): number for name, number in add.keys}
        keys = tuple(
            self._match(self._key_name(key), key["match_type"], given.get(self._key_name(key)))
            for key in table["key"]
        )
        masked = any(key.kind == "ternary" for key in keys)
        return TableEntry(
            table["name"],
            keys,
            (add.priority or 0) + 1 if masked else 0,
            self._action(table, add.call),
        )

    def default(self, command: SetDefault) -> tuple[str, Action]:
        """The table and action that ``setdefault`` means."""
        table = self._table(command.table)
        return table["name"], self._action(table, command.call)

    def register(self, name: str) -> str:
        """A register array's full name."""
        return _only(name, self._arrays["register_arrays"], "register")

    def counter(self, name: str) -> str:
        """A counter array's full name."""
        return _only(name, self._arrays["counter_arrays"], "counter")

    def meter(self, name: str) -> str:
        """A meter array's full name."""
        return _only(name, self._arrays["meter_arrays"], "meter")

    # -- parts of an entry --------------------------------------------------------------------

    def _table(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._tables[_only(name, self._tables, "table")]
        return found

    @staticmethod
    def _key_name(key: Mapping[str, Any]) -> str:
        target = key["target"]
        return str(key.get("name") or (".".join(target) if isinstance(target, list) else target))

    def _key(self, table: Mapping[str, Any], written: str) -> str:
        names = [self._key_name(key) for key in table["key"]]
        name = re.sub(r"\$(\d+)", r"[\1]", written)
        for variant in (name, f"{name}$", f"{name}.$valid$", re.sub(r"valid$", "$valid$", name)):
            if variant in names:
                return variant
        found = [n for n in names if n.endswith((f".{name}", f".{name}$", f".{name}.$valid$"))]
        if name == "valid":
            found += [n for n in names if n.endswith("$valid$")]
        if not found:
            raise UnknownName(f"table '{table['name']}' has no key '{written}': {', '.join(names)}")
        return found[-1]

    @staticmethod
    def _match(name: str, kind: str, number: Number | None) -> Match:
        if kind not in ("exact", "lpm", "ternary"):
            raise UnknownName(f"scripts cannot say a {kind} match, which key '{name}' is")
        if number is None:
            return Match(name, kind)
        full = number.digits == 0
        match kind:
            case "exact":
                return Match(name, kind, number.value)
            case "ternary":
                # As simple_switch's CLI: what is left of the written digits does not matter.
                mask = -1 if full else number.known
                return Match(name, kind, number.value & mask, mask)
            case _:
                prefix = number.prefix
                if prefix is None:
                    prefix = -1 if full else number.known.bit_count()
                return Match(name, kind, number.value, prefix=prefix)

    def _action(self, table: Mapping[str, Any], call: Call) -> Action:
        ids = {self._actions[i]["name"]: i for i in table["action_ids"]}
        name = _only(call.action, ids, f"action of table '{table['name']}'")
        params = [data["name"] for data in self._actions[ids[name]]["runtime_data"]]
        given = dict(call.args)
        if sorted(params) != sorted(given):
            raise UnknownName(
                f"action '{name}' takes ({', '.join(params)}), not ({', '.join(given)})"
            )
        return Action(name, ids[name], tuple((param, given[param]) for param in params))


def _only(name: str, known: Iterable[str], what: str) -> str:
    """``name`` itself, or the only known name that ends in it."""
    names = list(dict.fromkeys(known))
    if name in names:
        return name
    found = [n for n in names if n.endswith(f".{name}")] or [n for n in names if n.endswith(name)]
    if len(found) != 1:
        problem = f"could be {' or '.join(found)}" if found else f"is none of {', '.join(names)}"
        raise UnknownName(f"{what} '{name}' {problem}")
    return found[0]
