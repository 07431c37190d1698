"""Two NPUs joined by a fabric link; zones trust and dmz on the first, untrust on the second."""

from __future__ import annotations

from pathlib import Path

from controller.flow import Port
from topologies.layout import HostSpec, Layout

_PICTURE = """\
                     CP + SPU 1 + SPU 2  (controller)
                       | P4Runtime      | P4Runtime
 trust1 ---ge-1/0/0-- NPU 1 ==fabric== NPU 2 --ge-2/0/0--- untrust1
 dmz1 -----ge-1/0/1----'
"""

LAYOUT = Layout(
    name="two_npus",
    directory=Path(__file__).parent,
    hosts=(
        HostSpec(
            "trust1",
            Port(1, 1),
            ("10.1.1.10/24", "2001:db8:1::10/64"),
            ("10.1.1.1", "2001:db8:1::1"),
        ),
        HostSpec(
            "dmz1",
            Port(1, 2),
            ("10.2.2.10/24", "2001:db8:2::10/64"),
            ("10.2.2.1", "2001:db8:2::1"),
            serves=True,
        ),
        HostSpec(
            "untrust1",
            Port(2, 1),
            ("203.0.113.10/24", "198.51.100.10/32", "2001:db8:3::10/64"),
            ("203.0.113.1", "2001:db8:3::1"),
            serves=True,
        ),
    ),
    picture=_PICTURE,
)
