#include "table.h"

#include <stddef.h>
#include <stdlib.h>

#include "index.h"

#define MOST_IDENTITY 4096

/* ---- identities --------------------------------------------------------------------------- */

static void make_identity(const struct wp_table *t, uint8_t *to, const uint8_t *value,
                          const uint8_t *mask, int32_t priority)
{
    uint32_t n = t->def->key_bytes;
    memcpy(to, value, n);
    if (t->def->match == WP_EXACT)
        return;
    memcpy(to + n, mask, n);
    if (t->def->match != WP_LPM)
        memcpy(to + 2 * n, &priority, sizeof priority);
}

int32_t wp_entry_priority(const struct wp_table *t, const struct wp_entry *e)
{
    int32_t priority = 0;
    if (t->def->match == WP_TERNARY || t->def->match == WP_RANGE)
        memcpy(&priority, e->data + 2 * t->def->key_bytes, sizeof priority);
    return priority;
}

struct wp_entry *wp_table_get(const struct wp_table *t, const uint8_t *value,
                              const uint8_t *mask, int32_t priority)
{
    uint8_t identity[MOST_IDENTITY];
    make_identity(t, identity, value, mask, priority);
    return wp_find(t, identity, t->identity_bytes);
}

/* ---- lpm ---------------------------------------------------------------------------------- */

static uint32_t ones(const uint8_t *mask, uint32_t n)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < n; i++)
        bits += (uint32_t)__builtin_popcount(mask[i]);
    return bits;
}

static int prefix_add(struct wp_table *t, const uint8_t *mask)
{
    uint32_t n = t->def->key_bytes, bits = ones(mask, n), i = 0;
    while (i < t->prefix_count && t->prefixes[i].bits > bits)
        i++;
    if (i < t->prefix_count && t->prefixes[i].bits == bits) {
        t->prefixes[i].entries++;
        return 0;
    }
    struct wp_prefix *more = realloc(t->prefixes, (t->prefix_count + 1) * sizeof *more);
    if (!more)
        return -1;
    t->prefixes = more;
    uint8_t *copy = malloc(n);
    if (!copy)
        return -1;
    memcpy(copy, mask, n);
    memmove(more + i + 1, more + i, (t->prefix_count - i) * sizeof *more);
    more[i] = (struct wp_prefix){.bits = bits, .entries = 1, .mask = copy};
    t->prefix_count++;
    return 0;
}

static void prefix_remove(struct wp_table *t, const uint8_t *mask)
{
    uint32_t bits = ones(mask, t->def->key_bytes), i = 0;
    while (t->prefixes[i].bits != bits)
        i++;
    if (--t->prefixes[i].entries)
        return;
    free(t->prefixes[i].mask);
    t->prefix_count--;
    memmove(t->prefixes + i, t->prefixes + i + 1, (t->prefix_count - i) * sizeof *t->prefixes);
}

struct wp_entry *wp_lookup_lpm(const struct wp_table *t, const uint8_t *key)
{
    uint8_t identity[MOST_IDENTITY];
    uint32_t n = t->def->key_bytes;
    for (uint32_t p = 0; p < t->prefix_count; p++) {
        const uint8_t *mask = t->prefixes[p].mask;
        for (uint32_t i = 0; i < n; i++)
            identity[i] = key[i] & mask[i];
        memcpy(identity + n, mask, n);
        struct wp_entry *e = wp_find(t, identity, 2 * n);
        if (e)
            return e;
    }
    return NULL;
}

/* ---- ternary and range -------------------------------------------------------------------- */

static int order_add(struct wp_table *t, uint32_t number)
{
    if (t->count == t->order_room) {
        uint32_t room = t->order_room ? 2 * t->order_room : 64;
        uint32_t *more = realloc(t->order, room * sizeof *more);
        if (!more)
            return -1;
        t->order = more;
        t->order_room = room;
    }
    int32_t priority = wp_entry_priority(t, wp_entry_at(t, number));
    uint32_t low = 0, high = t->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (wp_entry_priority(t, wp_entry_at(t, t->order[middle])) >= priority)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(t->order + low + 1, t->order + low, (t->count - low) * sizeof *t->order);
    t->order[low] = number;
    return 0;
}

