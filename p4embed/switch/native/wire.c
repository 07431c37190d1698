#include "wire.h"

#include "control.h"
#include "wire_parts.h"

/* A byte string, padded on the left to its part's size. */
static int put_value(struct wp_writer *w, const struct wp_wire_part *part, struct wp_reader value)
{
    size_t length = (size_t)(value.end - value.at);
    if (length == 0 || length > part->size || part->size > w->end - w->at ||
        (length == part->size && value.at[0] > part->limit))
        return 0;
    memset(w->at, 0, part->size - length);
    memcpy(w->at + part->size - length, value.at, length);
    w->at += part->size;
    return 1;
}

int wp_put_part(struct wp_writer *w, const struct wp_wire_part *part, struct wp_reader message,
                uint32_t id_number, uint32_t value_number, int nested)
{
    struct wp_field f;
    struct wp_reader value = {0};
    uint64_t id = 0;
    int got, seen = 0;
    while ((got = wp_read_field(&message, &f)) > 0) {
        if (f.number == id_number && f.type == WP_VARINT && !(seen & 1)) {
            id = f.value;
            seen |= 1;
        } else if (f.number == value_number && f.type == WP_BYTES && !(seen & 2)) {
            value = f.bytes;
            seen |= 2;
        } else {
            return 0;
        }
    }
    if (got < 0 || seen != 3 || id != part->id)
        return 0;
    return (!nested || wp_read_only(value, 1, &value)) && put_value(w, part, value);
}

static const struct wp_wire_action *find_action(const struct wp_wire_table *t, uint64_t id)
{
    for (uint32_t i = 0; i < t->action_count; i++)
        if (t->actions[i].id == id)
            return &t->actions[i];
    return NULL;
}

/* Action { action_id = 1, params = 4 { param_id = 2, value = 3 } } within TableAction's field 1. */
static int put_action(struct wp_writer *w, const struct wp_wire_table *t, struct wp_reader message,
                      uint32_t *json_id)
{
    struct wp_field f;
    struct wp_reader action;
    if (!wp_read_only(message, 1, &action))
        return 0;
    const struct wp_wire_action *known = NULL;
    uint32_t params = 0;
    int got;
    while ((got = wp_read_field(&action, &f)) > 0) {
        if (f.number == 1 && f.type == WP_VARINT && !known) {
            if (!(known = find_action(t, f.value)))
                return 0;
        } else if (f.number == 4 && f.type == WP_BYTES && known && params < known->part_count) {
            if (!wp_put_part(w, &known->parts[params++], f.bytes, 2, 3, 0))
                return 0;
        } else {
            return 0;
        }
    }
    if (got < 0 || !known || params != known->part_count)
        return 0;
    *json_id = known->json_id;
    return 1;
}

const struct wp_wire_table *wp_find_wire_table(const struct wp_wire_tables *tables, uint64_t id)
{
    for (uint32_t i = 0; i < tables->count; i++)
        if (tables->tables[i].id == id)
            return &tables->tables[i];
    return NULL;
}

/* TableEntry { table_id = 1, match = 2 { field_id = 1, exact = 2 { value = 1 } }, action = 3,
 * idle_timeout_ns = 9, metadata = 11 }, in this order, as every protobuf library writes it. */
