"""Judges p4embed by p4c's own samples, from a checkout of p4c that the user has.

``python -m conformance`` is the command; nothing of p4c is copied, its files are read where they
lie. From the samples to the verdicts:

    samples     which programs of a checkout count
    compilers   runs p4embed-c or p4c and sorts what they say
    stf         reads the scripts beside the samples (Simple Test Framework) into ``commands``
    naming      finds what a script names in a compiled program
    replay      plays a script on a ``Target`` and compares what leaves
    engines     p4embed's executors as targets; ``bmv2`` the real switch as one
    cases       one case: compile, or load and replay; ``isolation`` runs each in its own process
    sweeps      all cases of a kind; ``report`` counts and prints
"""
