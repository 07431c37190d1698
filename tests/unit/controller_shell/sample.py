"""A configuration and a chassis that the tests share."""

from controller.config.build import parse
from controller.config.chassis import parse_chassis

CHASSIS = parse_chassis("""
[[npu]]
number = 1
address = "127.0.0.1:9559"
device_id = 1
fabric = { 2 = 200 }

[[npu]]
number = 2
address = "127.0.0.1:9560"
device_id = 2
fabric = { 1 = 201 }

[[spu]]
number = 1

[[spu]]
number = 2
max_sessions = 1000
""")

SET_LINES = """\
set system host-name fw1
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-1/0/1 vlan-tagging
set interfaces ge-1/0/1 unit 10 vlan-id 10
set interfaces ge-1/0/1 unit 10 family inet address 10.1.10.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24   # to the world
set interfaces ge-2/0/1 unit 0 family inet address 192.0.2.1/24

set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone trust interfaces ge-1/0/1.10
set security zones security-zone trust host-inbound-traffic system-services ping
set security zones security-zone untrust interfaces ge-2/0/0.0
set security zones security-zone untrust screen edge
set security screen ids-option edge tcp land
set security screen ids-option edge tcp syn-fin
set security screen ids-option edge icmp ping-death

set security address-book global address lan 10.1.0.0/16
set security address-book global address web 203.0.113.80/32
set security address-book global address-set servers address [ web lan ]
set applications application games protocol udp
set applications application games destination-port 27000-27015
set applications application games inactivity-timeout 30
set applications application-set fun application [ games junos-http ]
set security policies from-zone trust to-zone untrust policy fast match source-address lan
set security policies from-zone trust to-zone untrust policy fast match destination-address any
set security policies from-zone trust to-zone untrust policy fast match application fun
set security policies from-zone trust to-zone untrust policy fast then permit services-offload
set security policies from-zone trust to-zone untrust policy fast then log session-close
set security policies from-zone trust to-zone untrust policy no match source-address any
set security policies from-zone trust to-zone untrust policy no match destination-address servers
set security policies from-zone trust to-zone untrust policy no match application any
set security policies from-zone trust to-zone untrust policy no then deny
set security nat source rule-set out from zone trust
set security nat source rule-set out to zone untrust
set security nat source rule-set out rule r1 match source-address 10.1.0.0/16
set security nat source rule-set out rule r1 then source-nat interface
set routing-options static route 0.0.0.0/0 next-hop 203.0.113.254
set routing-options rib inet6.0 static route ::/0 next-hop 2001:db8:1::fe
"""

CONFIGURATION = parse(SET_LINES, "fw1.set", CHASSIS)
