"""The configuration as a tree of statements, and how words walk the grammar into it.

The grammar is data (``grammar.py``): four kinds of nodes, as in Junos itself. A line is a path from
the root; applying it adds what is not there yet. Nothing here knows what a statement means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum

from controller.config.problems import Place, Problems, unknown
from controller.config.set_lines import Bracket, SetLine, Word
from controller.config.values import Value


class Kind(Enum):
    """What a node of the grammar is."""

    CONTAINER = "container"
    """Only holds others: ``security``."""
    LIST = "list"
    """Any number of named instances: ``security-zone NAME``. With an empty word, the name alone
    introduces an instance: ``interfaces ge-1/0/0``."""
    LEAF = "leaf"
    """A word and its value: ``vlan-id 10``."""
    LEAF_LIST = "leaf list"
    """A word with one or several values: ``source-address [ a b ]``."""
    FLAG = "flag"
    """A word that is there or not, perhaps with more below it: ``vlan-tagging``, ``permit``."""
    REFUSED = "refused"
    """A word of Junos that has no effect here yet, hence an error."""


@dataclass(frozen=True, slots=True)
class Node:
    """A word of the grammar."""

    kind: Kind
    word: str
    value: Value | None = None
    """A list's key, a leaf's or leaf list's value."""
    second: Value | None = None
    """What follows a list's key without a word of its own: ``address NAME PREFIX``. A word of the
    list's children may stand there instead."""
    children: tuple[Node, ...] = ()
    remedy: str = "remove the line"
    """What to do about a word that is refused, and why it is."""

    def child(self, word: str) -> Node | None:
        """The child that ``word`` introduces."""
        return next((c for c in self.children if c.word == word and word), None)

    @property
    def nameless(self) -> Node | None:
        """The list whose instances are introduced by their name alone."""
        return next((c for c in self.children if not c.word), None)


def container(word: str, *children: Node) -> Node:
    """A node that only holds others."""
    return Node(Kind.CONTAINER, word, children=children)


def listed(word: str, key: Value, *children: Node, second: Value | None = None) -> Node:
    """A node with any number of named instances."""
    return Node(Kind.LIST, word, key, second, children)


def leaf(word: str, value: Value) -> Node:
    """A word with one value."""
    return Node(Kind.LEAF, word, value)


def leaf_list(word: str, value: Value) -> Node:
    """A word with one or several values."""
    return Node(Kind.LEAF_LIST, word, value)


def flag(word: str, *children: Node) -> Node:
    """A word that says something alone."""
    return Node(Kind.FLAG, word, children=children)


def refused(word: str, remedy: str = "remove the line") -> Node:
    """A word that is known and not implemented."""
    return Node(Kind.REFUSED, word, remedy=remedy)


@dataclass(slots=True)
class Statement:
    """What was configured: an instance of a node."""

    node: Node
    place: Place
    """Of the word, key or value that first said it."""
    key: str = ""
    """A list instance's name."""
    values: list[Word] = field(default_factory=list)
    """A leaf's, leaf list's or list's second values, with their places."""
    children: dict[tuple[str, str], Statement] = field(default_factory=dict)
    """By (word, key), in the order they were first said."""

    def get(self, *words: str) -> Statement | None:
        """The statement below, along words without keys."""
        here: Statement | None = self
        for word in words:
            here = here.children.get((word, "")) if here is not None else None
        return here

    def has(self, *words: str) -> bool:
        """Whether ``get`` finds something."""
        return self.get(*words) is not None

    def each(self, *words: str) -> Iterator[Statement]:
        """The instances of the list that the last word names, in order."""
        holder = self.get(*words[:-1])
        if holder is not None:
            for (word, _), statement in holder.children.items():
                if word == words[-1] and statement.node.kind is Kind.LIST:
                    yield statement

    def has_any(self, word: str) -> bool:
        """Whether there is an instance of the list ``word``."""
        return next(self.each(word), None) is not None

    def words(self, *words: str) -> list[Word]:
        """The values of the leaf or leaf list along ``words``; empty without it."""
        found = self.get(*words)
        return found.values if found is not None else []

    def text(self, *words: str) -> str | None:
        """The value of the leaf along ``words``."""
        values = self.words(*words)
        return values[0].text if values else None


def grow(root: Statement, line: SetLine, problems: Problems) -> bool:
    """Add a line's statement to the tree, or note what is wrong with it and leave it out."""
    return _Walk(root, line, problems).run()


class _Stop(Exception):
    """The line is wrong; the problem is noted."""


