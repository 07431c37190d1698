"""FTP through the chassis: the control connection announces, the data connection finds its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from controller_machines.world import (
    UNTRUST,
    World,
    configuration,
    policy,
    tcp,
    with_nat,
)
from scapy.layers.inet import TCP

from controller.config.applications import PREDEFINED
from controller.config.nat import NO_NAT
from controller.config.schema import SECOND, Action, Alg, Configuration, Rematch
from controller.flow import Path
from controller.reasons import Close, Drop
from controller.spu.express import NotExpress

from .talk import Connection, addresses

N = "10.0.2.1"
"""The firewall's address in untrust: what source NAT translates to."""


def only_ftp(config: Configuration) -> Configuration:
    """Nothing but FTP's control connection is permitted, from trust to untrust."""
    return replace(
        config,
        policies=(
            policy("ftp", 1, "trust", "untrust", applications=(PREDEFINED["junos-ftp"],)),
            policy("ftp6", 2, "dmz", "untrust", applications=(PREDEFINED["junos-ftp"],),
                   services_offload=True),
        ),
    )  # fmt: skip


def ftp(world: World, **options: object) -> Connection:
    connection = Connection(world, world.a, world.b, 21, **options)  # type: ignore[arg-type]
    assert connection.say(connection.server, b"220 ready\r\n") == b"220 ready\r\n"
    return connection


def finished(world: World, *connections: Connection) -> None:
    for connection in connections:
        connection.close()
    world.sim.run(3 * SECOND)
    world.assert_empty()


def test_active_mode_without_nat_opens_one_gate_for_the_server() -> None:
    world = World(only_ftp(configuration()))
    control = ftp(world)
    assert control.say(control.client, b"PORT 10,0,1,2,80,1\r\n") == b"PORT 10,0,1,2,80,1\r\n"
    (gate,) = world.sim.cp.gates
    assert gate.order.token == UNTRUST.token
    data = Connection(world, world.b, world.a, 80 * 256 + 1, sport=20)
    assert data.say(data.client, b"file") == b"file"
    assert len(world.sim.cp.gates) == 0, "one-shot"
    # A second one is nobody's child.
    world.send(world.b, tcp(world.b, world.a, "S", 21000, 80 * 256 + 1))
    world.sim.run()
    assert world.reasons()[-1] is Drop.POLICY_DENY
    finished(world, data, control)


def test_active_mode_behind_nat_is_rewritten_and_numbers_follow() -> None:
    world = World(only_ftp(with_nat()), nat_ports=range(60_000, 60_100))
    control = ftp(world)
    assert addresses(control.syn)[0] == N
    heard = control.say(control.client, b"PORT 10,0,1,2,4,0\r\n")
    assert heard.startswith(b"PORT 10,0,2,1,234,"), "longer than what was said"
    *_, high, low = map(int, heard.split()[1].split(b","))
    assert control.say(control.server, b"200 fine\r\n") == b"200 fine\r\n"
    data = Connection(world, world.b, world.a, sport=20, listens_at=(N, high << 8 | low))
    assert addresses(data.syn) == (world.b.ip, world.a.ip)
    assert data.syn[TCP].dport == 4 << 8
    assert data.say(data.client, b"x" * 1000) == b"x" * 1000
    assert data.say(data.server, b"ok") == b"ok"
    # The control connection goes on, with other numbers on either side.
    assert control.say(control.client, b"PORT 10,0,1,2,5,0\r\n").startswith(b"PORT 10,0,2,1,")
    assert control.say(control.client, b"NOOP\r\n") == b"NOOP\r\n"
    assert control.say(control.server, b"226 done\r\n221 bye\r\n") == b"226 done\r\n221 bye\r\n"
    assert control.client.acked == control.client.seq
    assert control.server.acked == control.server.seq % 2**32
    assert control.server.ack == control.client.seq + 6, "two commands grew by three bytes"
    finished(world, data, control)


def test_port_that_is_free_stays() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    assert control.say(control.client, b"PORT 10,0,1,2,8,1\r\n") == b"PORT 10,0,2,1,8,1\r\n"


@pytest.mark.parametrize("nat", [False, True])
def test_passive_mode(nat: bool) -> None:
    world = World(only_ftp(with_nat() if nat else configuration()))
    control = ftp(world)
    control.say(control.client, b"PASV\r\n")
    answer = b"227 Entering Passive Mode (10,0,2,2,100,1).\r\n"
    assert control.say(control.server, answer) == answer, "the server is not behind NAT"
    data = Connection(world, world.a, world.b, 100 * 256 + 1, sport=41_000)
    assert addresses(data.syn)[0] == (N if nat else world.a.ip)
    assert data.say(data.server, b"file") == b"file"
    (child,) = [s for spu in world.sim.spus.values() for s in spu.sessions() if s.parent]
    (parent,) = [s for spu in world.sim.spus.values() for s in spu.sessions() if not s.parent]
    assert (child.spu, child.parent, child.application) == (parent.spu, parent.id, "junos-ftp-data")
    assert parent.alg is Alg.FTP
    finished(world, data, control)


