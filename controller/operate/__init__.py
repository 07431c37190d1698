"""What an operator touches: commands, the socket they come by, and what is logged.

``table`` has all commands (``table_chassis``, ``table_data_plane`` and ``table_nat`` a part each),
``commands`` understands a line by it, and completes one with the ``names`` of the configuration in
force. What a command does is in ``show_...`` and ``request_...``; each is given the ``operator``.
``server`` and ``shell`` are the two ends of the socket, and ``protocol`` is what they say.
``observer`` keeps what machines report, ``session_log`` and ``exhaustion`` write it down (in the
``log``), ``performance`` samples how busy they are.
"""
