"""Where packets go: the forwarding table (``fib``), neighbours (``neighbors``, with ``nd`` for ARP
and ND on the wire) and the fabric between NPUs (``fabric``)."""
