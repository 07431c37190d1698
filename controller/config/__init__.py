"""The configuration: values, grammar, and the way from a text to values.

``schema`` has what is configured as values, with ``nat``, ``stateless``, ``tcp``, ``screens`` and
``host_services``; ``cards`` has the chassis, which ``chassis`` reads from its own file.
``set_lines`` splits a text into words, ``tree`` walks them through ``grammar`` (and
``grammar_nat``, ``grammar_stateless``) into statements, and ``build`` makes values of these: a
module for each part, ``build_...``. ``problems`` collects what is wrong, and where.
"""
