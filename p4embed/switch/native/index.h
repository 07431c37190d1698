/* The index of a table: a linear hash table of entry numbers. See table.h. */
#ifndef WP_INDEX_H
#define WP_INDEX_H

#include "table.h"

/* Room that is not touched before it is used, of huge pages if `huge` and large; NULL: none. */
void *wp_room(size_t bytes, int huge);

/* -1 without memory. */
int wp_index_init(struct wp_table *t);
void wp_index_free(struct wp_table *t);
int wp_index_add(struct wp_table *t, uint32_t hash, uint32_t entry);
/* Take an entry out; returns its number. */
uint32_t wp_index_remove(struct wp_table *t, const struct wp_entry *e);
/* After an entry was counted: split a bucket if it is time. */
int wp_index_grow(struct wp_table *t);

#endif
