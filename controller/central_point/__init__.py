"""The central point: the global session table, pending wings, load balancing, NAT arbitration."""
