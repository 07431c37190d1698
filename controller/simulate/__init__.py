"""``wingpath simulate``: the machines under virtual time, with faults, watched step by step.

======================  ============================================================================
``arguments, command``  the command line and its reports
``options``             a run's plan: seed, size, faults
``play, shrink``        runs from beginning to end; from a run that broke a rule to a small one
``story``               what happened, in the words of ``show security flow walk``
``engine, world``       a run: events in their order; what its parts share
``cards``               machines that come and go, and the messages between them
``wires``               frames between hosts and NPUs
``tracking``            packets on their way through SPUs, in order
``trouble, incidents``  what an operator does and who crashes; when
``ledger, audit``       the invariants: of each step, and of everything at once
``gate_book``           of them, those of gates
``ports, transitions``  those of ports and of what changes
``books``               what is known of wings and sessions
``tally``               what took place, counted
``held``                what machines hold for others, and until when
``inside``              the one place that looks into machines
``violation``           the rules by name
``npu``                 an NPU that fails
``site, styles``        chassis, configurations and wires; what of it the seed chooses
``workload``            which flow has which number
``flow, kinds``         flows and what they do
``prefixes``            IPv6 prefixes that are exchanged (NPTv6)
``prefix_flows``        flows of hosts that others know by another prefix
``pieces``              datagrams in fragments; hosts that ask again
``tcp_end, streams``    TCP ends that retransmit and look closely; servers under siege
``talks``               control connections, and what they announce
``frames``              what they send
``dice``                chance that a seed repeats
======================  ============================================================================
"""
