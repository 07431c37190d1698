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
const bit<32> SCREENS_A_ZONE = 32;
const bit<32> ZONES_SCREENS = 256 * 32;

#endif
