/* Match-action tables.
 *
 * A number names an entry; entries lie in segments that never move. One index finds an entry by
 * its identity: for an exact table the packed key; for an lpm table key and mask; for a ternary
 * or range table key, mask and priority. The index is a linear hash table: it grows by splitting
 * one bucket at a time, so no insert ever waits for a rehash. A bucket is one cache line and
 * carries 32 bits of each entry's hash, so a lookup touches one line of the index and one entry.
 * A burst of packets asks for these lines before it needs them: see wp_ahead.
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

/* What a lookup reads and writes stands first; all of it together, lest a million entries take
 * more memory than they must. Aligned to 4 bytes only, for the same reason. */
struct __attribute__((packed, aligned(4))) wp_entry {
    uint64_t last_hit_ns; /* of a free entry: the number of the next free one, plus 1 */
    uint64_t packets, bytes;
    uint64_t idle_timeout_ns;
    uint16_t action; /* WP_FREE: there is no such entry */
    uint16_t metadata_bytes;
    uint16_t notices : 15; /* time-outs since the last hit that were reported */
    uint16_t outside : 1;  /* where the metadata would be is a pointer to it */
    uint8_t data[];   /* identity, parameters, pointer to a direct meter, metadata */
};

/* An action's number that no action has. */
#define WP_FREE 0xfffd

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

/* Buckets, and entries, lie in segments, each twice as large as the one before: a table grows
 * without moving anything, and a large one consists of few pieces. */
#define WP_SEGMENTS 28
#define WP_FIRST_BITS 4 /* the first segment holds 2^4 */

struct wp_segment { uint8_t *room; uint32_t stride; };

struct wp_table {
    const struct wp_table_def *def;
    const struct wp_secret *secret;
    uint32_t identity_bytes;
    uint32_t meter_offset;    /* in `data`; of the pointer to a direct meter, if there are any */
    uint32_t metadata_offset; /* in `data` */
    uint32_t metadata_most;   /* of all entries so far: the next segment has room for it */
    int is_const; /* its entries are the program's */

    struct wp_segment entries[WP_SEGMENTS];
    uint32_t free_head; /* entry number plus 1 */
    uint32_t top;       /* entry numbers from here up were never used */
    uint32_t ready;     /* up to here memory is at hand */
    uint32_t count;

    struct wp_bucket *buckets[WP_SEGMENTS];
    uint32_t level; /* 2^level buckets, plus those split already */
    uint32_t split;
    uint32_t buckets_ready; /* up to here memory is at hand */
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

/* Make memory ready for an update and `more` like it. Without the engine's lock. */
void wp_table_reserve(struct wp_table *t, const struct wp_update *u, uint32_t more);
/* Returns a wp_status, or -1 without memory. */
int wp_table_update(struct wp_table *t, const struct wp_update *u, uint64_t now_ns);
struct wp_entry *wp_table_get(const struct wp_table *t, const uint8_t *value,
                              const uint8_t *mask, int32_t priority);
const uint8_t *wp_entry_metadata(const struct wp_table *t, const struct wp_entry *e);
int32_t wp_entry_priority(const struct wp_table *t, const struct wp_entry *e);

struct wp_entry *wp_lookup_lpm(const struct wp_table *t, const uint8_t *key);
struct wp_entry *wp_lookup_ordered(const struct wp_table *t, const uint8_t *key);

/* Which segment number n is in, and where there. */
struct wp_place { uint32_t segment, offset; };

static inline struct wp_place wp_place(uint32_t n)
{
    uint32_t top = 31 - (uint32_t)__builtin_clz(n + (1u << WP_FIRST_BITS));
    return (struct wp_place){top - WP_FIRST_BITS, n + (1u << WP_FIRST_BITS) - (1u << top)};
}

static inline struct wp_entry *wp_entry_at(const struct wp_table *t, uint32_t number)
{
    struct wp_place at = wp_place(number);
    const struct wp_segment *segment = &t->entries[at.segment];
    return (struct wp_entry *)(segment->room + (size_t)at.offset * segment->stride);
}

static inline const uint8_t *wp_entry_params(const struct wp_table *t, const struct wp_entry *e)
{
    return e->data + t->identity_bytes;
}

/* An entry's direct meter; NULL: not configured. */
static inline struct wp_meter *wp_entry_meter(const struct wp_table *t, const struct wp_entry *e)
{
    struct wp_meter *meter;
    memcpy(&meter, e->data + t->meter_offset, sizeof meter);
    return meter;
}

static inline void wp_set_entry_meter(const struct wp_table *t, struct wp_entry *e,
                                      struct wp_meter *meter)
{
    if (t->def->has_meter)
        memcpy(e->data + t->meter_offset, &meter, sizeof meter);
}

static inline struct wp_bucket *wp_bucket_at(const struct wp_table *t, uint32_t b)
{
    struct wp_place at = wp_place(b);
    return &t->buckets[at.segment][at.offset];
}

static inline uint32_t wp_bucket_of(const struct wp_table *t, uint32_t hash)
{
    uint32_t b = hash & ((2u << t->level) - 1);
    return b < (1u << t->level) + t->split ? b : hash & ((1u << t->level) - 1);
}

WP_INLINE uint32_t wp_hash_of(const struct wp_table *t, const uint8_t *identity,
                                  uint32_t bytes)
{
    return (uint32_t)(wp_hash(identity, bytes, t->secret) >> 32);
}

/* `bytes` is t->identity_bytes; generated code passes a constant. */
WP_INLINE struct wp_entry *wp_find(const struct wp_table *t, const uint8_t *identity,
                                       uint32_t bytes, uint32_t hash)
{
    if (!t->count)
        return NULL;
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

/* The lookup that a packet of a burst will come to. Memory is slow and answers many questions at
 * once: first all packets ask for their buckets, then all for their entries. */
struct wp_ahead {
    const struct wp_table *table; /* NULL: none */
    const struct wp_bucket *bucket;
    uint32_t hash;
};

WP_INLINE void wp_fetch_bucket(struct wp_ahead *ahead, const struct wp_table *t,
                                   const uint8_t *key, uint32_t bytes)
{
    ahead->table = t->count ? t : NULL;
    ahead->hash = wp_hash_of(t, key, bytes);
    if (t->count) {
        ahead->bucket = wp_bucket_at(t, wp_bucket_of(t, ahead->hash));
        __builtin_prefetch(ahead->bucket);
    }
}

static inline void wp_fetch_entry(const struct wp_ahead *ahead)
{
    if (!ahead->table)
        return;
    for (uint32_t i = 0; i < ahead->bucket->used; i++)
        if (ahead->bucket->hash[i] == ahead->hash) {
            const struct wp_entry *e = wp_entry_at(ahead->table, ahead->bucket->entry[i]);
            const uint8_t *end = e->data + ahead->table->meter_offset - 1;
            for (const uint8_t *line = (const uint8_t *)e; line < end; line += 64)
                __builtin_prefetch(line, 1);
            __builtin_prefetch(end, 1);
        }
}

/* `ahead` may be NULL. */
WP_INLINE struct wp_entry *wp_lookup_exact(const struct wp_table *t, const uint8_t *key,
                                               uint32_t bytes, const struct wp_ahead *ahead)
{
    int known = ahead && ahead->table == t;
    return wp_find(t, key, bytes, known ? ahead->hash : wp_hash_of(t, key, bytes));
}

static inline void wp_hit(struct wp_entry *e, uint64_t now_ns, uint32_t length)
{
    e->packets++;
    e->bytes += length;
    e->last_hit_ns = now_ns;
    e->notices = 0;
}

#endif