static void order_remove(struct wp_table *t, uint32_t number)
{
    uint32_t i = 0;
    while (t->order[i] != number)
        i++;
    memmove(t->order + i, t->order + i + 1, (t->count - 1 - i) * sizeof *t->order);
}

static int matches(const struct wp_table_def *def, const uint8_t *value, const uint8_t *mask,
                   const uint8_t *key)
{
    uint32_t at = 0;
    for (uint32_t f = 0; f <= def->range_fields; f++) {
        const struct wp_range_field *range = f < def->range_fields ? &def->ranges[f] : NULL;
        uint32_t end = range ? range->offset : def->key_bytes;
        for (; at < end; at++)
            if ((key[at] & mask[at]) != value[at])
                return 0;
        if (range) {
            if (memcmp(value + at, key + at, range->bytes) > 0 ||
                memcmp(key + at, mask + at, range->bytes) > 0)
                return 0;
            at += range->bytes;
        }
    }
    return 1;
}

struct wp_entry *wp_lookup_ordered(const struct wp_table *t, const uint8_t *key)
{
    for (uint32_t i = 0; i < t->count; i++) {
        struct wp_entry *e = wp_entry_at(t, t->order[i]);
        if (matches(t->def, e->data, e->data + t->def->key_bytes, key))
            return e;
    }
    return NULL;
}

/* ---- entries ------------------------------------------------------------------------------ */

static int entry_new(struct wp_table *t, uint32_t *number)
{
    if (t->free_head) {
        *number = t->free_head - 1;
        t->free_head = wp_entry_at(t, *number)->hash;
        return 0;
    }
    if (t->top >> WP_CHUNK_BITS == t->chunk_count) {
        uint8_t **more = realloc(t->chunks, (t->chunk_count + 1) * sizeof *more);
        if (!more)
            return -1;
        t->chunks = more;
        /* A table that never fills its first chunk takes no more pages than it needs. */
        size_t bytes = (size_t)t->entry_bytes << WP_CHUNK_BITS;
        if (!(more[t->chunk_count] = wp_room(bytes, t->chunk_count > 0)))
            return -1;
        t->chunk_count++;
    }
    *number = t->top++;
    return 0;
}

/* The metadata, or NULL with *failed set. */
static uint8_t *copy_blob(const uint8_t *from, uint32_t bytes, int *failed)
{
    if (!bytes)
        return NULL;
    uint8_t *to = malloc(bytes);
    if (to)
        memcpy(to, from, bytes);
    else
        *failed = 1;
    return to;
}

static int entry_fill(struct wp_table *t, struct wp_entry *e, const struct wp_update *u,
                      uint64_t now_ns)
{
    int failed = 0;
    uint8_t *blob = copy_blob(u->metadata, u->metadata_bytes, &failed);
    if (failed)
        return -1;
    free(e->metadata);
    e->metadata = blob;
    e->metadata_bytes = (uint16_t)u->metadata_bytes;
    e->action = (uint16_t)u->action;
    e->idle_timeout_ns = u->idle_timeout_ns;
    e->last_hit_ns = now_ns;
    e->notified_ns = now_ns;
    if (t->def->has_meter) {
        free(*wp_entry_meter(t, e));
        *wp_entry_meter(t, e) = NULL;
    }
    memcpy(e->data + t->identity_bytes, u->params, u->params_bytes);
    return 0;
}

