"""The predefined applications ``junos-...`` that policies may name.

Ports are those that IANA registers; source ports 1 to 65535 as Juniper's policy application
overview says. ICMP echo has no ports: the request's type stands where the answering side's port
would (``docs/ARCHITECTURE.md``), which is how ``junos-ping`` is told from other ICMP.
"""

from __future__ import annotations

from controller.config.schema import SECOND, Alg, Application

ANY_PORT = range(65536)
_CLIENT_PORTS = range(1, 65536)
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_CALL_S = 3600
"""SIP signalling is silent while people talk; a minute of UDP's would lose the end of the call."""


def _service(
    name: str,
    protocol: int,
    first: int,
    last: int | None = None,
    timeout_s: int | None = None,
    alg: Alg | None = None,
) -> Application:
    return Application(
        name,
        protocol,
        source_ports=_CLIENT_PORTS,
        destination_ports=range(first, (first if last is None else last) + 1),
        inactivity_timeout=None if timeout_s is None else timeout_s * SECOND,
        alg=alg,
    )


def _icmp(name: str, protocol: int, request: int | None = None) -> Application:
    ports = ANY_PORT if request is None else range(request << 8, (request << 8) + 1)
    return Application(name, protocol, source_ports=ANY_PORT, destination_ports=ports)


PREDEFINED = {
    application.name: application
    for application in (
        _icmp("junos-icmp-all", _ICMP),
        _icmp("junos-ping", _ICMP, 8),
        _icmp("junos-icmp-ping", _ICMP, 8),
        _icmp("junos-icmp6-all", _ICMP6),
        _icmp("junos-pingv6", _ICMP6, 128),
        _icmp("junos-icmp6-echo-request", _ICMP6, 128),
        _service("junos-http", _TCP, 80, timeout_s=300),
        _service("junos-https", _TCP, 443),
        _service("junos-ssh", _TCP, 22),
        _service("junos-telnet", _TCP, 23),
        _service("junos-ftp", _TCP, 21, alg=Alg.FTP),
        _service("junos-smtp", _TCP, 25),
        _service("junos-pop3", _TCP, 110),
        _service("junos-imap", _TCP, 143),
        _service("junos-ldap", _TCP, 389),
        _service("junos-bgp", _TCP, 179),
        _service("junos-ms-rdp", _TCP, 3389),
        _service("junos-dns-tcp", _TCP, 53),
        _service("junos-dns-udp", _UDP, 53, alg=Alg.DNS),
        _service("junos-ntp", _UDP, 123),
        _service("junos-tftp", _UDP, 69, alg=Alg.TFTP),
        _service("junos-syslog", _UDP, 514),
        _service("junos-sip", _UDP, 5060, timeout_s=_CALL_S, alg=Alg.SIP),
        _service("junos-sip-tcp", _TCP, 5060, timeout_s=_CALL_S, alg=Alg.SIP),
        _service("junos-rtsp", _TCP, 554, alg=Alg.RTSP),
        _service("junos-pptp", _TCP, 1723, alg=Alg.PPTP),
        _service("junos-ike", _UDP, 500, alg=Alg.IKE_ESP),
        _service("junos-ike-nat", _UDP, 4500),
        Application("junos-tcp-any", _TCP, source_ports=ANY_PORT, destination_ports=ANY_PORT),
        Application("junos-udp-any", _UDP, source_ports=ANY_PORT, destination_ports=ANY_PORT),
    )
}
"""By name."""
