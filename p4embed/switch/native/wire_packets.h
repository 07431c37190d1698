/* Packets to and from a controller: frames with the header of the CPU port, and messages of a
 * P4Runtime stream, each with gRPC's prefix (a byte 0, and the length in four).
 *
 * Source: p4runtime.proto 1.4; github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md. */
#ifndef WP_WIRE_PACKETS_H
#define WP_WIRE_PACKETS_H

#include <stdint.h>

struct wp_wire_bits { uint32_t id, width; };

struct wp_wire_header {
    uint32_t size, part_count; /* whole bytes; what is over at the end is padding */
    const struct wp_wire_bits *parts;
};

/* Frames (uint32_t length, bytes, and so on) as PacketIns in StreamMessageResponses. Returns
 * bytes; 0: they do not fit. */
uint32_t wp_wire_packets_in(const struct wp_wire_header *header, const uint8_t *frames,
                            uint32_t length, uint8_t *to, uint32_t room);

/* StreamMessageRequests that are PacketOuts as frames, up to the first message that is something
 * else, not complete, not right, or does not fit. *used: bytes of the messages; *count: frames.
 * Returns bytes of all frames. */
uint32_t wp_wire_packets_out(const struct wp_wire_header *header, const uint8_t *messages,
                             uint32_t length, uint8_t *to, uint32_t room, uint32_t *used,
                             uint32_t *count);

#endif
