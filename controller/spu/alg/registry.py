"""Which gateway is behind which name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controller.config.schema import Alg as Name
from controller.spu.alg.base import Alg, Sight
from controller.spu.alg.dns import DnsAlg
from controller.spu.alg.ftp import FtpAlg
from controller.spu.alg.ike import IkeAlg
from controller.spu.alg.pptp import PptpAlg
from controller.spu.alg.rtsp import RtspAlg
from controller.spu.alg.sip import SipAlg
from controller.spu.alg.tftp import TftpAlg

GATEWAYS: Mapping[Name, Callable[[tuple[Sight, Sight]], Alg]] = {
    Name.DNS: DnsAlg,
    Name.FTP: FtpAlg,
    Name.IKE_ESP: IkeAlg,
    Name.PPTP: PptpAlg,
    Name.RTSP: RtspAlg,
    Name.SIP: SipAlg,
    Name.TFTP: TftpAlg,
}
"""All but ``IGNORE``, which stands for none."""
