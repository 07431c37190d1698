"""The ends of an H.323 call by fast connect, messages by pycrate, and some sound.

python h323.py listen ADDRESS
python h323.py call OWN PEER
"""

from __future__ import annotations

import socket
import sys

from pycrate_asn1dir.H225 import H323_MESSAGES, MULTIMEDIA_SYSTEM_CONTROL

SIGNALLING, MEDIA = 1720, 6000
SECONDS = 8.0


def setup(own: str, port: int) -> bytes:
    """Setup that offers to hear on a port."""
    address = socket.inet_aton(own)
    hear = ("unicastAddress", ("iPAddress", {"network": address, "tsapIdentifier": MEDIA}))
    report = ("unicastAddress", ("iPAddress", {"network": address, "tsapIdentifier": MEDIA + 1}))
    channel = MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel
    parameters = {"sessionID": 1, "mediaChannel": hear, "mediaControlChannel": report}
    channel.set_val(
        {
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
    )
    body = {
        "protocolIdentifier": (0, 0, 8, 2250, 0, 4),
        "sourceInfo": {"mc": False, "undefinedNode": False},
        "activeMC": False,
        "conferenceID": bytes(16),
        "conferenceGoal": ("create", 0),
        "callType": ("pointToPoint", 0),
        "sourceCallSignalAddress": ("ipAddress", {"ip": address, "port": port}),
        "callIdentifier": {"guid": bytes(16)},
        "mediaWaitForConnect": False,
        "canOverlapSend": False,
        "fastStart": [channel.to_aper()],
    }
    information = H323_MESSAGES.H323_UserInformation
    information.set_val(
        {"h323-uu-pdu": {"h323-message-body": ("setup", body), "h245Tunnelling": False}}
    )
    user = b"\5" + information.to_aper()
    message = b"\x08\2\0\1\5\x7e" + len(user).to_bytes(2, "big") + user
    return b"\3\0" + (len(message) + 4).to_bytes(2, "big") + message


def offered(frame: bytes) -> tuple[str, tuple[str, int], tuple[str, int]]:
    """Who calls, and where sound and reports are wanted, as a Setup says."""
    information = H323_MESSAGES.H323_UserInformation
    information.from_aper(frame[4 + 9 :])
    body = information.get_val()["h323-uu-pdu"]["h323-message-body"][1]
    channel = MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel
    channel.from_aper(body["fastStart"][0])
    wanted = channel.get_val()["reverseLogicalChannelParameters"]["multiplexParameters"][1]
    sound, reports = (
        (socket.inet_ntoa(address["network"]), address["tsapIdentifier"])
        for address in (wanted[name][1][1] for name in ("mediaChannel", "mediaControlChannel"))
    )
    return socket.inet_ntoa(body["sourceCallSignalAddress"][1]["ip"]), sound, reports


def listen(own: str) -> None:
    sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sound.bind((own, 7000))
    sound.settimeout(SECONDS)
    with socket.create_server((own, SIGNALLING)) as listener:
        print("serving", flush=True)
        connection, _ = listener.accept()
    connection.settimeout(SECONDS)
    caller, media, reports = offered(connection.recv(4000))
    print(f"call of {caller}, pair of ports: {reports[1] == media[1] + 1}", flush=True)
    sound.sendto(b"sound", media)
    sound.sendto(b"report", reports)
    data, source = sound.recvfrom(100)
    print(f"{data.decode()} back from where it went: {source == media}", flush=True)
    connection.recv(4000)


def call(own: str, peer: str) -> None:
    media = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for n, sock in enumerate(media):
        sock.bind((own, MEDIA + n))
        sock.settimeout(SECONDS)
    connection = socket.create_connection((peer, SIGNALLING), SECONDS, (own, 0))
    connection.sendall(setup(own, connection.getsockname()[1]))
    data, source = media[0].recvfrom(100)
    report = media[1].recv(100)
    print(f"heard {data.decode()} and {report.decode()} from {source[0]}", flush=True)
    media[0].sendto(b"sound", source)
    connection.sendall(b"\3\0\0\x09\x08\2\0\1\x5a")
    connection.close()


if __name__ == "__main__":
    {"listen": listen, "call": call}[sys.argv[1]](*sys.argv[2:])
