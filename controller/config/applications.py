"""The predefined applications ``junos-...`` that policies may name.

Names and what they stand for: Juniper's list of predefined policy applications; ports are those
that IANA registers; source ports 1 to 65535 as Juniper's policy application overview says. ICMP
has no ports: type << 8 | code stands where the answering side's port would
(``docs/ARCHITECTURE.md``), which is how ``junos-ping`` is told from other ICMP.

Applications that are known by RPC program numbers or UUIDs are not here: they need an ALG that
finds the ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controller.config.schema import SECOND, Alg, Application

ANY_PORT = range(65536)
_CLIENT_PORTS = range(1, 65536)
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_TIMEOUTS = {"http": 300, "sip": 3600, "sip-tcp": 3600}
"""Seconds, where the protocol's default would not do. SIP signalling is silent while people talk;
a minute of UDP's would lose the end of the call."""


def icmp_ports(icmp_type: int | None, code: int | None) -> range:
    """What stands where the destination port would be; ``None``: any type, or any code."""
    if icmp_type is None:
        return ANY_PORT
    if code is None:
        return range(icmp_type << 8, (icmp_type << 8) + 256)
    return range(icmp_type << 8 | code, (icmp_type << 8 | code) + 1)


def _icmp(name: str, protocol: int, icmp_type: int | None = None) -> Application:
    # All of these are about code 0, the only one that their types have.
    ports = icmp_ports(icmp_type, None if icmp_type is None else 0)
    return Application(name, protocol, source_ports=ANY_PORT, destination_ports=ports)


def _services(protocol: int, table: str) -> Iterator[Application]:
    """Lines of name (without ``junos-``), port or range, and perhaps an ALG."""
    for line in table.split("\n"):
        name, port, *alg = line.split()
        low, _, high = port.partition("-")
        yield Application(
            f"junos-{name}",
            protocol,
            source_ports=_CLIENT_PORTS,
            destination_ports=range(int(low), int(high or low) + 1),
            inactivity_timeout=_TIMEOUTS[name] * SECOND if name in _TIMEOUTS else None,
            alg=Alg(alg[0]) if alg else None,
        )


_TCP_SERVICES = """http 80
https 443
ssh 22
telnet 23
ftp 21 ftp
smtp 25
smtps 465
pop3 110
imap 143
imaps 993
ldap 389
bgp 179
ms-rdp 3389
dns-tcp 53
aol 5190-5193
cvspserver 2401
finger 79
gopher 70
gprs-gtp-v0-tcp 3386
http-ext 7001
ident 113
internet-locator-service 389
irc 6660-6669
ldp-tcp 646
lpr 515
mail 25
msn 1863
ms-sql 1433
netbios-session 139
nfsd-tcp 2049
nntp 119
ns-global 15397
ns-global-pro 15397
pc-anywhere 5632
pptp 1723 pptp
sip-tcp 5060 sip
printer 515
realaudio 7070
rlogin 513
rsh 514
rtsp 554 rtsp
sccp 2000
smb-session 445
sqlnet-v1 1525
sqlnet-v2 1521
tacacs 49
tacacs-ds 65
talk-tcp 517
uucp 540
wais 210
whois 43
winframe 1494
wxcontrol 3578
x-windows 6000-6063
xnm-clear-text 3221
xnm-ssl 3220
ymsg 5000-5010"""

_UDP_SERVICES = """dns-udp 53 dns
ntp 123
tftp 69 tftp
syslog 514
bootpc 68
bootps 67
chargen 19
dhcp-client 68
dhcp-relay 67
dhcp-server 67
discard 9
gnutella 6346-6347
gprs-gtp-c 2123
gprs-gtp-u 2152
ike 500 ike-esp-nat
ike-nat 4500
l2tp 1701
ldp-udp 646
mgcp-ca 2727
mgcp-ua 2427
ms-rpc-epm-udp 135
nbds 138
nbname 137
nfsd-udp 2049
ntalk 518
radacct 1813
radius 1812
rip 520
snmp-agentx 705
sql-monitor 1434
stun-udp 3478
talk 517
vdo-live 7000-7010
who 513"""

_MULTI_TERM = (
    *_services(_UDP, "sip 5060 sip"),
    *_services(_TCP, "sip 5060 sip"),
    *_services(_TCP, "h323 1720 h323"),
    *_services(_UDP, "h323 1719"),
    *_services(_TCP, "h323 1503"),
    *_services(_TCP, "h323 389"),
    *_services(_TCP, "h323 522"),
    *_services(_TCP, "h323 1731"),
    *_services(_TCP, "smb 139"),
    *_services(_TCP, "smb 445"),
    *_services(_TCP, "vnc 5800"),
    *_services(_TCP, "vnc 5900"),
    *_services(_TCP, "stun 3478"),
    *_services(_UDP, "stun 3478"),
    *_services(_TCP, "r2cp 28672"),
    *_services(_UDP, "r2cp 28672"),
)


def _whole(name: str, protocol: int) -> Application:
    return Application(name, protocol, source_ports=ANY_PORT, destination_ports=ANY_PORT)


_ALL = (
    _icmp("junos-icmp-all", _ICMP),
    _icmp("junos-ping", _ICMP, 8),
    _icmp("junos-icmp-ping", _ICMP, 8),
    _icmp("junos-icmp6-all", _ICMP6),
    _icmp("junos-pingv6", _ICMP6, 128),
    _icmp("junos-icmp6-echo-request", _ICMP6, 128),
    _icmp("junos-icmp6-echo-reply", _ICMP6, 129),
    *_services(_TCP, _TCP_SERVICES),
    *_services(_UDP, _UDP_SERVICES),
    *_MULTI_TERM,
    _whole("junos-gre", 47),
    _whole("junos-ospf", 89),
    _whole("junos-tcp-any", _TCP),
    _whole("junos-udp-any", _UDP),
)


def _by_name(applications: Iterable[Application]) -> dict[str, tuple[Application, ...]]:
    found: dict[str, tuple[Application, ...]] = {}
    for application in applications:
        found[application.name] = (*found.get(application.name, ()), application)
    return found


PREDEFINED_TERMS: Mapping[str, tuple[Application, ...]] = _by_name(_ALL)
"""By name: the terms of each."""
PREDEFINED_SETS: Mapping[str, tuple[str, ...]] = {
    "junos-cifs": ("junos-netbios-session", "junos-smb-session"),
    "junos-mgcp": ("junos-mgcp-ua", "junos-mgcp-ca"),
}
"""The members of predefined application sets."""


def by_key(terms: Mapping[str, tuple[Application, ...]]) -> dict[str, Application]:
    """As ``Configuration.applications`` has them: ``NAME``, ``NAME:2``, ``NAME:3``."""
    return {
        name if number == 1 else f"{name}:{number}": application
        for name, applications in terms.items()
        for number, application in enumerate(applications, start=1)
    }


PREDEFINED = by_key(PREDEFINED_TERMS)
"""The same, each term by its key."""
