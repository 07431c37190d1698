/* The entries of a table: where they lie and what they hold. See table.h. */
#ifndef WP_ENTRIES_H
#define WP_ENTRIES_H

#include "table.h"

/* Room that is not touched before it is used, of huge pages if it is large; NULL: none. */
void *wp_room(size_t bytes);
int wp_is_large(size_t bytes);
/* Have the kernel find memory for the page at `offset` of a large room; returns the page's end.
 * That may take milliseconds, which nobody should spend with the engine locked. */
size_t wp_populate(uint8_t *room, size_t bytes, size_t offset);

/* Make memory ready for `more` entries. Called without the engine's lock, by the only writer. */
void wp_entries_reserve(struct wp_table *t, uint32_t more, uint32_t metadata_bytes);

/* A number for an entry, whose memory is then all 0; -1 without memory. */
int wp_entry_new(struct wp_table *t, const struct wp_update *u, uint32_t *number);
/* Everything but the identity, as the update says; -1 without memory. */
int wp_entry_fill(struct wp_table *t, struct wp_entry *e, const struct wp_update *u,
                  uint64_t now_ns);
void wp_entry_free(struct wp_table *t, struct wp_entry *e, uint32_t number);
void wp_entries_free(struct wp_table *t);
/* Bytes that all entries take. */
uint64_t wp_entries_memory(const struct wp_table *t);

#endif
