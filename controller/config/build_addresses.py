"""Address books out of the tree of statements: names to prefixes, ranges and wildcards.

A name is looked up in the book of the policy's zone, then in the global one (Junos: address books
attached to a zone shadow the global book).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network

from controller.config.problems import Problems
from controller.config.schema import Addresses, AddressRange, NamedAddress, Network, Wildcard, Zone
from controller.config.set_lines import Word
from controller.config.tree import Statement
from controller.config.values import wildcard

GLOBAL_BOOK = "global"

_ANY: dict[str, tuple[Network, ...]] = {
    "any": (),
    "any-ipv4": (ip_network("0.0.0.0/0"),),
    "any-ipv6": (ip_network("::/0"),),
}


class _Book:
    def __init__(self, name: str) -> None:
        self.name = name
        self.addresses: dict[str, Addresses] = {}
        self.sets: dict[str, Statement] = {}

    @property
    def names(self) -> Iterator[str]:
        yield from self.addresses
        yield from self.sets


class AddressBuilder:
    """Builds the books; then ``resolve`` finds what a policy's words mean."""

    def __init__(self, root: Statement, problems: Problems, zones: Mapping[str, Zone]) -> None:
        self._root = root
        self._problems = problems
        self._zones = zones
        self._global = _Book(GLOBAL_BOOK)
        self._of_zone: dict[str, _Book] = {}

    def build(self) -> None:
        """Read all books. What is wrong with them is noted."""
        for statement in self._root.each("security", "address-book"):
            zones = statement.words("attach", "zone")
            if statement.key == GLOBAL_BOOK:
                book = self._global
                for word in zones:
                    self._problems.add(word.place, "the global address book attaches to no zone")
            else:
                book = _Book(statement.key)
                if not zones:
                    text = f"address-book {statement.key} needs an 'attach zone', or to be 'global'"
                    self._problems.add(statement.place, text, statement.key)
                for word in zones:
                    self._attach(book, word)
            self._read(book, statement)
        for zone in self._root.each("security", "zones", "security-zone"):
            inside = zone.get("address-book")
            if inside is None:
                continue
            book = _Book(zone.key)
            if zone.key in self._of_zone:
                text = (
                    f"zone {zone.key} has the address-book {self._of_zone[zone.key].name} "
                    "attached already; keep one of them"
                )
                self._problems.add(inside.place, text)
            self._of_zone[zone.key] = book
            self._read(book, inside)
        for book in (self._global, *self._of_zone.values()):
            for group in book.sets.values():
                if not group.has("address") and not group.has("address-set"):
                    text = f"address-set {group.key} needs a member"
                    self._problems.add(group.place, text, group.key)
                self._members(book, group, (group.key,))

    def resolve(self, words: list[Word], zone: str | None) -> tuple[NamedAddress, ...]:
        """What a policy's words mean for one of its zones; ``None``: of a global policy."""
        found = []
        for word in words:
            if word.text in _ANY:
                found.append(NamedAddress(word.text, "", _ANY[word.text]))
                continue
            for book in self._books(zone):
                if word.text in book.addresses:
                    addresses = [book.addresses[word.text]]
                elif word.text in book.sets:
                    addresses = self._members(book, book.sets[word.text], (word.text,))
                else:
                    continue
                unique = tuple(dict.fromkeys(addresses))
                found.append(NamedAddress(word.text, book.name, unique))
                break
            else:
                names = [*_ANY]
                for book in self._books(zone):
                    names += book.names
                self._problems.undefined(word.place, "address", word.text, names)
        return tuple(found)

    def _books(self, zone: str | None) -> list[_Book]:
        attached = self._of_zone.get(zone) if zone is not None else None
        return [self._global] if attached is None else [attached, self._global]

    def _attach(self, book: _Book, word: Word) -> None:
        if word.text not in self._zones:
            self._problems.undefined(word.place, "zone", word.text, self._zones)
            return
        other = self._of_zone.setdefault(word.text, book)
        if other is not book:
            text = f"zone {word.text} has the address-book {other.name} attached already"
            self._problems.add(word.place, text)

    # -- entries --------------------------------------------------------------------------

    def _read(self, book: _Book, statement: Statement) -> None:
        for address in statement.each("address"):
            self._check_name(address)
            entry = self._address(address)
            if entry is not None:
                book.addresses[address.key] = entry
        for group in statement.each("address-set"):
            self._check_name(group)
            if group.key in book.addresses:
                text = f"{group.key} is the name of an address already"
                self._problems.add(group.place, text)
            book.sets[group.key] = group

    def _check_name(self, entry: Statement) -> None:
        if entry.key in _ANY:
            text = f"{entry.key} is the name of all addresses already; give it another one"
            self._problems.add(entry.place, text)

    def _address(self, statement: Statement) -> Addresses | None:
        ranges = list(statement.each("range-address"))
        wild = statement.words("wildcard-address")
        kinds = bool(statement.values) + len(ranges) + bool(wild)
        name = statement.key
        if kinds != 1:
            what = "needs a prefix, such as 10.1.0.0/16"
            if kinds > 1:
                what = "has several values; one name has one prefix, range or wildcard"
            self._problems.add(statement.place, f"address {name} {what}", name)
            return None
        if statement.values:
            return ip_network(statement.values[0].text)
        if wild:
            return Wildcard(*wildcard(wild[0].text))
        return self._range(name, ranges[0])

    def _range(self, name: str, statement: Statement) -> AddressRange | None:
        first = ip_address(statement.key)
        words = statement.words("to")
        if not words:
            text = f"address {name} needs an end: range-address {first} to ..."
            self._problems.add(statement.place, text, name)
            return None
        last = ip_address(words[0].text)
        if last.version != first.version or int(last) < int(first):
            text = f"range {first} to {last} of address {name}: the lower end first, of one family"
            self._problems.add(words[0].place, text)
            return None
        return AddressRange(first, last)

    def _members(self, book: _Book, group: Statement, path: tuple[str, ...]) -> list[Addresses]:
        """All entries of an address set, sets within it included."""
        found: list[Addresses] = []
        for word in group.words("address"):
            if word.text in book.addresses:
                found.append(book.addresses[word.text])
            else:
                self._problems.undefined(word.place, "address", word.text, book.addresses)
        for word in group.words("address-set"):
            inner = book.sets.get(word.text)
            if inner is None:
                self._problems.undefined(word.place, "address-set", word.text, book.sets)
            elif word.text in path:
                self._problems.add(word.place, f"address-set {word.text} contains itself")
            else:
                found += self._members(book, inner, (*path, word.text))
        return found
