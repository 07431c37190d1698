"""Application layer gateways out of the tree of statements."""

from __future__ import annotations

from controller.config.problems import Problems
from controller.config.schema import DEFAULT_ALGS, Alg
from controller.config.set_lines import Word
from controller.config.tree import Statement

_UDP, _TCP = 17, 6
CARRIED_BY = {
    Alg.DNS: (_UDP,),
    Alg.FTP: (_TCP,),
    Alg.H323: (_TCP,),
    Alg.IKE_ESP: (_UDP,),
    Alg.PPTP: (_TCP,),
    Alg.RTSP: (_TCP,),
    Alg.SIP: (_UDP, _TCP),
    Alg.TFTP: (_UDP,),
}
"""The protocols that each gateway reads."""


def enabled_algs(root: Statement) -> frozenset[Alg]:
    """Those that are on: all but IKE-ESP, unless ``security alg`` says otherwise."""
    enabled = set(DEFAULT_ALGS)
    for alg in DEFAULT_ALGS:
        if root.has("security", "alg", alg.value, "disable"):
            enabled.remove(alg)
    if root.has("security", "alg", Alg.IKE_ESP.value, "enable"):
        enabled.add(Alg.IKE_ESP)
    return frozenset(enabled)


def application_alg(words: list[Word], protocol: int, problems: Problems) -> Alg | None:
    """What ``application-protocol`` says; ``None`` without it: the ports decide."""
    if not words:
        return None
    alg = Alg(words[0].text)
    if protocol not in CARRIED_BY.get(alg, (protocol,)):
        carriers = " or ".join("udp" if p == _UDP else "tcp" for p in CARRIED_BY[alg])
        text = f"application-protocol {alg.value} needs protocol {carriers}"
        problems.add(words[0].place, text)
    return alg
