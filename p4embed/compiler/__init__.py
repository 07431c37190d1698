"""The P4_16 compiler for target bmv2, architecture v1model: one pass, one module.

Data flows one way, downwards:

    cli, driver, frontend   the command; the passes in their order
    syntax                  text -> tokens -> syntax tree (`ast`)
    check                   syntax tree -> `checked`, with its types (`types`)
    elaborate               checked program -> structured statements (`ir.tree`)
    lower                   structured statements -> lowered program (`ir`)
    emit                    lowered program -> BMv2 JSON
    p4info                  checked program -> P4Info

`ast`, `types`, `checked` and `ir` are what the passes hand on: data without passes in them.
`diagnostics` is how each of them says what is wrong and where; `dump` shows programs between
passes; `include` has core.p4 and v1model.p4.
"""
