"""Judges p4embed by p4c's own samples, from a checkout of p4c that the user has.

``stf`` reads the scripts beside the samples (Simple Test Framework); ``naming`` finds what they name
in a compiled program; ``replay`` plays them on a ``Target`` (``engines``: the two executors of
p4embed; ``bmv2``: the real switch); ``compilers`` runs p4embed-c and p4c; ``samples`` picks the
samples; ``isolation`` keeps a crash of one case from the others; ``report`` counts and prints.
``python -m conformance`` is the command. Nothing of p4c is copied: its files are read where they lie.
"""
