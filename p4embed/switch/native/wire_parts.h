/* What Reads and Writes from the wire have in common. See wire.h. */
#ifndef WP_WIRE_PARTS_H
#define WP_WIRE_PARTS_H

#include "protobuf.h"
#include "wire.h"

/* Where packed keys and parameters are written. */
struct wp_writer { uint8_t *at, *end; };

/* NULL: not one that is written to or read from the wire. */
const struct wp_wire_table *wp_find_wire_table(const struct wp_wire_tables *tables, uint64_t id);

/* Pack a message of an id and a value, the value inside a further message of one field 1 if
 * `nested`. 0: not the part that is due, or no value of it. */
int wp_put_part(struct wp_writer *w, const struct wp_wire_part *part, struct wp_reader message,
                uint32_t id_number, uint32_t value_number, int nested);

#endif
