"""The central point: the global session table, pending wings, load balancing, NAT arbitration.

``machine`` dispatches over ``core``, which the parts share. First packets walk ``first_path``, over
``sessions`` (the table), ``fragments``, ``balance`` (which SPU), ``screens`` with ``limits``, and
``fleet`` (SPUs that join, drain and fail). ``requests`` answers SPUs: ``gates`` holds the flows
that ALGs expect, ``nat_desk`` and ``nat_arbiter`` grant ports. ``audit`` holds the table against
the SPUs' own, ``watermarks`` has sessions end early.
"""

from controller.central_point.machine import CentralPoint
from controller.central_point.sessions import CpCounts, CpWing

__all__ = ["CentralPoint", "CpCounts", "CpWing"]
