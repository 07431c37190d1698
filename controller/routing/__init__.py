"""Where packets go: interfaces, zones, the forwarding table, neighbours (ARP, ND), fabric paths."""
