#include "entries.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define HUGE_PAGE (2u << 20)
#define METADATA_INSIDE 128 /* longer metadata lies elsewhere */

static uint32_t aligned(uint32_t bytes) { return (bytes + 3) & ~3u; }

/* Large pieces are made of huge pages where the kernel has them: with a million entries a lookup
 * otherwise waits for the page tables, too. */
void *wp_room(size_t bytes)
{
    void *room = NULL;
    if (posix_memalign(&room, wp_is_large(bytes) ? HUGE_PAGE : 64, bytes))
        return NULL;
    if (wp_is_large(bytes))
        (void)madvise(room, bytes, MADV_HUGEPAGE);
    return room;
}

int wp_is_large(size_t bytes) { return bytes >= HUGE_PAGE / 2; }

size_t wp_populate(uint8_t *room, size_t bytes, size_t offset)
{
    size_t from = offset & ~(size_t)(HUGE_PAGE - 1);
    size_t to = from + HUGE_PAGE < bytes ? from + HUGE_PAGE : bytes;
    (void)madvise(room + from, to - from, MADV_POPULATE_WRITE);
    return to;
}

/* ---- metadata -----------------------------------------------------------------------------
 *
 * Entries of one table carry about the same amount, so it lies within them: each segment has
 * room for the most that was seen when it was made. What does not fit is allocated, and its
 * place taken by a pointer. */

static uint32_t metadata_room(const struct wp_table *t, const struct wp_entry *e)
{
    for (uint32_t i = 0; i < WP_SEGMENTS; i++) {
        const struct wp_segment *s = &t->entries[i];
        uintptr_t distance = (uintptr_t)e - (uintptr_t)s->room;
        if (s->room && distance < (uintptr_t)s->stride << (WP_FIRST_BITS + i))
            return s->stride - (uint32_t)offsetof(struct wp_entry, data) - t->metadata_offset;
    }
    return 0;
}

static uint8_t *outside(const struct wp_table *t, const struct wp_entry *e)
{
    uint8_t *at;
    memcpy(&at, e->data + t->metadata_offset, sizeof at);
    return at;
}

const uint8_t *wp_entry_metadata(const struct wp_table *t, const struct wp_entry *e)
{
    return e->outside ? outside(t, e) : e->data + t->metadata_offset;
}

static int set_metadata(struct wp_table *t, struct wp_entry *e, const uint8_t *from,
                        uint32_t bytes)
{
    uint8_t *fresh = NULL;
    if (bytes > metadata_room(t, e) && !(fresh = malloc(bytes)))
        return -1;
    if (e->outside)
        free(outside(t, e));
    e->outside = fresh != NULL;
    e->metadata_bytes = (uint16_t)bytes;
    if (fresh)
        memcpy(e->data + t->metadata_offset, &fresh, sizeof fresh);
    if (bytes)
        memcpy(fresh ? fresh : e->data + t->metadata_offset, from, bytes);
    return 0;
}

/* ---- entries ------------------------------------------------------------------------------ */

static int segment_new(struct wp_table *t, uint32_t number)
{
    struct wp_segment *s = &t->entries[number];
    uint32_t metadata = t->metadata_most > sizeof(void *) ? t->metadata_most : sizeof(void *);
    s->stride = aligned((uint32_t)offsetof(struct wp_entry, data) + t->metadata_offset + metadata);
    s->room = wp_room((size_t)s->stride << (WP_FIRST_BITS + number));
    return s->room ? 0 : -1;
}

static void see_metadata(struct wp_table *t, uint32_t bytes)
{
    if (bytes > t->metadata_most && bytes <= METADATA_INSIDE)
        t->metadata_most = bytes;
}

void wp_entries_reserve(struct wp_table *t, uint32_t more, uint32_t metadata_bytes)
{
    see_metadata(t, metadata_bytes);
    while (t->ready < t->top + more) {
        struct wp_place at = wp_place(t->ready);
        struct wp_segment *s = &t->entries[at.segment];
        if (at.segment >= WP_SEGMENTS || (!s->room && segment_new(t, at.segment)))
            return;
        size_t bytes = (size_t)s->stride << (WP_FIRST_BITS + at.segment), ready = bytes;
        if (wp_is_large(bytes))
            ready = wp_populate(s->room, bytes, (at.offset + (size_t)1) * s->stride - 1);
        t->ready += (uint32_t)(ready / s->stride) - at.offset;
    }
}

int wp_entry_new(struct wp_table *t, const struct wp_update *u, uint32_t *number)
{
    see_metadata(t, u->metadata_bytes);
    uint32_t n = t->free_head ? t->free_head - 1 : t->top;
    uint32_t segment = wp_place(n).segment;
    if (segment >= WP_SEGMENTS || (!t->entries[segment].room && segment_new(t, segment)))
        return -1;
    struct wp_entry *e = wp_entry_at(t, n);
    if (t->free_head)
        t->free_head = (uint32_t)e->last_hit_ns;
    else
        t->top++;
    memset(e, 0, t->entries[segment].stride);
    e->action = WP_FREE;
    *number = n;
    return 0;
}

static void free_meter(struct wp_table *t, struct wp_entry *e)
{
    if (t->def->has_meter)
        free(wp_entry_meter(t, e));
}

int wp_entry_fill(struct wp_table *t, struct wp_entry *e, const struct wp_update *u,
                  uint64_t now_ns)
{
    if (set_metadata(t, e, u->metadata, u->metadata_bytes))
        return -1;
    e->action = (uint16_t)u->action;
    e->idle_timeout_ns = u->idle_timeout_ns;
    e->last_hit_ns = now_ns;
    e->notices = 0;
    free_meter(t, e);
    wp_set_entry_meter(t, e, NULL);
    memcpy(e->data + t->identity_bytes, u->params, u->params_bytes);
    return 0;
}

void wp_entry_free(struct wp_table *t, struct wp_entry *e, uint32_t number)
{
    if (e->outside)
        free(outside(t, e));
    free_meter(t, e);
    e->outside = 0;
    e->action = WP_FREE;
    e->last_hit_ns = t->free_head;
    t->free_head = number + 1;
}

void wp_entries_free(struct wp_table *t)
{
    for (uint32_t i = 0; i < t->top; i++) {
        struct wp_entry *e = wp_entry_at(t, i);
        if (e->action != WP_FREE)
            wp_entry_free(t, e, i);
    }
    for (uint32_t i = 0; i < WP_SEGMENTS; i++)
        free(t->entries[i].room);
}

uint64_t wp_entries_memory(const struct wp_table *t)
{
    uint64_t bytes = 0;
    /* Of the last segment only what was touched. */
    for (uint32_t i = 0; i < t->top; i++) {
        const struct wp_entry *e = wp_entry_at(t, i);
        bytes += t->entries[wp_place(i).segment].stride;
        if (e->action != WP_FREE && e->outside)
            bytes += (uint64_t)(e->metadata_bytes + 8 + 15) / 16 * 16; /* as malloc rounds */
    }
    return bytes;
}