class _Walk:
    def __init__(self, root: Statement, line: SetLine, problems: Problems) -> None:
        self._here = root
        self._items = list(line.items)
        self._end = line.end
        self._problems = problems
        self._undo: list[tuple[Statement, tuple[str, str]]] = []

    def run(self) -> bool:
        try:
            finished = False
            while self._items:
                holder = self._here
                finished = self._step()
                if finished and self._items:
                    # What is complete may be followed by more of the same holder's, as in Junos:
                    # ``match source-address any destination-address any``.
                    item = self._items[0]
                    if not isinstance(item, Word) or holder.node.child(item.text) is None:
                        raise self._stop(item.place, self._unexpected(holder, item))
                    self._here = holder
            if not finished and self._here.node.kind is Kind.CONTAINER:
                raise self._stop(self._end, "the line ends too early" + self._expected())
        except _Stop:
            # What a wrong line added would draw further complaints that help nobody.
            for parent, key in reversed(self._undo):
                del parent.children[key]
            return False
        return True

    def _step(self) -> bool:
        """Consume a word and what belongs to it; whether the statement is complete."""
        word = self._word("")
        node = self._here.node.child(word.text)
        if node is None:
            nameless = self._here.node.nameless
            if nameless is None or (
                nameless.value is not None and nameless.value.complaint(word.text)
            ):
                raise self._stop(word.place, self._unknown(word.text))
            self._enter(nameless, word.text, word.place)
            return not nameless.children
        match node.kind:
            case Kind.REFUSED:
                text = f"'{word.text}' is known to Junos but not implemented here; {node.remedy}"
                raise self._stop(word.place, text)
            case Kind.CONTAINER:
                self._enter(node, "", word.place)
                return False
            case Kind.FLAG:
                self._enter(node, "", word.place)
                return not node.children
            case Kind.LIST:
                if self._items and isinstance(self._items[0], Bracket) and node.second is None:
                    # ``[ a b ]`` makes several instances with nothing below them.
                    holder = self._here
                    for word in self._values(node):
                        self._here = holder
                        self._enter(node, word.text, word.place)
                    return True
                key = self._value(node, node.value)
                self._enter(node, key.text, key.place)
                if node.second is not None and not self._child_follows(node):
                    value = self._value(node, node.second)
                    self._set_value(self._here, value, f"{word.text} {key.text}".lstrip())
                return not node.children
            case Kind.LEAF:
                value = self._value(node, node.value)
                self._enter(node, "", value.place)
                self._set_value(self._here, value, word.text)
                return True
            case Kind.LEAF_LIST:
                values = self._values(node)
                self._enter(node, "", word.place)
                known = {value.text for value in self._here.values}
                self._here.values += [value for value in values if value.text not in known]
                return True

    def _child_follows(self, node: Node) -> bool:
        first = self._items[0] if self._items else None
        return isinstance(first, Word) and node.child(first.text) is not None

    def _enter(self, node: Node, key: str, place: Place) -> None:
        index = (node.word, key)
        found = self._here.children.get(index)
        if found is None:
            found = self._here.children[index] = Statement(node, place, key)
            self._undo.append((self._here, index))
        self._here = found

    def _set_value(self, statement: Statement, value: Word, word: str) -> None:
        old = statement.values[0] if statement.values else None
        if old is None:
            statement.values.append(value)
        elif old.text != value.text:
            text = f"'{word}' is {value.text} here but {old.text} at line {old.place.line}"
            raise self._stop(value.place, text + "; keep one of the two lines")

    def _word(self, wanted: str) -> Word:
        """The next one; ``wanted`` is what it should be, empty for any word that may stand here."""
        item = self._items.pop(0) if self._items else None
        if isinstance(item, Word):
            return item
        wanted = wanted or "a word" + self._expected()
        if item is None:
            raise self._stop(self._end, f"the line ends too early; expected {wanted}")
        raise self._stop(item.place, f"no list is allowed here; expected {wanted}")

    def _value(self, node: Node, value: Value | None) -> Word:
        assert value is not None
        behind = f" after '{node.word}'" if node.word else ""
        word = self._word(f"{value.name}{behind}")
        self._check(word, value)
        return word

    def _values(self, node: Node) -> list[Word]:
        assert node.value is not None
        if self._items and isinstance(self._items[0], Bracket):
            words = list(self._items[0].words)
            del self._items[0]
            for word in words:
                self._check(word, node.value)
            return words
        return [self._value(node, node.value)]

    def _check(self, word: Word, value: Value) -> None:
        complaint = value.complaint(word.text)
        if complaint is not None:
            raise self._stop(word.place, complaint)

    def _expected(self) -> str:
        node = self._here.node
        names = [c.word for c in node.children if c.word and c.kind is not Kind.REFUSED]
        if node.nameless is not None and node.nameless.value is not None:
            names.append(f"<{node.nameless.value.name}>")
        return f"; expected one of: {', '.join(sorted(names))}"

    def _unexpected(self, holder: Statement, item: Word | Bracket) -> str:
        """What stands behind a complete statement."""
        near = ""
        if isinstance(item, Word):
            known = [c.word for c in holder.node.children if c.kind is not Kind.REFUSED]
            near = next((f": did you mean '{w}'?" for w in get_close_matches(item.text, known)), "")
        return f"nothing may follow here{near}"

    def _unknown(self, word: str) -> str:
        node = self._here.node
        nameless = node.nameless
        known = [c.word for c in node.children if c.word and c.kind is not Kind.REFUSED]
        if nameless is not None and nameless.value is not None:
            if not known:
                return nameless.value.complaint(word) or ""
            known.append(f"<{nameless.value.name}>")
        return unknown("word", word, known)

    def _stop(self, place: Place, text: str) -> _Stop:
        self._problems.add(place, text)
        return _Stop()
