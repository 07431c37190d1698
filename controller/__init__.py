"""The control plane: central point, SPUs and the NPU clients that serve them.

``central_point`` and ``spu`` are pure machines: they take a message (``messages``) and the time,
and return messages. ``npu`` is the P4Runtime client of one NPU, ``routing`` knows where packets go,
``config`` says what is configured, ``operate`` is what an operator touches. ``runtime`` carries the
messages, ``service`` is the process around it, ``spu_bay`` has SPUs come and go. ``simulate`` and
``simulator`` have the same machines under virtual time, with ``simulated_npu`` in the NPUs' place.

``flow``, ``gate``, ``record`` and ``reasons`` are what all of them speak of. Frames: ``packet``
reads and rewrites them; ``icmp``, ``fragment``, ``payload``, ``ip_packets``, ``tcp_options``,
``tcp_segments`` and ``syn_cookie`` are about a part each.
"""
