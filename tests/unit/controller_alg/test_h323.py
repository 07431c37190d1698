"""H.323 through the chassis: calls by fast connect, tunnelled H.245, and H.245 of its own."""

from __future__ import annotations

from typing import Any

import pytest
from controller_machines.world import NAT_OUT, Host, World, configuration, policy
from pycrate_asn1dir import H225
from scapy.layers.inet import UDP
from scapy.packet import Packet

from controller.config.applications import PREDEFINED
from controller.config.nat import SourceNatRule
from controller.config.schema import SECOND, Alg, Configuration
from controller.spu.express import NotExpress

from .talk import Connection, addresses, network, payload

N = "10.0.2.1"
CONTROL, CALL = H225.MULTIMEDIA_SYSTEM_CONTROL, H225.H323_MESSAGES
NAT = pytest.mark.parametrize("nat", [(), (NAT_OUT,)])


def packed(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


def calls(nat: tuple[SourceNatRule, ...]) -> Configuration:
    h323 = tuple(app for app in PREDEFINED.values() if app.alg is Alg.H323)
    rule = policy("h323", 1, "trust", "untrust", applications=h323)
    return configuration(policies=(rule,), source_nat=nat)


def unicast(address: str, port: int) -> tuple[str, Any]:
    return "unicastAddress", ("iPAddress", {"network": packed(address), "tsapIdentifier": port})


def channel(address: str, port: int) -> dict[str, Any]:
    """Open a channel on which the sender wants to hear."""
    parameters = {
        "sessionID": 1,
        "mediaChannel": unicast(address, port),
        "mediaControlChannel": unicast(address, port + 1),
    }
    return {
        "forwardLogicalChannelNumber": 1,
        "forwardLogicalChannelParameters": {
            "dataType": ("nullData", 0),
            "multiplexParameters": ("none", 0),
        },
        "reverseLogicalChannelParameters": {
            "dataType": ("audioData", ("g711Ulaw64k", 20)),
            "multiplexParameters": ("h2250LogicalChannelParameters", parameters),
        },
    }


def encode(kind: Any, value: Any) -> bytes:
    kind.set_val(value)
    data = kind.to_aper()
    assert isinstance(data, bytes)
    return data


def control_message(address: str, port: int) -> bytes:
    message = ("request", ("openLogicalChannel", channel(address, port)))
    return encode(CONTROL.MultimediaSystemControlMessage, message)


def frame(data: bytes) -> bytes:
    return b"\3\0" + (len(data) + 4).to_bytes(2, "big") + data


def setup(address: str, sport: int, **more: Any) -> bytes:
    """A Setup message; ``more`` goes into it, ``tunnel`` beside it."""
    tunnel = more.pop("tunnel", None)
    body = {
        "protocolIdentifier": (0, 0, 8, 2250, 0, 4),
        "sourceInfo": {"mc": False, "undefinedNode": False},
        "activeMC": False,
        "conferenceID": bytes(16),
        "conferenceGoal": ("create", 0),
        "callType": ("pointToPoint", 0),
        "sourceCallSignalAddress": ("ipAddress", {"ip": packed(address), "port": sport}),
        "callIdentifier": {"guid": bytes(16)},
        "mediaWaitForConnect": False,
        "canOverlapSend": False,
        **more,
    }
    unit: dict[str, Any] = {"h323-message-body": ("setup", body), "h245Tunnelling": bool(tunnel)}
    if tunnel:
        unit["h245Control"] = [tunnel]
    user = b"\5" + encode(CALL.H323_UserInformation, {"h323-uu-pdu": unit})
    q931 = b"\x08\2\0\1\5" + b"\x04\3\x88\x93\xa5" + b"\x7e" + len(user).to_bytes(2, "big") + user
    return frame(q931)


def datagram(host: Host, to: str, sport: int, dport: int) -> Packet:
    return network(host.ip, to) / UDP(sport=sport, dport=dport) / b"sound"


def hear(world: World, seen: str, port: int) -> None:
    """Sound and a report come to the caller's ports 6000 and 6001."""
    for n in (0, 1):
        heard = world.pass_(world.b, datagram(world.b, seen, 7000 + n, port + n), world.a)
        assert (heard[UDP].dport, payload(heard)) == (6000 + n, b"sound")


@NAT
@pytest.mark.parametrize("tunnelled", [False, True])
def test_media_that_a_setup_names(nat: tuple[SourceNatRule, ...], tunnelled: bool) -> None:
    world = World(calls(nat), nat_ports=range(30_001, 30_100))
    line = Connection(world, world.a, world.b, 1720)
    seen, sport = addresses(line.syn)[0], line.server.peer_port
    port = 30_002 if nat else 6000

    def said(address: str, signalling: int, media: int) -> bytes:
        if tunnelled:
            return setup(address, signalling, tunnel=control_message(address, media))
        opened = encode(CONTROL.OpenLogicalChannel, channel(address, media))
        return setup(address, signalling, fastStart=[opened])

    heard = line.say(line.client, said(world.a.ip, 40_000, 6000))
    assert heard == said(seen, sport, port), "the same message, by translated names"
    (gate,) = world.sim.cp.gates
    assert (gate.order.count, gate.hole.port) == (2, port)
    hear(world, seen, port)
    assert line.say(line.client, frame(b"\x08\2\0\1\x5a")) == frame(b"\x08\2\0\1\x5a")
    assert len(world.sim.cp.gates) == 0, "ReleaseComplete"
    line.close()
    world.sim.run(100 * SECOND)
    world.assert_empty()


@NAT
def test_connection_for_h245_is_a_control_session_too(nat: tuple[SourceNatRule, ...]) -> None:
    world = World(calls(nat), nat_ports=range(30_001, 30_100))
    call = Connection(world, world.a, world.b, 1720)
    seen, sport = addresses(call.syn)[0], call.server.peer_port

    def said(address: str, signalling: int, control: int) -> bytes:
        where = ("ipAddress", {"ip": packed(address), "port": control})
        return setup(address, signalling, h245Address=where)

    heard = call.say(call.client, said(world.a.ip, 40_000, 4000))
    (gate,) = world.sim.cp.gates
    assert heard == said(seen, sport, gate.hole.port)
    # The called side connects, and each says where it wants to hear.
    control = Connection(world, world.b, world.a, listens_at=(seen, gate.hole.port))
    answer = control.say(control.server, frame(control_message(world.a.ip, 6000)))
    (media,) = world.sim.cp.gates
    assert answer == frame(control_message(seen, media.hole.port))
    assert media.parent != gate.parent
    hear(world, seen, media.hole.port)
    views = {v.application: v for v in world.sim.spus[1].sessions()}
    assert views["junos-h245"].alg is Alg.H323
    assert views["junos-h245"].parent == gate.parent
    assert views["junos-h245"].not_express is NotExpress.POLICY
    for connection in (control, call):
        connection.close()
    world.sim.run(100 * SECOND)
    world.assert_empty()


def test_called_side_is_named_as_each_knows_it() -> None:
    """An answer names the caller as the other side knows it; the caller reads its own name."""
    world = World(calls((NAT_OUT,)))
    line = Connection(world, world.a, world.b, 1720)
    sport = line.server.peer_port
    assert line.say(line.server, setup(N, sport)) == setup(world.a.ip, 40_000)


@pytest.mark.parametrize(
    "text",
    [
        frame(b"\x08\2\0\1\5\x7e\xff\xff\5"),
        frame(b"\x08\2\0\1\5\x7e\0\4\5\x20\xc0\xff"),
        frame(b"\x08\x0f"),
        frame(b"\x55" * 20),
        frame(b""),
        b"no frame at all",
        setup(
            "10.0.1.2", 40_000, h245Address=("ipAddress", {"ip": packed("10.0.1.2"), "port": 22})
        ),
        setup("10.0.1.2", 40_000, tunnel=control_message("10.0.1.9", 6000)),
    ],
)
def test_nothing_opens_for_nonsense_services_or_others(text: bytes) -> None:
    world = World(calls(()))
    line = Connection(world, world.a, world.b, 1720)
    assert line.say(line.client, text) == text
    assert len(world.sim.cp.gates) == 0
