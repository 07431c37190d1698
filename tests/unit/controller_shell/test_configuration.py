"""``set`` lines to a ``Configuration``: what is understood, and how wrong lines are refused."""

from ipaddress import ip_interface, ip_network

import pytest

from controller.config.build import parse
from controller.config.host_services import HostService
from controller.config.nat import SourceNat, zone
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, Action
from controller.flow import Port
from controller.reasons import Drop
from controller_shell.sample import CHASSIS, CONFIGURATION, SET_LINES


def errors(text: str) -> list[str]:
    """What is wrong with ``text``, one string a problem."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "f.set", CHASSIS)
    return [str(problem) for problem in caught.value.problems]


def test_interfaces_have_port_vlan_mac_addresses_zone_and_token() -> None:
    interface = CONFIGURATION.interfaces["ge-1/0/1.10"]
    assert interface.port == Port(1, 2)
    assert interface.vlan == 10
    assert interface.mac == bytes.fromhex("020000010002")
    assert interface.addresses == (ip_interface("10.1.10.1/24"),)
    assert (interface.zone, interface.token) == ("trust", 1)
    both = CONFIGURATION.interfaces["ge-1/0/0.0"].addresses
    assert [str(address) for address in both] == ["10.1.1.1/24", "2001:db8:1::1/64"]


def test_interface_without_zone_has_no_token() -> None:
    assert CONFIGURATION.interfaces["ge-2/0/1.0"].token == 0


def test_zones_count_from_one_in_order() -> None:
    assert [(z.name, z.id) for z in CONFIGURATION.zones.values()] == [("trust", 1), ("untrust", 2)]
    assert CONFIGURATION.zones["trust"].host_inbound == {HostService.PING}
    assert CONFIGURATION.zones["untrust"].screen == "edge"
    assert CONFIGURATION.screens["edge"].screens == {
        Drop.SCREEN_LAND,
        Drop.SCREEN_SYN_FIN,
        Drop.SCREEN_PING_DEATH,
    }


def test_policies_are_resolved_and_in_order() -> None:
    fast, no = CONFIGURATION.policies
    assert (fast.name, fast.index, fast.from_zone, fast.to_zone) == ("fast", 4, "trust", "untrust")
    assert fast.sources == (ip_network("10.1.0.0/16"),)
    assert fast.destinations == ()
    games, http = fast.applications
    assert (games.protocol, games.destination_ports) == (17, range(27000, 27016))
    assert games.inactivity_timeout == 30 * SECOND
    assert http.destination_ports == range(80, 81)
    assert (fast.action, fast.services_offload, fast.log_close) == (Action.PERMIT, True, True)
    assert (no.index, no.action, no.applications) == (5, Action.DENY, ())
    assert set(no.destinations) == {ip_network("203.0.113.80/32"), ip_network("10.1.0.0/16")}


def test_source_nat_routes_and_host_name() -> None:
    (rule,) = CONFIGURATION.nat.source
    assert (rule.origin, rule.target) == (zone("trust"), zone("untrust"))
    assert rule.action is SourceNat.INTERFACE
    assert [str(route.prefix) for route in CONFIGURATION.routes] == ["0.0.0.0/0", "::/0"]
    assert CONFIGURATION.routes[0].next_hop == bytes([203, 0, 113, 254])
    assert CONFIGURATION.host_name == "fw1"


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        ("set security polcy", 14, "unknown word 'polcy'; did you mean 'policies'?"),
        ("delete system", 1, "unknown command 'delete'; each line starts with 'set'"),
        ("set system services ssh", 12, "'services' is known to Junos but not implemented here"),
        ("set security screen trap interval 3", 21, "'trap' is known to Junos but not"),
        ("set groups a", 5, "'groups' is known to Junos but not implemented here; remove the line"),
        ("set chassis fpc 1", 5, "not implemented here; cards stand in chassis.toml"),
        ("set security flow drop-flow", 19, "'drop-flow' is known to Junos but not implemented"),
        ("set security forwarding-options", 14, "remove the line; a policy offloads that says: "),
        (
            "security {\n    zones {\n    }\n}",
            1,
            "configuration in braces is not read; Junos writes it as lines that start with 'set'",
        ),
        ("set system host-name", 21, "the line ends too early; expected name after 'host-name'"),
        ("set security   # more?", 13, "the line ends too early; expected one of: address-book"),
        ('set system host-name "x', 22, "a quote that is not closed"),
        ("set applications application-set s application [ a b", 48, "'[' that is not closed"),
        ("set system host-name [ a b ]", 22, "no list is allowed here"),
        ("set system host-name a b", 24, "nothing may follow here"),
        (
            "set security policies from-zone a to-zone b policy p match application any sorce-addr",
            76,
            "nothing may follow here: did you mean 'source-address'?",
        ),
        ("set interfaces eth0 unit 0", 16, "'eth0' is no interface name such as ge-1/0/0"),
        (
            "set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1",
            52,
            "prefix length is missi",
        ),
        ("set interfaces ge-1/0/0 unit 0 family inet address 2001::1/64", 52, "not IPv4"),
        ("set interfaces ge-1/0/0 unit 0 vlan-id 5000", 40, "'5000' is no VLAN from 1 to 4094"),
        (
            "set security address-book global address a 10.1.1.1/24",
            44,
            "it has host bits set; the prefix is 10.1.1.0/24",
        ),
        ("set security flow tcp-mss gre-in mss 9", 27, "or say: set security flow tcp-mss all"),
        ("set applications application a destination-port 90-80", 49, "the lower first"),
        ("set applications application a protocol tpc", 41, "did you mean 'tcp'?"),
    ],
)
def test_a_wrong_line_is_named_with_place_and_remedy(line: str, column: int, text: str) -> None:
    (error,) = errors(f"\n{line}\n")
    assert error.startswith(f"f.set:2:{column}: error: ")
    assert text in error


Z = "set security zones security-zone a\nset security zones security-zone b\n"
P = "set security policies from-zone a to-zone b policy p "
P_ANY = P + "match source-address any\n" + P + "match destination-address any\n"
I1 = "set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24\n"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("set security zones security-zone a interfaces ge-1/0/9.0", "interface 'ge-1/0/9.0'"),
        (
            I1 + Z + "set security zones security-zone a interfaces ge-1/0/0.0\n"
            "set security zones security-zone b interfaces ge-1/0/0.0",
            "f.set:5:47: error: ge-1/0/0.0 is already in zone a",
        ),
        ("set security zones security-zone a screen s", "unknown ids-option 's'"),
        (Z + P_ANY + P + "then permit", "policy p needs a 'match application'"),
        (Z + P_ANY + P + "match application any", "policy p needs a 'then permit', 'then"),
        (
            Z + P_ANY + P + "match application any\n" + P + "then permit\n" + P + "then deny",
            "both 'then permit' and 'then deny'",
        ),
        (
            Z + P_ANY.replace("source-address any", "source-address lam")
            + P + "match application any\n" + P + "then deny\n"
            "set security address-book global address lan 10.0.0.0/8",
            "unknown address 'lam'; did you mean 'lan'?",
        ),
        (Z + P_ANY + P + "match application junos-htp\n" + P + "then deny", "'junos-http'?"),
        (
            I1 + "set interfaces ge-1/0/1 unit 0 family inet address 10.1.1.129/25",
            "10.1.1.129/25 of ge-1/0/1.0 overlaps 10.1.1.1/24 of ge-1/0/0.0",
        ),
        (I1 + "set routing-options static route 0.0.0.0/0 next-hop 10.2.0.1", "on no connected"),
        (I1 + "set routing-options static route 0.0.0.0/0 next-hop 10.1.1.1", "of our own"),
        ("set interfaces ge-1/0/0 unit 7 family inet address 10.1.1.1/24", "has only unit 0"),
        ("set interfaces ge-1/0/0 unit 0 vlan-id 7", "ge-1/0/0 vlan-tagging"),
        ("set interfaces ge-3/0/0 unit 0 family inet address 10.1.1.1/24", "has only NPU 1, 2"),
        (
            "set system host-name a\nset system host-name b",
            "f.set:2:22: error: 'host-name' is b here but a at line 1",
        ),
        ("set security screen ids-option x alarm-without-drop", "switches no screen on"),
        (
            Z + "set security nat source rule-set r from zone a\n"
            "set security nat source rule-set r rule 1 match source-address 10.0.0.0/8\n"
            "set security nat source rule-set r rule 1 then source-nat off",
            "rule-set r needs a 'to zone', 'to interface' or 'to routing-instance'",
        ),
        (
            "set security address-book global address-set s address-set s",
            "address-set s contains itself",
        ),
    ],
)  # fmt: skip
def test_contradictions_between_lines_are_found(lines: str, text: str) -> None:
    (error,) = errors(lines)
    assert text in error


def test_all_errors_are_reported_in_the_order_of_the_file_without_echoes() -> None:
    text = SET_LINES.replace("address lan 10.1.0.0/16", "adress lan 10.1.0.0/16")
    text = text.replace("then deny", "then dney")
    found = errors(text + "set frobnicate\n")
    assert len(found) == 3
    assert "unknown word 'adress'; did you mean 'address'?" in found[0]
    assert "unknown word 'dney'; did you mean 'deny'?" in found[1]
    assert "unknown word 'frobnicate'" in found[2]


def test_a_line_may_say_several_things_of_one_holder() -> None:
    apart = f"{P_ANY}{P}match application any\n{P}then permit\n{P}then log session-init\n"
    apart += f"{P}then log session-close\n{P}then count\n"
    line = f"{P}match source-address any destination-address any application any\n"
    line += f"{P}then permit\n{P}then log session-init session-close\n{P}then count\n"
    assert parse(Z + line).policies == parse(Z + apart).policies


def test_repeating_a_line_changes_nothing() -> None:
    assert parse(SET_LINES + SET_LINES, "fw1.set", CHASSIS) == CONFIGURATION
