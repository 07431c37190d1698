// Table and counter sizes.
//
// A size that a target should not have to afford can be set on the command line of
// the compiler, as in -DSESSION_V4_SIZE=65536.
#ifndef _SIZES_P4_
#define _SIZES_P4_

// One entry a wing. A million IPv4 wings is what one full services card of the
// original was good for; an IPv6 session takes twice the memory, so half as many.
// BMv2 reserves table memory at load, so this is also what it costs empty.
#ifndef SESSION_V4_SIZE
#define SESSION_V4_SIZE 1048576
#endif
#ifndef SESSION_V6_SIZE
#define SESSION_V6_SIZE 524288
#endif

// One entry a logical interface: every 802.1Q VLAN of one port.
#ifndef INTERFACE_SIZE
#define INTERFACE_SIZE 4096
#endif

// Counter cells: one for every value of an 8-bit reason; 32 screens in 256 zones.
const bit<32> REASONS = 256;
const bit<32> SCREENS_A_ZONE = 64;
const bit<32> ZONES_SCREENS = 256 * 64;
// One for every value of a BMv2 port.
const bit<32> PORTS = 512;

// IPv6 extension headers of one packet that the parser walks.
#define IPV6_EXTENSIONS 8

// Zones.
#define ZONE_SIZE 256
// Routes, for the check of sources.
#define REVERSE_PATH_SIZE 16384
// Addresses that have as many sessions as they may.
#define SESSION_LIMIT_SIZE 65536
// Pairs of prefixes that floods are not counted of.
#define WHITE_LIST_SIZE 1024

// Cells of hashed registers: rates by address, and datagrams under reassembly.
// Two that share a cell are counted together; the more cells, the more rarely.
#define RATE_CELLS 32768
// SYNs that were refused, remembered until they come again: as many as a flood brings in
// the second that a client waits.
#define SYN_CELLS 1048576
#define FRAGMENT_CELLS 16384

// Terms of all firewall filters of one direction and IP version, what they count and
// police, and shapers of 8 forwarding classes each.
#define FILTER_TERMS 1024
const bit<32> FILTER_COUNTERS = 1024;
const bit<32> POLICERS = 256;
const bit<32> SHAPERS = 2048;
// Class of service: 64 code points, or 32 pairs of class and loss priority, in some
// profiles.
#define CLASSIFIER_SIZE 1024
#define TRACE_SIZE 128

// The field list of trace copies.
#define COPY 1

#endif