def test_ipv6_extended_modes_and_data_on_express_path() -> None:
    world = World(only_ftp(configuration()))
    control = Connection(world, world.c, world.b, 21, six=True)
    line = b"EPRT |2|2001:db8:3::2|5000|\r\n"
    assert control.say(control.client, line) == line
    line = b"229 Entering Extended Passive Mode (|||6000|)\r\n"
    assert control.say(control.server, line) == line
    assert len(world.sim.cp.gates) == 2
    active = Connection(world, world.b, world.c, 5000, sport=20, six=True)
    passive = Connection(world, world.c, world.b, 6000, six=True)
    assert active.say(active.client, b"data") == b"data"
    assert passive.say(passive.client, b"data") == b"data"
    views = {s.forward.key.dport: s for spu in world.sim.spus.values() for s in spu.sessions()}
    assert views[21].path is Path.SPU
    assert views[21].not_express is NotExpress.ALG_CONTROL
    assert views[5000].path is views[6000].path is Path.EXPRESS
    for connection in (active, passive, control):
        connection.close()
    world.sim.run(1900 * SECOND)
    world.assert_empty()


def test_eprt_behind_nat() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    assert control.say(control.client, b"EPRT |1|10.0.1.2|6446|\r\n") == (
        b"EPRT |1|10.0.2.1|6446|\r\n"
    )


def test_command_in_pieces_is_put_together_even_if_its_sender_waits() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    assert control.say(control.client, b"PORT 10,0,1") == b""
    assert control.client.acked == control.client.seq, "the sender may go on (RFC 896)"
    assert control.say(control.client, b",2,80,1\r\nNOOP\r\n") == b"PORT 10,0,2,1,80,1\r\nNOOP\r\n"
    assert control.client.acked == control.client.seq


def test_what_was_acknowledged_from_here_is_repeated_from_here() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    control.say(control.client, b"PORT 10,0,1")
    # The server loses what comes, and the client has no reason to say it again.
    world.send(world.a, control.client.segment("PA", b",2,80,1\r\n"))
    control.client.seq += 9
    world.sim.run()
    control.server.read = len(world.b.received)
    world.sim.run(5 * SECOND)
    control.settle()
    assert control.server.heard == b"PORT 10,0,2,1,80,1\r\n"
    assert control.client.acked == control.client.seq
    world.sim.run(60 * SECOND)
    assert not control.server.listen(), "all is said"


def test_who_was_away_for_minutes_hears_what_was_acknowledged_for_it() -> None:
    """The client was told that it came, and says it never again (RFC 9293, section 3.8.3)."""
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    for part in (b"PORT 10,0,1", b",2,80,1\r\n"):
        world.send(world.a, control.client.segment("PA", part))
        control.client.seq += len(part)
        world.sim.run()
    world.sim.run(400 * SECOND)
    control.server.read = len(world.b.received)  # it heard nothing of all that
    world.sim.run(400 * SECOND)
    control.settle()
    assert control.server.heard == b"PORT 10,0,2,1,80,1\r\n"


def test_segments_out_of_order_and_repeated() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    client = control.client
    text = b"PORT 10,0,1,2,8,1\r\nNOOP\r\n"
    for start, end in ((15, 25), (0, 10), (8, 17)):
        world.send(world.a, client.segment("PA", text[start:end], seq=client.seq + start))
        world.sim.run()
    control.settle()
    assert control.server.heard == b"PORT 10,0,2,1,8,1\r\nNOOP\r\n"
    heard = control.server.heard
    client.seq += 25
    # A segment whose acknowledgement was lost is repeated: the client hears it again.
    client.acked = 0
    world.send(world.a, client.segment("PA", b"NOOP\r\n", seq=client.seq - 6))
    world.sim.run()
    control.settle()
    assert control.server.heard == heard
    assert client.acked == client.seq


def test_selective_acknowledgement_is_not_negotiated_but_the_rest_is() -> None:
    world = World(only_ftp(configuration()))
    options = (("MSS", 1300), ("SAckOK", b""), ("WScale", 7))
    control = ftp(world, options=options)
    offered = dict(control.syn[TCP].options)
    assert "SAckOK" not in offered
    assert (offered["MSS"], offered["WScale"]) == (1300, 7)


@pytest.mark.parametrize(
    "line",
    [
        b"PORT 10,0,1,9,80,1\r\n",
        b"PORT 10,0,1,2,0,22\r\n",
        b"PORT 10,0,1,2,300,1\r\n",
        b"EPRT |2|10.0.1.2|5000|\r\n",
        b"EPRT |1|10.0.1.2|99999|\r\n",
        b"PORT me\r\n",
    ],
)
def test_announcements_for_others_services_or_nonsense_open_nothing(line: bytes) -> None:
    world = World(only_ftp(configuration()))
    control = ftp(world)
    assert control.say(control.client, line) == line
    assert len(world.sim.cp.gates) == 0


