"""Class of service out of the tree of statements: classes, classifiers, rewrite rules, shapers."""

from __future__ import annotations

from collections.abc import Iterator

from controller.config.filter_values import amount, dscp
from controller.config.problems import Problems
from controller.config.set_lines import Word
from controller.config.stateless import (
    FORWARDING_CLASSES,
    Classifier,
    LossPriority,
    Rewrite,
    Shaper,
)
from controller.config.tree import Statement

DEFAULT_BURST = 100_000
"""Bytes that a shaper lets pass at once, without a ``burst-size``; ours."""


class CosBuilder:
    """Builds what interfaces refer to by name."""

    def __init__(self, root: Statement, problems: Problems) -> None:
        self._root = root
        self._problems = problems
        self.forwarding_classes = dict(FORWARDING_CLASSES)
        self.dscp_classifiers: dict[str, Classifier] = {}
        self.pcp_classifiers: dict[str, Classifier] = {}
        self.dscp_rewrites: dict[str, Rewrite] = {}
        self.shapers: dict[str, Shaper] = {}
        """By scheduler map."""
        self._cos = root.get("class-of-service")

    def build(self) -> None:
        """Fill all of them."""
        if self._cos is None:
            return
        for queue in self._cos.each("forwarding-classes", "queue"):
            number = int(queue.key)
            old = [name for name, n in self.forwarding_classes.items() if n == number]
            for name in old:
                del self.forwarding_classes[name]
            self.forwarding_classes[queue.values[0].text] = number
        for kind, found in (
            ("dscp", self.dscp_classifiers),
            ("ieee-802.1", self.pcp_classifiers),
        ):
            for statement in self._cos.each("classifiers", kind):
                classes: dict[int, tuple[int, LossPriority]] = {}
                for class_, loss, leaf in self._classes(statement):
                    for word in leaf.words("code-points"):
                        code = dscp(word.text) if kind == "dscp" else int(word.text, 2)
                        if classes.setdefault(code, (class_, loss)) != (class_, loss):
                            text = f"code point {word.text} of classifier {statement.key} has two "
                            self._problems.add(word.place, text + "classes")
                found[statement.key] = Classifier(statement.key, len(found) + 1, classes)
        for statement in self._cos.each("rewrite-rules", "dscp"):
            codes = {
                (class_, loss): dscp(leaf.text("code-point") or "0")
                for class_, loss, leaf in self._classes(statement)
            }
            number = len(self.dscp_rewrites) + 1
            self.dscp_rewrites[statement.key] = Rewrite(statement.key, number, codes)
        self._build_shapers(self._cos)

    def _build_shapers(self, cos: Statement) -> None:
        schedulers = {statement.key: statement for statement in cos.each("schedulers")}
        for statement in cos.each("scheduler-maps"):
            rates = {}
            for class_ in statement.each("forwarding-class"):
                number = self._number(Word(class_.key, class_.place))
                for word in class_.words("scheduler"):
                    scheduler = schedulers.get(word.text)
                    if scheduler is None:
                        self._problems.undefined(word.place, "scheduler", word.text, schedulers)
                        continue
                    rate = scheduler.text("shaping-rate")
                    if rate is not None:
                        burst = scheduler.text("burst-size")
                        rates[number] = (
                            amount(rate) // 8,
                            DEFAULT_BURST if burst is None else amount(burst),
                        )
            self.shapers[statement.key] = Shaper(len(self.shapers) + 1, rates)

    def _classes(self, statement: Statement) -> Iterator[tuple[int, LossPriority, Statement]]:
        for class_ in statement.each("forwarding-class"):
            number = self._number(Word(class_.key, class_.place))
            for loss in class_.each("loss-priority"):
                yield number, LossPriority[loss.key.upper().replace("-", "_")], loss

    def _number(self, word: Word) -> int:
        if word.text not in self.forwarding_classes:
            known = self.forwarding_classes
            self._problems.undefined(word.place, "forwarding-class", word.text, known)
        return self.forwarding_classes.get(word.text, 0)
