"""The central point: the global session table, pending wings, load balancing, NAT arbitration.

``machine`` ties the parts together; ``balance`` picks SPUs, ``nat_arbiter`` grants ports, ``gates``
holds the flows that ALGs expect.
"""

from controller.central_point.machine import CentralPoint, CpCounts, CpWing

__all__ = ["CentralPoint", "CpCounts", "CpWing"]
