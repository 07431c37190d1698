"""``wingpath simulate``: the machines under virtual time, with faults, watched step by step.

======================  ============================================================================
``arguments, command``  the command line and its reports
``options``             a run's plan: seed, size, faults
``play, shrink``        runs from beginning to end; from a run that broke a rule to a small one
``story``               what happened, in the words of ``show security flow walk``
``engine``              events, messages on their way, frames on wires, crashes
``ledger, inside``      the invariants; and the one place that looks into machines
``violation``           the rules by name
``npu``                 an NPU that fails
``incidents``           what an operator does and who crashes, and when
``site``                chassis, configurations and wires
``workload``            which flow has which number
``flow, kinds``         flows and what they do
``frames``              what they send
``dice``                chance that a seed repeats
======================  ============================================================================
"""
