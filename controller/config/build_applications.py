"""Applications and application sets out of the tree of statements."""

from __future__ import annotations

from controller.config.applications import (
    ANY_PORT,
    PREDEFINED_SETS,
    PREDEFINED_TERMS,
    by_key,
    icmp_ports,
)
from controller.config.build_alg import application_alg
from controller.config.problems import Problems
from controller.config.schema import NEVER, SECOND, Application
from controller.config.set_lines import Word
from controller.config.tree import Statement
from controller.config.values import icmp_type_number, port_range, protocol_number

_PORT_PROTOCOLS = (6, 17)
_ICMP, _ICMP6 = 1, 58
_FIELDS = ("protocol", "source-port", "destination-port", "icmp-type", "icmp-code", "icmp6-type",
           "icmp6-code", "inactivity-timeout", "application-protocol")  # fmt: skip


class ApplicationBuilder:
    """Builds the applications; then ``resolve`` finds what a policy's words mean."""

    def __init__(self, root: Statement, problems: Problems) -> None:
        self._root = root
        self._problems = problems
        self._terms: dict[str, tuple[Application, ...]] = dict(PREDEFINED_TERMS)
        self._sets: dict[str, Statement] = {}

    def build(self) -> dict[str, Application]:
        """All of them, as ``Configuration.applications``."""
        for statement in self._root.each("applications", "application"):
            name = statement.key
            if name in PREDEFINED_TERMS or name in PREDEFINED_SETS or name == "any":
                self._problems.add(statement.place, f"application {name} is predefined")
                continue
            terms = self._application(statement)
            if terms:
                self._terms[name] = terms
        for statement in self._root.each("applications", "application-set"):
            name = statement.key
            if name == "any":
                self._problems.add(statement.place, "application-set any is predefined")
            if name in self._terms or name in PREDEFINED_SETS:
                self._problems.add(statement.place, f"{name} is the name of an application already")
            self._sets[name] = statement
        for statement in self._sets.values():
            self._members(statement, (statement.key,))
        return by_key(self._terms)

    def resolve(self, words: list[Word]) -> tuple[Application, ...]:
        """What a policy's words mean; empty for any. Unknown names are problems."""
        found: list[Application] = []
        for word in words:
            if word.text == "any":
                return ()
            found += self._named(word, ())
        return tuple(dict.fromkeys(found))

    def _named(self, word: Word, path: tuple[str, ...]) -> list[Application]:
        if word.text in self._terms:
            return list(self._terms[word.text])
        if word.text in PREDEFINED_SETS:
            return [term for name in PREDEFINED_SETS[word.text] for term in self._terms[name]]
        inner = self._sets.get(word.text)
        if inner is None:
            known = (*self._terms, *PREDEFINED_SETS, *self._sets)
            self._problems.undefined(word.place, "application", word.text, known)
            return []
        if word.text in path:
            self._problems.add(word.place, f"application-set {word.text} contains itself")
            return []
        return self._members(inner, (*path, word.text))

    def _members(self, group: Statement, path: tuple[str, ...]) -> list[Application]:
        words = [*group.words("application"), *group.words("application-set")]
        if not words:
            self._problems.add(
                group.place, f"application-set {group.key} needs a member", group.key
            )
        return [application for word in words for application in self._named(word, path)]

    def _application(self, statement: Statement) -> tuple[Application, ...]:
        terms = list(statement.each("term"))
        if not terms:
            term = self._term(statement.key, statement, f"application {statement.key}", [])
            return () if term is None else (term,)
        for field in _FIELDS[:-1]:
            beside = statement.get(field)
            if beside is not None:
                text = f"application {statement.key} has terms: say its {field} in one of them"
                self._problems.add(beside.place, text)
        alg = statement.words("application-protocol")
        built = [
            self._term(statement.key, t, f"term {t.key} of application {statement.key}", alg)
            for t in terms
        ]
        return tuple(term for term in built if term is not None)

    def _term(self, name: str, at: Statement, what: str, alg: list[Word]) -> Application | None:
        protocol = at.text("protocol")
        icmp = {word: at.get(word) for word in ("icmp-type", "icmp-code")}
        icmp6 = {word: at.get(word) for word in ("icmp6-type", "icmp6-code")}
        if protocol is None and (any(icmp.values()) or any(icmp6.values())):
            protocol = "icmp" if any(icmp.values()) else "icmp6"
        if protocol is None:
            self._problems.add(at.place, f"{what} needs a protocol", name)
            return None
        number = protocol_number(protocol)
        for side in ("source-port", "destination-port"):
            if at.has(side) and number not in _PORT_PROTOCOLS:
                text = f"{side} of {what}: protocol {protocol} has no ports"
                self._problems.add(at.words(side)[0].place, text)
        for family, wanted in ((icmp, _ICMP), (icmp6, _ICMP6)):
            for word, found in family.items():
                if found is not None and number != wanted:
                    text = f"{word} of {what}: its protocol is {protocol}"
                    self._problems.add(found.place, text)
        source, destination = (
            port_range(words[0].text) if (words := at.words(side)) else ANY_PORT
            for side in ("source-port", "destination-port")
        )
        if number in (_ICMP, _ICMP6):
            destination = self._icmp(at, what, icmp if number == _ICMP else icmp6)
        timeout = at.text("inactivity-timeout")
        return Application(
            name,
            number,
            source,
            destination,
            None if timeout is None else NEVER if timeout == "never" else int(timeout) * SECOND,
            application_alg(
                at.words("alg") or at.words("application-protocol") or alg, number, self._problems
            ),
        )

    def _icmp(self, at: Statement, what: str, words: dict[str, Statement | None]) -> range:
        kind_word, code_word = words
        kind, code = at.text(kind_word), at.text(code_word)
        if code is not None and kind is None:
            text = f"{code_word} of {what} needs an {kind_word} with it"
            self._problems.add(at.words(code_word)[0].place, text)
        return icmp_ports(
            None if kind is None else icmp_type_number(kind), None if code is None else int(code)
        )
