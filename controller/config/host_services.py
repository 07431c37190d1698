"""What a zone, or an interface of it, may let in for the firewall itself (``system-services``).

Names as in Juniper's YANG models (junos-es, security zones); ports as IANA registered them. No such
service runs here: who is let in is told that nobody listens, as by a chassis that has none of them
switched on, and who is not hears nothing.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from controller.packet import ICMP, ICMPV6, TCP, UDP, Packet

if TYPE_CHECKING:
    from controller.config.problems import Problems
    from controller.config.tree import Statement


class HostService(Enum):
    """A word of ``host-inbound-traffic system-services``."""

    ALL = "all"
    """Every service that has a name here."""
    ANY_SERVICE = "any-service"
    """Any port at all."""
    PING = "ping"
    TRACEROUTE = "traceroute"
    DNS = "dns"
    FINGER = "finger"
    FTP = "ftp"
    HTTP = "http"
    HTTPS = "https"
    IDENT_RESET = "ident-reset"
    IKE = "ike"
    NETCONF = "netconf"
    NTP = "ntp"
    SNMP = "snmp"
    SNMP_TRAP = "snmp-trap"
    SSH = "ssh"
    TELNET = "telnet"
    TFTP = "tftp"


TRACEROUTE_PORTS = range(33434, 33535)
"""UDP ports that traceroute counts up from its first one (IANA: 33434)."""

_PORTS = {
    (TCP, 21): HostService.FTP,
    (TCP, 22): HostService.SSH,
    (TCP, 23): HostService.TELNET,
    (TCP, 53): HostService.DNS,
    (UDP, 53): HostService.DNS,
    (UDP, 69): HostService.TFTP,
    (TCP, 79): HostService.FINGER,
    (TCP, 80): HostService.HTTP,
    (TCP, 113): HostService.IDENT_RESET,
    (UDP, 123): HostService.NTP,
    (UDP, 161): HostService.SNMP,
    (UDP, 162): HostService.SNMP_TRAP,
    (TCP, 443): HostService.HTTPS,
    (UDP, 500): HostService.IKE,
    (TCP, 830): HostService.NETCONF,
    (UDP, 4500): HostService.IKE,
    **{(UDP, port): HostService.TRACEROUTE for port in TRACEROUTE_PORTS},
}


def service_of(packet: Packet) -> HostService | None:
    """Which service a packet for the firewall asks for; ``None``: one without a name here."""
    if packet.protocol in (ICMP, ICMPV6):
        return HostService.PING
    return _PORTS.get((packet.protocol, packet.dport))


def allows(allowed: frozenset[HostService], service: HostService | None) -> bool:
    """Whether what is configured lets a service in."""
    if HostService.ANY_SERVICE in allowed:
        return True
    return service is not None and (service in allowed or HostService.ALL in allowed)


def build_host_inbound(statement: Statement, problems: Problems) -> frozenset[HostService]:
    """What a zone, or an interface of it, lets in."""
    said = list(statement.each("host-inbound-traffic", "system-services"))
    allowed = {HostService(s.key) for s in said if not s.has("except")}
    refused = {HostService(s.key) for s in said if s.has("except")}
    for service in said:
        if service.has("except") and (
            HostService.ALL not in allowed or HostService.ANY_SERVICE in allowed
        ):
            text = f"{service.key} except holds beside 'all' alone; name what is let in instead"
            problems.add(service.place, text)
    if refused and HostService.ALL in allowed:
        allowed |= set(HostService) - {HostService.ANY_SERVICE}
        allowed.remove(HostService.ALL)
    return frozenset(allowed - refused)