static int put_entry(struct wp_writer *w, const struct wp_wire_tables *tables, uint64_t op,
                     struct wp_reader message)
{
    struct wp_update_record record = {.op = (uint8_t)op};
    uint8_t *head = w->at;
    if ((size_t)(w->end - w->at) < sizeof record)
        return 0;
    w->at += sizeof record;
    const struct wp_wire_table *t = NULL;
    struct wp_reader metadata = {0};
    uint32_t matches = 0, before = 0;
    int got, acted = 0;
    struct wp_field f;
    while ((got = wp_read_field(&message, &f)) > 0) {
        if (f.number < before || (f.number == before && f.number != 2))
            return 0;
        before = f.number;
        if (f.number == 1 && f.type == WP_VARINT) {
            if (!(t = wp_find_wire_table(tables, f.value)))
                return 0;
        } else if (f.number == 2 && f.type == WP_BYTES && t && matches < t->part_count) {
            if (!wp_put_part(w, &t->parts[matches++], f.bytes, 1, 2, 1))
                return 0;
        } else if (f.number == 3 && f.type == WP_BYTES && t && matches == t->part_count) {
            if (op == WP_DELETE)
                continue; /* only the key counts */
            uint8_t *params = w->at;
            uint32_t action;
            if (!put_action(w, t, f.bytes, &action))
                return 0;
            record.action = action;
            record.params_bytes = (uint16_t)(w->at - params);
            acted = 1;
        } else if (f.number == 9 && f.type == WP_VARINT && t && op != WP_DELETE) {
            if (f.value >> 63 || (f.value && !t->supports_timeout))
                return 0;
            record.idle_timeout_ns = f.value;
        } else if (f.number == 11 && f.type == WP_BYTES && f.value <= UINT16_MAX &&
                   op != WP_DELETE) {
            metadata = f.bytes;
            record.metadata_bytes = (uint16_t)f.value;
        } else if ((f.number == 9 || f.number == 11) && op == WP_DELETE) {
            continue;
        } else {
            return 0;
        }
    }
    if (got < 0 || !t || !t->part_count || matches != t->part_count ||
        acted == (op == WP_DELETE) || record.metadata_bytes > w->end - w->at)
        return 0;
    if (record.metadata_bytes)
        memcpy(w->at, metadata.at, record.metadata_bytes);
    w->at += record.metadata_bytes;
    record.table = (uint16_t)t->index;
    memcpy(head, &record, sizeof record);
    return 1;
}

/* Update { type = 1, entity = 2 { table_entry = 2 } } */
static int put_update(struct wp_writer *w, const struct wp_wire_tables *tables,
                      struct wp_reader message)
{
    struct wp_field f;
    if (wp_read_field(&message, &f) != 1 || f.number != 1 || f.type != WP_VARINT ||
        f.value < WP_INSERT || f.value > WP_DELETE)
        return 0;
    uint64_t op = f.value;
    if (wp_read_field(&message, &f) != 1 || f.number != 2 || f.type != WP_BYTES ||
        message.at != message.end)
        return 0;
    struct wp_reader entry;
    return wp_read_only(f.bytes, 2, &entry) && put_entry(w, tables, op, entry);
}

/* Uint128 { high = 1, low = 2 } */
static int read_election(struct wp_reader message, struct wp_wire_head *head)
{
    struct wp_field f;
    int got;
    uint32_t before = 0;
    while ((got = wp_read_field(&message, &f)) > 0) {
        if (f.type != WP_VARINT || f.number <= before || f.number > 2)
            return 0;
        before = f.number;
        *(f.number == 1 ? &head->election_high : &head->election_low) = f.value;
    }
    head->has_election = 1;
    return got == 0;
}

int wp_wire_parse(const struct wp_wire_tables *tables, const uint8_t *request, uint32_t length,
                  uint8_t *batch, uint32_t room, struct wp_wire_head *head)
{
    struct wp_reader r = {request, request + length};
    struct wp_writer w = {batch, batch + room};
    struct wp_field f;
    int got;
    *head = (struct wp_wire_head){0};
    /* device_id = 1, election_id = 3, updates = 4. A role, or another atomicity: not here. */
    while ((got = wp_read_field(&r, &f)) > 0) {
        if (f.number == 1 && f.type == WP_VARINT && !head->updates && !head->device_id) {
            head->device_id = f.value;
        } else if (f.number == 3 && f.type == WP_BYTES && !head->has_election) {
            if (!read_election(f.bytes, head))
                return 0;
        } else if (f.number == 4 && f.type == WP_BYTES) {
            if (!put_update(&w, tables, f.bytes))
                return 0;
            head->updates++;
        } else {
            return 0;
        }
    }
    head->bytes = (uint32_t)(w.at - batch);
    return got == 0;
}
