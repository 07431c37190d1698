#include "index.h"

#include <stddef.h>
#include <stdlib.h>

#include "entries.h"

#define ENTRIES_PER_BUCKET 4 /* on average, before the next bucket is split */

static uint32_t bucket_count(const struct wp_table *t) { return (1u << t->level) + t->split; }

static int bucket_append(struct wp_table *t, struct wp_bucket *b, uint32_t hash, uint32_t entry)
{
    while (b->used == WP_BUCKET_SLOTS) {
        if (!b->overflow) {
            uint32_t number = t->overflow_free;
            if (number) {
                t->overflow_free = t->overflow[number - 1].overflow;
            } else {
                if (t->overflow_count == t->overflow_room) {
                    uint32_t room = t->overflow_room ? 2 * t->overflow_room : 16;
                    /* The caller's bucket may itself lie in the array that moves. */
                    int inside = t->overflow && b >= t->overflow &&
                                 b < t->overflow + t->overflow_count;
                    ptrdiff_t at = inside ? b - t->overflow : 0;
                    struct wp_bucket *more = realloc(t->overflow, room * sizeof *more);
                    if (!more)
                        return -1;
                    t->overflow = more;
                    t->overflow_room = room;
                    if (inside)
                        b = more + at;
                }
                number = ++t->overflow_count;
            }
            memset(&t->overflow[number - 1], 0, sizeof *t->overflow);
            b->overflow = number;
        }
        b = &t->overflow[b->overflow - 1];
    }
    b->hash[b->used] = hash;
    b->entry[b->used] = entry;
    b->used++;
    return 0;
}

static void free_overflow(struct wp_table *t, uint32_t number)
{
    while (number) {
        struct wp_bucket *b = &t->overflow[number - 1];
        uint32_t next = b->overflow;
        b->used = 0;
        b->overflow = t->overflow_free;
        t->overflow_free = number;
        number = next;
    }
}

static struct wp_bucket *segment_new(uint32_t segment)
{
    return wp_room(sizeof(struct wp_bucket) << (WP_FIRST_BITS + segment));
}

/* Split the next bucket: what hashes to its new half moves there. */
static int split(struct wp_table *t)
{
    uint32_t from = t->split, to = bucket_count(t);
    struct wp_place place = wp_place(to);
    if (place.segment >= WP_SEGMENTS)
        return 0;
    if (!t->buckets[place.segment] && !(t->buckets[place.segment] = segment_new(place.segment)))
        return -1;
    struct wp_bucket *lower = wp_bucket_at(t, from), *upper = wp_bucket_at(t, to);
    struct wp_bucket old = *lower;
    /* The old chain stays allocated until all of it has been handed out. */
    memset(lower, 0, sizeof *lower);
    memset(upper, 0, sizeof *upper);
    if (++t->split == 1u << t->level) {
        t->level++;
        t->split = 0;
    }
    uint32_t chain = old.overflow, next = 0;
    for (;;) {
        for (uint32_t i = 0; i < old.used; i++) {
            struct wp_bucket *b = wp_bucket_of(t, old.hash[i]) == from ? lower : upper;
            if (bucket_append(t, b, old.hash[i], old.entry[i]))
                return -1;
        }
        next = old.overflow;
        if (!next)
            break;
        old = t->overflow[next - 1];
    }
    free_overflow(t, chain);
    return 0;
}

uint32_t wp_index_remove(struct wp_table *t, uint32_t hash, const struct wp_entry *e)
{
    struct wp_bucket *b = wp_bucket_at(t, wp_bucket_of(t, hash)), *at = NULL, *before = NULL;
    uint32_t slot = 0;
    for (;;) {
        for (uint32_t i = 0; i < b->used; i++)
            if (b->hash[i] == hash && wp_entry_at(t, b->entry[i]) == e) {
                at = b;
                slot = i;
            }
        if (!b->overflow)
            break;
        before = b;
        b = &t->overflow[b->overflow - 1];
    }
    uint32_t number = at->entry[slot];
    /* b is the last of the chain: its last slot fills the hole. */
    b->used--;
    at->hash[slot] = b->hash[b->used];
    at->entry[slot] = b->entry[b->used];
    if (b->used == 0 && before) {
        free_overflow(t, before->overflow);
        before->overflow = 0;
    }
    return number;
}

int wp_index_add(struct wp_table *t, uint32_t hash, uint32_t entry)
{
    return bucket_append(t, wp_bucket_at(t, wp_bucket_of(t, hash)), hash, entry);
}

void wp_index_reserve(struct wp_table *t, uint32_t more)
{
    while (t->buckets_ready < bucket_count(t) + more / ENTRIES_PER_BUCKET + 1) {
        struct wp_place at = wp_place(t->buckets_ready);
        struct wp_bucket **room = &t->buckets[at.segment];
        if (at.segment >= WP_SEGMENTS || (!*room && !(*room = segment_new(at.segment))))
            return;
        size_t bytes = sizeof(struct wp_bucket) << (WP_FIRST_BITS + at.segment), ready = bytes;
        if (wp_is_large(bytes))
            ready = wp_populate((uint8_t *)*room, bytes, at.offset * sizeof(struct wp_bucket));
        t->buckets_ready += (uint32_t)(ready / sizeof(struct wp_bucket)) - at.offset;
    }
}

int wp_index_grow(struct wp_table *t)
{
    if (!t->level) {
        if (!t->buckets[0] && !(t->buckets[0] = segment_new(0)))
            return -1;
        memset(t->buckets[0], 0, sizeof(struct wp_bucket) << WP_FIRST_BITS);
        t->level = WP_FIRST_BITS;
    }
    return t->count >= (uint64_t)ENTRIES_PER_BUCKET * bucket_count(t) ? split(t) : 0;
}

void wp_index_free(struct wp_table *t)
{
    for (uint32_t i = 0; i < WP_SEGMENTS; i++)
        free(t->buckets[i]);
    free(t->overflow);
}
