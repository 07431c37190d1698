/* Match-action tables.
 *
 * Entries of a table have one size and live in chunks that never move; a number names an entry.
 * One index finds an entry by its identity: for an exact table the packed key; for an lpm table
 * key and mask; for a ternary or range table key, mask and priority. The index is a linear hash
 * table: it grows by splitting one bucket at a time, so no insert ever waits for a rehash. A
 * bucket is one cache line and carries 32 bits of each entry's hash, so a lookup touches one
 * index line and one entry.
 *
 *   exact          probe the index with the key
 *   lpm            for each prefix length in use, longest first: mask the key and probe
 *   ternary, range walk the entries in order of priority; the first that matches wins
 */
#ifndef WP_TABLE_H
#define WP_TABLE_H

#include "hash.h"
#include "meter.h"

enum wp_match { WP_EXACT, WP_LPM, WP_TERNARY, WP_RANGE };
enum wp_status { WP_OK, WP_EXISTS, WP_MISSING, WP_FULL, WP_CONST };
enum wp_op { WP_INSERT = 1, WP_MODIFY = 2, WP_DELETE = 3 };

/* Where a range field lies in the packed key. */
struct wp_range_field { uint16_t offset, bytes; };

struct wp_table_def {
    const char *name;
    enum wp_match match;
    uint32_t key_bytes;
    uint32_t params_bytes; /* of the action with the most */
    uint32_t size;
    int has_meter; /* direct */
    uint32_t range_fields;
    const struct wp_range_field *ranges;
    int32_t default_action; /* JSON id; -1: none */
    uint32_t default_bytes;
    const uint8_t *default_params;
};

#define WP_ENTRY_LIVE 1
#define WP_ENTRY_CONST 2

struct wp_entry {
    uint64_t last_hit_ns;
    uint64_t packets, bytes;
    uint64_t idle_timeout_ns;
    uint64_t notified_ns; /* when it was last reported idle */
    uint8_t *metadata;
    uint32_t hash;
    uint16_t action;
    uint16_t metadata_bytes;
    uint8_t flags;
    uint8_t data[]; /* identity, then parameters */
};

#define WP_BUCKET_SLOTS 7

struct wp_bucket {
    uint32_t hash[WP_BUCKET_SLOTS];
    uint32_t entry[WP_BUCKET_SLOTS];
    uint32_t used;
    uint32_t overflow; /* bucket number in table->overflow, plus 1 */
};

struct wp_prefix {
    uint32_t bits; /* ones in the mask */
    uint32_t entries;
    uint8_t *mask;
};

#define WP_CHUNK_BITS 14
#define WP_SEGMENTS 28
#define WP_FIRST_SEGMENT_BITS 4

struct wp_table {
    const struct wp_table_def *def;
    const struct wp_secret *secret;
    uint32_t identity_bytes;
    uint32_t entry_bytes;
    uint32_t meter_offset; /* of the pointer to an entry's direct meter, if there are any */
    int is_const; /* its entries are the program's */

    uint8_t **chunks;
    uint32_t chunk_count;
    uint32_t free_head; /* entry number plus 1, linked through `hash` */
    uint32_t top;       /* entry numbers from here up were never used */
    uint32_t count;

    struct wp_bucket *segments[WP_SEGMENTS];
    uint32_t level; /* 2^level buckets, plus those split already */
    uint32_t split;
    struct wp_bucket *overflow;
    uint32_t overflow_count, overflow_free, overflow_room;

    struct wp_prefix *prefixes; /* lpm: longest first */
    uint32_t prefix_count;
    uint32_t *order; /* ternary, range: entry numbers, highest priority first */
    uint32_t order_room;

    int32_t default_action;
    uint8_t *default_params;
    uint32_t sweep_at; /* next entry the idle sweep looks at */
};

int wp_table_init(struct wp_table *t, const struct wp_table_def *def,
                  const struct wp_secret *secret);
void wp_table_free(struct wp_table *t);

struct wp_update {
    enum wp_op op;
    int is_const;
    const uint8_t *value, *mask; /* key_bytes each; mask NULL for an exact table */
    int32_t priority;
    uint32_t action;
    const uint8_t *params;
    uint32_t params_bytes;
    uint64_t idle_timeout_ns;
    const uint8_t *metadata;
    uint32_t metadata_bytes;
};

/* Returns a wp_status, or -1 without memory. */
int wp_table_update(struct wp_table *t, const struct wp_update *u, uint64_t now_ns);
struct wp_entry *wp_table_get(const struct wp_table *t, const uint8_t *value,
                              const uint8_t *mask, int32_t priority);
int32_t wp_entry_priority(const struct wp_table *t, const struct wp_entry *e);

struct wp_entry *wp_lookup_lpm(const struct wp_table *t, const uint8_t *key);
struct wp_entry *wp_lookup_ordered(const struct wp_table *t, const uint8_t *key);

static inline struct wp_entry *wp_entry_at(const struct wp_table *t, uint32_t number)
{
    uint8_t *chunk = t->chunks[number >> WP_CHUNK_BITS];
    return (struct wp_entry *)(chunk + (size_t)(number & ((1u << WP_CHUNK_BITS) - 1)) *
                                           t->entry_bytes);
}

static inline const uint8_t *wp_entry_params(const struct wp_table *t, const struct wp_entry *e)
{
    return e->data + t->identity_bytes;
}

/* Where an entry's direct meter is kept. */
static inline struct wp_meter **wp_entry_meter(const struct wp_table *t, struct wp_entry *e)
{
    return (struct wp_meter **)((uint8_t *)e + t->meter_offset);
}

/* Segment 0 holds the first 2^FIRST buckets, segment s > 0 as many as all before it. */
static inline struct wp_bucket *wp_bucket_at(const struct wp_table *t, uint32_t b)
{
    if (b < 1u << WP_FIRST_SEGMENT_BITS)
        return &t->segments[0][b];
    uint32_t top = 31 - (uint32_t)__builtin_clz(b);
    return &t->segments[top - WP_FIRST_SEGMENT_BITS + 1][b - (1u << top)];
}

static inline uint32_t wp_bucket_of(const struct wp_table *t, uint32_t hash)
{
    uint32_t b = hash & ((2u << t->level) - 1);
    return b < (1u << t->level) + t->split ? b : hash & ((1u << t->level) - 1);
}

/* `bytes` is t->identity_bytes; generated code passes a constant. */
static inline struct wp_entry *wp_find(const struct wp_table *t, const uint8_t *identity,
                                       uint32_t bytes)
{
    uint32_t hash = (uint32_t)(wp_hash(identity, bytes, t->secret) >> 32);
    const struct wp_bucket *bucket = wp_bucket_at(t, wp_bucket_of(t, hash));
    for (;;) {
        for (uint32_t i = 0; i < bucket->used; i++) {
            if (bucket->hash[i] != hash)
                continue;
            struct wp_entry *e = wp_entry_at(t, bucket->entry[i]);
            if (memcmp(e->data, identity, bytes) == 0)
                return e;
        }
        if (!bucket->overflow)
            return NULL;
        bucket = &t->overflow[bucket->overflow - 1];
    }
}

static inline struct wp_entry *wp_lookup_exact(const struct wp_table *t, const uint8_t *key,
                                               uint32_t bytes)
{
    return t->count ? wp_find(t, key, bytes) : NULL;
}

static inline void wp_hit(struct wp_entry *e, uint64_t now_ns, uint32_t length)
{
    e->packets++;
    e->bytes += length;
    e->last_hit_ns = now_ns;
}

#endif
