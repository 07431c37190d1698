"""Which gateway is behind which name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controller.config.schema import Alg as Name
from controller.spu.alg.base import Alg, Sight
from controller.spu.alg.dns import DnsAlg
from controller.spu.alg.ftp import FtpAlg
from controller.spu.alg.h323 import H245_APPLICATION, H245Alg, H323Alg
from controller.spu.alg.ike import IkeAlg
from controller.spu.alg.pptp import PptpAlg
from controller.spu.alg.rtsp import RtspAlg
from controller.spu.alg.sip import SipAlg
from controller.spu.alg.tftp import TftpAlg

GATEWAYS: Mapping[Name, Callable[[tuple[Sight, Sight]], Alg]] = {
    Name.DNS: DnsAlg,
    Name.FTP: FtpAlg,
    Name.H323: H323Alg,
    Name.IKE_ESP: IkeAlg,
    Name.PPTP: PptpAlg,
    Name.RTSP: RtspAlg,
    Name.SIP: SipAlg,
    Name.TFTP: TftpAlg,
}
"""All but ``IGNORE``, which stands for none."""

CHILDREN: Mapping[str, tuple[Name, Callable[[tuple[Sight, Sight]], Alg]]] = {
    H245_APPLICATION: (Name.H323, H245Alg),
}
"""Children that are control sessions themselves, by application: what they belong to, and their
gateway."""

ANNOUNCED = frozenset(("junos-esp", "junos-ftp-data", "junos-gre", H245_APPLICATION,
                       "junos-h323-media", "junos-rtsp-media", "junos-sip-media",
                       "junos-tftp-data"))  # fmt: skip
"""Applications of all children."""

TUNNELS = frozenset(("junos-gre",))
"""Children that end with their control session, or with their call (RFC 2637, section 2): PPTP's.
(ESP outlives the IKE that agreed on it.)"""


def gateway(name: Name, application: str, sights: tuple[Sight, Sight]) -> Alg:
    """The gateway for a control session."""
    if application in CHILDREN:
        return CHILDREN[application][1](sights)
    return GATEWAYS[name](sights)
