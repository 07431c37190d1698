/* The index of a table: a linear hash table of entry numbers. See table.h. */
#ifndef WP_INDEX_H
#define WP_INDEX_H

#include "table.h"

/* Make memory ready for `more` entries. Called without the engine's lock, by the only writer. */
void wp_index_reserve(struct wp_table *t, uint32_t more);
/* An entry is about to be added: split a bucket if it is time. -1 without memory. */
int wp_index_grow(struct wp_table *t);
/* -1 without memory. */
int wp_index_add(struct wp_table *t, uint32_t hash, uint32_t entry);
/* Take an entry out; returns its number. */
uint32_t wp_index_remove(struct wp_table *t, uint32_t hash, const struct wp_entry *e);
void wp_index_free(struct wp_table *t);

#endif
