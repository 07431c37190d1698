/* P4Runtime WriteRequests, straight from the wire to a batch for wp_write, and ReadRequests,
 * from the wire to their response; notices of idle entries, straight to the wire.
 *
 * Only what a controller does in bulk is understood: INSERT, MODIFY, DELETE and reading of entries
 * of tables whose fields are all exact, with a plain action, time-out and metadata, every field and
 * parameter in the order of P4Info. For anything else these functions say no, and the careful
 * translation in Python decides; so nothing is refused here, and nothing is understood twice.
 *
 * Source: p4runtime.proto 1.4 (numbers of fields), protobuf's encoding. */
#ifndef WP_WIRE_H
#define WP_WIRE_H

#include <stdint.h>

/* A key field or parameter: its id, whole bytes, and the most that its first byte may be. */
struct wp_wire_part { uint32_t id; uint16_t size; uint16_t limit; };

struct wp_wire_action {
    uint32_t id;      /* in P4Info */
    uint32_t json_id; /* in the program */
    uint32_t part_count;
    const struct wp_wire_part *parts;
};

struct wp_wire_table {
    uint32_t id, index;
    uint32_t supports_timeout, has_counter;
    uint32_t part_count, action_count;
    const struct wp_wire_part *parts;
    const struct wp_wire_action *actions;
};

struct wp_wire_tables { uint32_t count; const struct wp_wire_table *tables; };

struct wp_wire_head {
    uint64_t device_id, election_high, election_low;
    uint32_t has_election;
    uint32_t updates; /* in the batch */
    uint32_t bytes;   /* of the batch, or of the response */
};

/* Parse a request into records as wp_write takes them. 0: not understood; nothing was done. */
int wp_wire_parse(const struct wp_wire_tables *tables, const uint8_t *request, uint32_t length,
                  uint8_t *batch, uint32_t room, struct wp_wire_head *head);

struct wp_engine;
/* Answer a request for entries by their keys, with or without counter and time since the last hit:
 * a ReadResponse, without those that do not exist. 0: not understood, or more than fits. */
int wp_wire_read(const struct wp_wire_tables *tables, struct wp_engine *engine,
                 const uint8_t *request, uint32_t length, uint64_t now_ns, uint8_t *to,
                 uint32_t room, struct wp_wire_head *head);

#define WP_NOT_UNDERSTOOD UINT32_MAX

/* What a controller is told of idle entries: a StreamMessageResponse with gRPC's prefix, of those
 * that still exist (of none of them: nothing). `table` is the program's number, `keys` are `count`
 * records of wp_idle. Returns bytes, or WP_NOT_UNDERSTOOD if they do not fit, or the table is none
 * that is told of here. */
uint32_t wp_wire_idle(const struct wp_wire_tables *tables, struct wp_engine *engine, uint32_t table,
                      const uint8_t *keys, uint32_t count, uint64_t timestamp_ns, uint8_t *to,
                      uint32_t room);

#endif
