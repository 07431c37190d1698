#include "table.h"

#include <stdlib.h>

#include "entries.h"
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
    return wp_find(t, identity, t->identity_bytes, wp_hash_of(t, identity, t->identity_bytes));
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
        struct wp_entry *e = wp_find(t, identity, 2 * n, wp_hash_of(t, identity, 2 * n));
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

/* ---- updates ------------------------------------------------------------------------------ */

static int insert(struct wp_table *t, const struct wp_update *u, const uint8_t *identity,
                  uint32_t hash, uint64_t now_ns)
{
    if (t->count >= t->def->size && !u->is_const)
        return WP_FULL;
    uint32_t number;
    if (wp_index_grow(t) || wp_entry_new(t, u, &number))
        return -1;
    struct wp_entry *e = wp_entry_at(t, number);
    memcpy(e->data, identity, t->identity_bytes);
    int indexed = wp_index_add(t, hash, number) == 0;
    if (!indexed || wp_entry_fill(t, e, u, now_ns) ||
        (t->def->match == WP_LPM && prefix_add(t, u->mask)) ||
        (t->def->match >= WP_TERNARY && order_add(t, number))) {
        if (indexed)
            wp_index_remove(t, hash, e);
        wp_entry_free(t, e, number);
        return -1;
    }
    t->count++;
    t->is_const |= u->is_const;
    return WP_OK;
}

static void delete(struct wp_table *t, struct wp_entry *e, uint32_t hash)
{
    uint32_t number = wp_index_remove(t, hash, e);
    if (t->def->match == WP_LPM)
        prefix_remove(t, e->data + t->def->key_bytes);
    if (t->def->match >= WP_TERNARY)
        order_remove(t, number);
    wp_entry_free(t, e, number);
    t->count--;
}

void wp_table_reserve(struct wp_table *t, const struct wp_update *u, uint32_t more)
{
    uint32_t room = t->count < t->def->size ? t->def->size - t->count : 0;
    if (u->op != WP_INSERT || !room)
        return;
    wp_entries_reserve(t, more + 1 < room ? more + 1 : room, u->metadata_bytes);
    wp_index_reserve(t, more + 1 < room ? more + 1 : room);
}

int wp_table_update(struct wp_table *t, const struct wp_update *u, uint64_t now_ns)
{
    if (t->is_const && !u->is_const)
        return WP_CONST;
    uint8_t identity[MOST_IDENTITY];
    make_identity(t, identity, u->value, u->mask, u->priority);
    uint32_t hash = wp_hash_of(t, identity, t->identity_bytes);
    struct wp_entry *e = wp_find(t, identity, t->identity_bytes, hash);
    if (u->op == WP_INSERT)
        return e ? WP_EXISTS : insert(t, u, identity, hash, now_ns);
    if (!e)
        return WP_MISSING;
    if (u->op == WP_MODIFY)
        return wp_entry_fill(t, e, u, now_ns);
    delete(t, e, hash);
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
    t->meter_offset = t->identity_bytes + def->params_bytes;
    t->metadata_offset = t->meter_offset + (def->has_meter ? (uint32_t)sizeof(void *) : 0);
    t->default_action = def->default_action;
    t->default_params = calloc(1, def->params_bytes + 1);
    if (!t->default_params)
        return -1;
    memcpy(t->default_params, def->default_params, def->default_bytes);
    return 0;
}

void wp_table_free(struct wp_table *t)
{
    wp_entries_free(t);
    wp_index_free(t);
    for (uint32_t i = 0; i < t->prefix_count; i++)
        free(t->prefixes[i].mask);
    free(t->prefixes);
    free(t->order);
    free(t->default_params);
}
