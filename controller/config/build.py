"""From a tree of statements to a ``Configuration``: names resolved, contradictions found."""

from __future__ import annotations

from pathlib import Path

from controller.config.build_aging import aging
from controller.config.build_alg import enabled_algs
from controller.config.build_fragments import fragment_settings
from controller.config.build_nat import NatBuilder
from controller.config.build_policies import PolicyBuilder
from controller.config.build_routes import RouteBuilder
from controller.config.build_stateless import build_stateless
from controller.config.build_tcp import build_tcp
from controller.config.build_zones import ZoneBuilder
from controller.config.cards import Chassis
from controller.config.grammar import GRAMMAR
from controller.config.problems import ConfigurationError, Place, Problem, Problems
from controller.config.schema import SECOND, Configuration, QueueDepth, SynFloodMode
from controller.config.set_lines import read_set_lines
from controller.config.tree import Statement, grow


def load(
    path: Path, chassis: Chassis | None = None, previous: Configuration | None = None
) -> Configuration:
    """Read a file of ``set`` lines.

    With a chassis, interfaces on NPUs that it lacks are errors too; for ``previous`` see ``parse``.
    Raises ``ConfigurationError`` with everything that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is no UTF-8 text") from error
    return parse(text, str(path), chassis, previous)


def _unreadable(path: Path, why: str) -> ConfigurationError:
    problem = Problem(Place(str(path), 1, 1), f"cannot read this configuration file: {why}")
    return ConfigurationError([problem])


def parse(
    text: str,
    file: str = "<text>",
    chassis: Chassis | None = None,
    previous: Configuration | None = None,
) -> Configuration:
    """Like ``load``, from a text; ``file`` is its name in error messages.

    What stands in the ``previous`` configuration too keeps its numbers: zones, tokens, policies.
    """
    problems = Problems()
    root = Statement(GRAMMAR, Place(file, 1, 1))
    malformed: set[str] = set()
    for line in read_set_lines(text.removeprefix("\ufeff"), file, problems):
        if not grow(root, line, problems):
            malformed |= line.words
    configuration = build(root, problems, chassis, previous)
    problems.drop_echoes(frozenset(malformed))
    problems.raise_if_any()
    return configuration


def build(
    root: Statement,
    problems: Problems,
    chassis: Chassis | None = None,
    previous: Configuration | None = None,
) -> Configuration:
    """Resolve names and check what no single line can show."""
    zones = ZoneBuilder(root, problems, chassis, previous)
    zones.build()
    tcp = build_tcp(root, problems)
    policies = PolicyBuilder(root, problems, zones.zones, tcp, previous)
    policies.build()
    nat = NatBuilder(
        root, problems, zones.zones, zones.interfaces, zones.routing_instances,
        policies.address_names, policies.application_names, previous,
    )  # fmt: skip
    routes = RouteBuilder(root, problems, zones.interfaces, zones.routing_instances)
    timeout = root.text("security", "flow", "route-change-timeout")
    syn_flood_mode = root.text("security", "flow", "syn-flood-protection-mode")
    depth = root.text("security", "flow", "pending-sess-queue-length")
    return Configuration(
        interfaces=zones.interfaces,
        zones=zones.zones,
        screens=zones.screens,
        policies=tuple(policies.policies),
        default_action=policies.default_action(),
        nat=nat.build(),
        routes=tuple(routes.build()),
        routing_instances=zones.routing_instances,
        route_change_timeout=None if timeout is None else int(timeout) * SECOND,
        applications=policies.applications,
        policy_rematch=policies.rematch(),
        policy_stats=policies.counts_all(),
        host_name=root.text("system", "host-name") or "wingpath",
        algs=enabled_algs(root),
        stateless=build_stateless(root, problems, zones.interfaces),
        queue_depth=QueueDepth(depth) if depth is not None else QueueDepth.NORMAL,
        allow_dns_reply=root.has("security", "flow", "allow-dns-reply"),
        aging=aging(root, problems),
        **fragment_settings(root),
        syn_flood_mode=SynFloodMode(syn_flood_mode or SynFloodMode.COOKIE.value),
        tcp=tcp,
    )