def test_gate_serves_the_server_alone() -> None:
    world = World(only_ftp(configuration()))
    control = ftp(world)
    control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    world.send(world.g, tcp(world.g, world.a, "S", 20, 80 * 256 + 1))
    world.sim.run()
    assert world.reasons() == [Drop.POLICY_DENY]


def test_gate_closes_with_its_parent_and_by_time() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    world.sim.run(121 * SECOND)
    assert len(world.sim.cp.gates) == 0
    assert control.say(control.client, b"PORT 10,0,1,2,80,1\r\n") == b"PORT 10,0,2,1,80,1\r\n"
    world.send(world.a, control.client.segment("RA"))
    world.sim.run(3 * SECOND)
    assert world.sim.closed[-1].reason is Close.TCP_CLIENT_RST
    world.assert_empty()


def test_port_of_a_child_outlives_gate_and_parent() -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    data = Connection(world, world.b, world.a, sport=20, listens_at=(N, 80 * 256 + 1))
    world.send(world.a, control.client.segment("RA"))
    world.sim.run(3 * SECOND)
    assert [session.parent for session in world.sim.spus[1].sessions()] != [0]
    assert sum(world.sim.cp.nat.in_use().values()) == 1
    assert data.say(data.client, b"still") == b"still"
    finished(world, data)


CHANGES: dict[str, tuple[Close | None, Callable[[Configuration], Configuration]]] = {
    "policy deleted": (Close.POLICY_CHANGED, lambda c: replace(c, policies=c.policies[1:])),
    "denied, not rematched": (None, lambda c: denied(c, Rematch.OFF)),
    "denied and rematched": (Close.POLICY_CHANGED, lambda c: denied(c, Rematch.ON)),
    "denied and searched": (Close.POLICY_CHANGED, lambda c: denied(c, Rematch.EXTENSIVE)),
    "rule gone": (Close.NAT_CHANGED, lambda c: replace(c, nat=NO_NAT)),
    "of no concern": (None, lambda c: replace(c, policies=c.policies[:1])),
}


def denied(config: Configuration, rematch: Rematch) -> Configuration:
    first, *others = config.policies
    first = replace(first, action=Action.DENY)
    return replace(config, policies=(first, *others), policy_rematch=rematch)


@pytest.mark.parametrize("orphan", [False, True])
@pytest.mark.parametrize("what", CHANGES)
def test_what_a_new_configuration_ends_it_ends_with_its_data_connections(
    what: str, orphan: bool
) -> None:
    world = World(only_ftp(with_nat()))
    control = ftp(world)
    control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    data = Connection(world, world.b, world.a, sport=20, listens_at=(N, 80 * 256 + 1))
    if orphan:
        world.send(world.a, control.client.segment("RA"))
        world.sim.run(3 * SECOND)
    before = len(world.sim.closed)
    reason, change = CHANGES[what]
    world.sim.reconfigure(change(world.sim.cp.config))
    world.sim.run()
    if orphan and reason is Close.NAT_CHANGED:
        reason = None  # its address is its own
    ended = set(world.closes()[before:])
    assert ended == ({reason} if reason is not None else set())
    if reason is None:
        assert data.say(data.client, b"still") == b"still"
    else:
        world.sim.run(3 * SECOND)
        world.assert_empty()


def test_without_a_free_port_the_command_waits_for_one() -> None:
    world = World(only_ftp(with_nat()), nat_ports=range(40_000, 40_001))
    control = ftp(world)
    assert control.say(control.client, b"PORT 10,0,1,2,80,1\r\n") == b""
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    assert control.client.acked != control.client.seq, "not acknowledged: it comes again"


def test_switched_off_nothing_is_read() -> None:
    world = World(only_ftp(with_nat(algs=frozenset())))
    control = ftp(world)
    line = b"PORT 10,0,1,2,80,1\r\n"
    assert control.say(control.client, line) == line
    assert len(world.sim.cp.gates) == 0


def test_own_application_names_its_gateway_or_none() -> None:
    ours = replace(PREDEFINED["junos-ftp"], name="ours", destination_ports=range(2121, 2122))
    ignored = replace(PREDEFINED["junos-ftp"], name="raw", alg=Alg.IGNORE)
    config = configuration(
        policies=(policy("any", 1, "trust", "untrust", applications=(ours, ignored)),)
    )
    for port, gates in ((2121, 1), (21, 0)):
        world = World(config)
        control = Connection(world, world.a, world.b, port)
        control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
        assert len(world.sim.cp.gates) == gates


def test_encrypted_control_connection_passes_unread() -> None:
    world = World(only_ftp(configuration()))
    control = ftp(world)
    control.say(control.client, b"AUTH TLS\r\n")
    control.say(control.server, b"234 go ahead\r\n")
    secret = b"\x16\x03\x01 no line end"
    assert control.say(control.client, secret) == secret


def test_wrong_checksum_goes_no_further() -> None:
    world = World(only_ftp(configuration()))
    control = ftp(world)
    broken = control.client.segment("PA", b"NOOP\r\n")
    broken[TCP].chksum = 1
    world.send(world.a, broken)
    world.sim.run()
    assert world.reasons() == [Drop.ALG_MALFORMED]
