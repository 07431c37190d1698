"""What the data-plane cases stand on.

``names``      P4Info: from the names of the contract to the numbers of P4Runtime
``client``     a synchronous P4Runtime client, as small as the cases need
``packets``    frames, built and checked by scapy alone
``base``       the cases' base class: one switch with its interfaces configured
``switch``     ports and process of the switch under test
"""
