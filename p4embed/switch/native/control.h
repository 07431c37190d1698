/* What Python calls. Integers in records are little-endian and unaligned; keys, masks and
 * parameters are packed as the seam (p4embed/switch/engine.py) says. Every function takes the
 * engine's lock itself, for as long as a few updates or entries take. */
#ifndef WP_CONTROL_H
#define WP_CONTROL_H

#include "engine.h"

/* One update, followed by value, mask (unless the table is exact), parameters and metadata. */
struct __attribute__((packed)) wp_update_record {
    uint8_t op, is_const;
    uint16_t table;
    int32_t priority;
    uint32_t action;
    uint16_t params_bytes, metadata_bytes;
    uint64_t idle_timeout_ns;
};

/* One entry, followed by value, mask (unless exact), params_bytes of the table, metadata. */
struct __attribute__((packed)) wp_entry_record {
    uint32_t bytes; /* of the record with all that follows */
    uint16_t action, metadata_bytes;
    int32_t priority;
    uint64_t idle_timeout_ns, packets, packet_bytes, last_hit_ns;
    uint8_t is_const;
};

/* One packet, followed by its frame. */
struct __attribute__((packed)) wp_packet_record { uint32_t port, length; };

/* Apply `count` updates, all between two packets if `together`; statuses[i] becomes a wp_status,
 * 255 without memory. */
void wp_write(struct wp_engine *e, const uint8_t *batch, uint32_t count, uint64_t now_ns,
              int together, uint8_t *statuses);
/* The entry as a record: its size, which may exceed `room` (then nothing is written); 0: none. */
uint32_t wp_get(struct wp_engine *e, uint32_t table, const uint8_t *value, const uint8_t *mask,
                int32_t priority, uint8_t *to, uint32_t room);
/* Records of the entries from number *cursor on, as many as fit; *cursor moves on, and is
 * UINT32_MAX after the last. Returns bytes written; with none and more to come, room was short. */
uint32_t wp_entries(struct wp_engine *e, uint32_t table, uint32_t *cursor, uint8_t *to,
                    uint32_t room);
uint32_t wp_entry_count(struct wp_engine *e, uint32_t table);
void wp_set_default(struct wp_engine *e, uint32_t table, int32_t action, const uint8_t *params,
                    uint32_t bytes);
/* The default action's id (-1: none); its parameters, params_bytes of the table, go to `params`. */
int32_t wp_default(struct wp_engine *e, uint32_t table, uint8_t *params);
/* 0 without such an entry. */
int wp_set_direct_count(struct wp_engine *e, uint32_t table, const uint8_t *value,
                        const uint8_t *mask, int32_t priority, uint64_t packets, uint64_t bytes);
void wp_counter(struct wp_engine *e, uint32_t counter, uint32_t index, uint64_t *packets,
                uint64_t *bytes);
void wp_set_counter(struct wp_engine *e, uint32_t counter, uint32_t index, uint64_t packets,
                    uint64_t bytes);
void wp_register(struct wp_engine *e, uint32_t reg, uint32_t index, uint64_t *limbs);
void wp_set_register(struct wp_engine *e, uint32_t reg, uint32_t index, const uint64_t *limbs);
/* A meter's configuration: cir, cburst, pir, pburst. 0: not configured. */
int wp_meter(struct wp_engine *e, uint32_t meter, uint32_t index, uint64_t *config);
/* NULL leaves it without configuration. -1: no memory. */
int wp_set_meter(struct wp_engine *e, uint32_t meter, uint32_t index, const uint64_t *config,
                 uint64_t now_ns);
/* The same of an entry's direct meter; *found tells whether there is such an entry. */
int wp_direct_meter(struct wp_engine *e, uint32_t table, const uint8_t *value,
                    const uint8_t *mask, int32_t priority, uint64_t *config);
int wp_set_direct_meter(struct wp_engine *e, uint32_t table, const uint8_t *value,
                        const uint8_t *mask, int32_t priority, const uint64_t *config,
                        uint64_t now_ns, int *found);
/* An action profile's member (action -1 deletes it) and group (count UINT32_MAX deletes it).
 * -1: no memory. */
int wp_set_member(struct wp_engine *e, uint32_t profile, uint32_t member, int32_t action,
                  const uint8_t *params, uint32_t bytes);
int wp_set_group(struct wp_engine *e, uint32_t profile, uint32_t group, const uint32_t *members,
                 uint32_t count);
/* Replace a value set's members: pairs of value and mask, `bytes` each. -1: no memory. */
int wp_set_value_set(struct wp_engine *e, uint32_t set, const uint8_t *members, uint32_t count,
                     uint32_t bytes);
/* Digests that wait: uint32_t length, uint32_t digest, data, and so on. Returns bytes. */
uint32_t wp_take_digests(struct wp_engine *e, uint8_t *to, uint32_t room);
uint32_t wp_register_limbs(struct wp_engine *e, uint32_t reg);
/* Entries due for an idle notice among the next `most` from *cursor on: records of
 * int32_t priority, value and mask (unless exact). Returns bytes written; *cursor is UINT32_MAX
 * after the last entry. */
uint32_t wp_idle(struct wp_engine *e, uint32_t table, uint64_t now_ns, uint32_t *cursor,
                 uint32_t most, uint8_t *to, uint32_t room);
/* Give a multicast group or clone session its replicas (pairs port, instance); 0 pairs delete it.
 * Clones have at most `cut` bytes; 0: all. Returns -1 without memory. */
int wp_replicate(struct wp_engine *e, int kind, uint32_t id, const uint32_t *pairs,
                 uint32_t count, uint32_t cut);
/* Run up to WP_BURST frames, each a uint32_t length and its bytes, on `run`; what leaves stays
 * there for wp_outputs. Returns bytes of all records. */
uint32_t wp_process(struct wp_run *run, uint32_t port, const uint8_t *frames, uint32_t count,
                    uint64_t now_ns);
void wp_outputs(struct wp_run *run, uint8_t *to);
struct wp_run *wp_run_new(struct wp_engine *e);
void wp_run_delete(struct wp_run *run);
/* Bytes that a table's entries and index take, metadata included. */
uint64_t wp_table_memory(struct wp_engine *e, uint32_t table);

#endif
