"""What a rule of ``security nat`` matches, out of the tree of statements."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from controller.config.build_addresses import AddressBuilder
from controller.config.build_applications import ApplicationBuilder
from controller.config.nat import ALL_PORTS, NatRule
from controller.config.problems import Problems
from controller.config.schema import Addresses, AddressRange, Application, Wildcard
from controller.config.set_lines import Word
from controller.config.tree import Statement
from controller.config.values import port_range, protocol_number
from controller.packet import TCP, UDP

_ANY_OF = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
WITH_PORTS = (TCP, UDP)


class MatchBuilder:
    """Builds what rules match. What is wrong is noted."""

    def __init__(
        self, problems: Problems, addresses: AddressBuilder, applications: ApplicationBuilder
    ) -> None:
        self._problems = problems
        self._addresses = addresses
        self._applications = applications

    def addresses(self, rule: Statement, side: str) -> tuple[Addresses, ...]:
        """Those of ``source-address`` or ``destination-address``, and of names."""
        found: list[Addresses] = [
            ip_network(word.text) for word in rule.words("match", f"{side}-address")
        ]
        names = self._addresses.resolve(rule.words("match", f"{side}-address-name"), None)
        for name in names:
            found += name.addresses or _ANY_OF.values()
        return tuple(dict.fromkeys(found))

    def of_family(
        self, rule: Statement, base: NatRule, family: int
    ) -> tuple[tuple[Addresses, ...], tuple[Addresses, ...]]:
        """What it matches, where a pool says that only one family can: ``any`` is of both."""
        sources, destinations = base.sources, base.destinations
        if not family:
            return sources, destinations
        ours = [tuple(a for a in said if _family(a) == family) for said in (sources, destinations)]
        for said, left in zip((sources, destinations), ours, strict=True):
            if said and not left:
                text = f"rule {rule.key} matches no IPv{family} addresses, but its pool has only "
                self._problems.add(rule.place, text + "such; IPv4 and IPv6 are not translated "
                                   "into each other")  # fmt: skip
                break
        sources, destinations = ours
        if not sources and not destinations:
            sources = (_ANY_OF[family],)
        return sources, destinations

    def services(self, rule: Statement) -> tuple[Application, ...]:
        """Protocols with their ports."""
        words: list[Word] = rule.words("match", "application")
        protocols = rule.words("match", "protocol")
        ports = list(port_spans(rule, "destination-port", self._problems))
        origins = list(port_spans(rule, "source-port", self._problems))
        if words:
            if protocols or ports or origins:
                text = f"rule {rule.key} matches applications, which say protocols and ports"
                self._problems.add(words[0].place, text + "; keep one of both")
            return self._applications.resolve(words)
        if not protocols and not ports and not origins:
            return ()
        numbers = [protocol_number(word.text) for word in protocols] or list(WITH_PORTS)
        if (ports or origins) and not set(numbers) <= set(WITH_PORTS):
            text = f"rule {rule.key} matches ports, but not only of TCP and UDP"
            self._problems.add(protocols[0].place, text)
        return tuple(
            Application(rule.key, number, origin, port)
            for number in numbers
            for origin in origins or [ALL_PORTS]
            for port in ports or [ALL_PORTS]
        )


def _family(address: Addresses) -> int:
    match address:
        case AddressRange(first=first):
            return first.version
        case Wildcard():
            return 4
        case _:
            return address.version


def port_spans(rule: Statement, word: str, problems: Problems) -> Iterator[range]:
    """Ranges of ports that ``match WORD`` names."""
    return spans(rule.each("match", word), problems)


def spans(statements: Iterator[Statement], problems: Problems) -> Iterator[range]:
    """Ranges of ports: a first one each, and perhaps a last one behind ``to``."""
    for statement in statements:
        low = port_range(statement.key).start
        high = port_range(statement.text("to") or statement.key).start
        if high < low:
            text = f"ports {low} to {high}: the lower one first"
            problems.add(statement.words("to")[0].place, text)
        else:
            yield range(low, high + 1)