static int insert(struct wp_table *t, const struct wp_update *u, const uint8_t *identity,
                  uint64_t now_ns)
{
    if (t->count >= t->def->size && !u->is_const)
        return WP_FULL;
    uint32_t number;
    if (entry_new(t, &number))
        return -1;
    struct wp_entry *e = wp_entry_at(t, number);
    memset(e, 0, t->entry_bytes);
    memcpy(e->data, identity, t->identity_bytes);
    e->hash = (uint32_t)(wp_hash(identity, t->identity_bytes, t->secret) >> 32);
    e->flags = WP_ENTRY_LIVE | (u->is_const ? WP_ENTRY_CONST : 0);
    if (entry_fill(t, e, u, now_ns) || (t->def->match == WP_LPM && prefix_add(t, u->mask)) ||
        (t->def->match >= WP_TERNARY && order_add(t, number)) ||
        wp_index_add(t, e->hash, number))
        return -1;
    t->count++;
    t->is_const |= u->is_const;
    return wp_index_grow(t);
}

static void delete(struct wp_table *t, struct wp_entry *e)
{
    uint32_t number = wp_index_remove(t, e);
    if (t->def->match == WP_LPM)
        prefix_remove(t, e->data + t->def->key_bytes);
    if (t->def->match >= WP_TERNARY)
        order_remove(t, number);
    free(e->metadata);
    e->metadata = NULL;
    if (t->def->has_meter)
        free(*wp_entry_meter(t, e));
    e->flags = 0;
    e->hash = t->free_head;
    t->free_head = number + 1;
    t->count--;
}

int wp_table_update(struct wp_table *t, const struct wp_update *u, uint64_t now_ns)
{
    if (t->is_const && !u->is_const)
        return WP_CONST;
    uint8_t identity[MOST_IDENTITY];
    make_identity(t, identity, u->value, u->mask, u->priority);
    struct wp_entry *e = wp_find(t, identity, t->identity_bytes);
    if (u->op == WP_INSERT)
        return e ? WP_EXISTS : insert(t, u, identity, now_ns);
    if (!e)
        return WP_MISSING;
    if (u->op == WP_MODIFY)
        return entry_fill(t, e, u, now_ns);
    delete(t, e);
    return WP_OK;
}

/* ---- life --------------------------------------------------------------------------------- */

int wp_table_init(struct wp_table *t, const struct wp_table_def *def,
                  const struct wp_secret *secret)
{
    *t = (struct wp_table){.def = def, .secret = secret};
    t->identity_bytes = def->match == WP_EXACT ? def->key_bytes
                        : def->match == WP_LPM ? 2 * def->key_bytes
                                               : 2 * def->key_bytes + 4;
    if (t->identity_bytes > MOST_IDENTITY)
        return -1;
    uint32_t bytes = (uint32_t)offsetof(struct wp_entry, data) + t->identity_bytes +
                     def->params_bytes;
    t->meter_offset = (bytes + 7) & ~7u;
    t->entry_bytes = t->meter_offset + (def->has_meter ? (uint32_t)sizeof(struct wp_meter *) : 0);
    if (wp_index_init(t))
        return -1;
    t->default_action = def->default_action;
    t->default_params = calloc(1, def->params_bytes + 1);
    if (!t->default_params)
        return -1;
    memcpy(t->default_params, def->default_params, def->default_bytes);
    return 0;
}

void wp_table_free(struct wp_table *t)
{
    for (uint32_t i = 0; i < t->top; i++)
        if (wp_entry_at(t, i)->flags & WP_ENTRY_LIVE) {
            free(wp_entry_at(t, i)->metadata);
            if (t->def->has_meter)
                free(*wp_entry_meter(t, wp_entry_at(t, i)));
        }
    for (uint32_t i = 0; i < t->chunk_count; i++)
        free(t->chunks[i]);
    free(t->chunks);
    wp_index_free(t);
    for (uint32_t i = 0; i < t->prefix_count; i++)
        free(t->prefixes[i].mask);
    free(t->prefixes);
    free(t->order);
    free(t->default_params);
}
