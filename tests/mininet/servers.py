"""Servers and clients of Debian that are unpacked and not installed (``debian-servers.txt``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateways import ROOT, Topology

PROGRAMS = ROOT / ".servers" / "usr" / "sbin"
PPP = Path(__file__).parent / "ends" / "ppp.py"

_VSFTPD = """\
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={files}
ftp_username=daemon
nopriv_user=nobody
secure_chroot_dir={empty}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
connect_from_port_20=YES
seccomp_sandbox=NO
"""


def files_of(topology: Topology) -> Path:
    """A directory that a server serves, whoever it runs as; it writes into ``sent`` below it."""
    files = topology.directory / "files"
    if not files.exists():
        topology.directory.chmod(0o755)
        (files / "sent").mkdir(parents=True)
        (files / "sent").chmod(0o777)
    return files


def listens(topology: Topology, host: str, kind: str, port: int) -> bool:
    """Whether somebody on a host has a socket on a port; ``kind`` is ``tcp`` or ``udp``."""
    said = topology.run(host, "ss", "-Hln", f"--{kind}", f"sport = :{port}")
    return f":{port} " in said


def vsftpd(topology: Topology, host: str) -> None:
    """FTP for anybody, active and passive, plain and extended, IPv4 and IPv6."""
    empty = topology.directory / f"empty-{host}"
    empty.mkdir()
    told = topology.directory / f"vsftpd-{host}.conf"
    told.write_text(_VSFTPD.format(files=files_of(topology), empty=empty))
    topology.start(host, str(PROGRAMS / "vsftpd"), str(told))
    assert topology.wait(lambda: listens(topology, host, "tcp", 21))


def tftpd(topology: Topology, host: str, address: str) -> None:
    """TFTP for anybody: files may be made."""
    line = ("--foreground", "--address", f"{address}:69", "--user", "daemon", "--permissive")
    served = ("--secure", "--create", str(files_of(topology)))
    topology.start(host, str(PROGRAMS / "in.tftpd"), *line, *served)
    assert topology.wait(lambda: listens(topology, host, "udp", 69))


def _apart(command: str) -> tuple[str, ...]:
    """A command that finds its helpers in /usr/sbin and leaves nothing in /run."""
    places = f"mount --bind {PROGRAMS} /usr/sbin && mount -t tmpfs none /run"
    return "unshare", "--mount", "sh", "-c", f"{places} && exec {command}"


def pptpd(topology: Topology, host: str, address: str) -> None:
    """PPTP; what is in its tunnels goes to ``ends/ppp.py``."""
    told = topology.directory / "pptpd.conf"
    told.write_text(f"option {told}\nlocalip 10.9.0.1\nremoteip 10.9.0.2-99\nnoipparam\n")
    line = f"/usr/sbin/pptpd --fg --conf {told} --listen {address} --ppp {PPP}"
    topology.start(host, *_apart(f"{line} --pidfile /run/pptpd.pid"))
    assert topology.wait(lambda: listens(topology, host, "tcp", 1723))


def pptp(topology: Topology, host: str, server: str) -> subprocess.Popen[str]:
    """A client that asks through its tunnel, says what it hears, and hangs up."""
    line = f"/usr/sbin/pptp {server} --nolaunchpppd --nohostroute"
    return topology.start(host, *_apart(f"{sys.executable} {PPP} ask {line}"))
