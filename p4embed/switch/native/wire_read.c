#include "control.h"
#include "wire_parts.h"

#define KEY_MOST 1024
#define ENTITIES_MOST 1000 /* of one response */

/* TableEntry, its numbers of fields. */
enum { TABLE_ID = 1, MATCH = 2, ACTION = 3, COUNTER_DATA = 7, IDLE_TIMEOUT = 9, SINCE_HIT = 10,
       METADATA = 11 };

struct query {
    const struct wp_wire_table *table;
    int counts, since_hit; /* what of an entry is asked for beside itself */
    uint8_t key[KEY_MOST];
};

/* An entry named by its whole key. */
static int read_query(const struct wp_wire_tables *tables, struct wp_reader message,
                      struct query *q)
{
    struct wp_writer w = {q->key, q->key + sizeof q->key};
    struct wp_field f;
    uint32_t matches = 0, before = 0;
    int got;
    q->table = NULL;
    q->counts = q->since_hit = 0;
    while ((got = wp_read_field(&message, &f)) > 0) {
        if (f.number < before || (f.number == before && f.number != MATCH))
            return 0;
        before = f.number;
        if (f.number == TABLE_ID && f.type == WP_VARINT) {
            if (!(q->table = wp_find_wire_table(tables, f.value)))
                return 0;
        } else if (f.number == MATCH && f.type == WP_BYTES && q->table &&
                   matches < q->table->part_count) {
            if (!wp_put_part(&w, &q->table->parts[matches++], f.bytes, 1, 2, 1))
                return 0;
        } else if (f.number == COUNTER_DATA && f.type == WP_BYTES && !f.value) {
            q->counts = 1;
        } else if (f.number == SINCE_HIT && f.type == WP_BYTES && !f.value && q->table &&
                   q->table->supports_timeout) {
            q->since_hit = 1;
        } else {
            return 0;
        }
    }
    return got == 0 && q->table && q->table->part_count && matches == q->table->part_count;
}

static void prepend_action(struct wp_prepender *p, const struct wp_wire_action *action,
                           const uint8_t *params)
{
    const uint8_t *end = p->at;
    for (uint32_t i = 0; i < action->part_count; i++)
        params += action->parts[i].size;
    for (uint32_t i = action->part_count; i-- > 0;) {
        const uint8_t *param_end = p->at;
        params -= action->parts[i].size;
        wp_prepend_value(p, 3, params, action->parts[i].size);
        wp_prepend_number(p, 2, action->parts[i].id);
        wp_prepend_around(p, 4, param_end);
    }
    wp_prepend_number(p, 1, action->id);
    wp_prepend_around(p, 1, end); /* TableAction */
    wp_prepend_around(p, ACTION, end);
}

static void prepend_match(struct wp_prepender *p, const struct wp_wire_table *t,
                          const uint8_t *key)
{
    for (uint32_t i = 0; i < t->part_count; i++)
        key += t->parts[i].size;
    for (uint32_t i = t->part_count; i-- > 0;) {
        const uint8_t *end = p->at;
        key -= t->parts[i].size;
        wp_prepend_value(p, 1, key, t->parts[i].size);
        wp_prepend_around(p, 2, end); /* exact */
        wp_prepend_number(p, 1, t->parts[i].id);
        wp_prepend_around(p, MATCH, end);
    }
}

/* ReadResponse.entities { table_entry }; 0: not one that can be told here. */
static int prepend_entry(struct wp_prepender *p, const struct query *q, const struct wp_table *t,
                         const struct wp_entry *e, uint64_t now_ns)
{
    const struct wp_wire_table *table = q->table;
    const struct wp_wire_action *action = NULL;
    for (uint32_t i = 0; i < table->action_count && !action; i++)
        if (table->actions[i].json_id == e->action)
            action = &table->actions[i];
    if (!action || t->is_const)
        return 0;
    const uint8_t *end = p->at, *field;
    if (e->metadata_bytes) {
        wp_prepend(p, wp_entry_metadata(t, e), e->metadata_bytes);
        wp_prepend_around(p, METADATA, end);
    }
    if (q->since_hit) {
        field = p->at;
        wp_prepend_number(p, 1, now_ns > e->last_hit_ns ? now_ns - e->last_hit_ns : 0);
        wp_prepend_around(p, SINCE_HIT, field);
    }
    wp_prepend_number(p, IDLE_TIMEOUT, e->idle_timeout_ns);
    if (q->counts && table->has_counter) {
        field = p->at;
        wp_prepend_number(p, 2, e->packets);
        wp_prepend_number(p, 1, e->bytes);
        wp_prepend_around(p, COUNTER_DATA, field);
    }
    prepend_action(p, action, wp_entry_params(t, e));
    prepend_match(p, table, q->key);
    wp_prepend_number(p, TABLE_ID, table->id);
    wp_prepend_around(p, 2, end); /* Entity.table_entry */
    wp_prepend_around(p, 1, end);
    return !p->is_short;
}

/* Entities are written from the end of the room, and moved to where the response ends so far. */
static int answer(const struct wp_wire_tables *tables, struct wp_engine *engine,
                  struct wp_reader entity, uint64_t now_ns, struct wp_writer *w)
{
    struct wp_reader message;
    struct query q;
    struct wp_prepender p = {w->at, w->end, 0};
    if (!wp_read_only(entity, 2, &message) || !read_query(tables, message, &q))
        return 0;
    int told = 1;
    wp_lock(engine);
    const struct wp_table *t = &engine->tables[q.table->index];
    const struct wp_entry *e = wp_table_get(t, q.key, NULL, 0);
    if (e)
        told = prepend_entry(&p, &q, t, e, now_ns);
    wp_unlock(engine);
    memmove(w->at, p.at, (size_t)(w->end - p.at));
    w->at += w->end - p.at;
    return told;
}

int wp_wire_read(const struct wp_wire_tables *tables, struct wp_engine *engine,
                 const uint8_t *request, uint32_t length, uint64_t now_ns, uint8_t *to,
                 uint32_t room, struct wp_wire_head *head)
{
    struct wp_reader r = {request, request + length};
    struct wp_writer w = {to, to + room};
    struct wp_field f;
    uint32_t before = 0, entities = 0;
    int got;
    *head = (struct wp_wire_head){0};
    /* device_id = 1, entities = 2. A role: not here. */
    while ((got = wp_read_field(&r, &f)) > 0) {
        if (f.number == 1 && f.type == WP_VARINT && !before)
            head->device_id = f.value;
        else if (f.number != 2 || f.type != WP_BYTES || ++entities > ENTITIES_MOST ||
                 !answer(tables, engine, f.bytes, now_ns, &w))
            return 0;
        before = f.number;
    }
    head->bytes = (uint32_t)(w.at - to);
    return got == 0;
}

/* ---- notices of idle entries ------------------------------------------------------------------ */

enum { IDLE_NOTIFICATION = 4, NOTIFIED_ENTRY = 1, TIMESTAMP = 2, PREFIX = 5 };

static void prepend_idle(struct wp_prepender *p, const struct wp_wire_table *table,
                         const struct wp_table *t, const struct wp_entry *e, const uint8_t *key)
{
    const uint8_t *end = p->at;
    if (e->metadata_bytes) {
        wp_prepend(p, wp_entry_metadata(t, e), e->metadata_bytes);
        wp_prepend_around(p, METADATA, end);
    }
    wp_prepend_number(p, IDLE_TIMEOUT, e->idle_timeout_ns);
    prepend_match(p, table, key);
    wp_prepend_number(p, TABLE_ID, table->id);
    wp_prepend_around(p, NOTIFIED_ENTRY, end);
}

static void prepend_prefix(struct wp_prepender *p, const uint8_t *end)
{
    uint32_t size = (uint32_t)(end - p->at);
    uint8_t prefix[PREFIX] = {0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                              (uint8_t)size};
    wp_prepend(p, prefix, sizeof prefix);
}

uint32_t wp_wire_idle(const struct wp_wire_tables *tables, struct wp_engine *engine, uint32_t index,
                      const uint8_t *keys, uint32_t count, uint64_t timestamp_ns, uint8_t *to,
                      uint32_t room)
{
    const struct wp_wire_table *table = NULL;
    for (uint32_t i = 0; i < tables->count && !table; i++)
        if (tables->tables[i].index == index)
            table = &tables->tables[i];
    if (!table)
        return WP_NOT_UNDERSTOOD;
    struct wp_prepender p = {to, to + room, 0};
    const uint8_t *end = p.at;
    wp_prepend_number(&p, TIMESTAMP, timestamp_ns);
    const uint8_t *behind = p.at;
    wp_lock(engine);
    const struct wp_table *t = &engine->tables[index];
    uint32_t record = t->def->key_bytes + 4;
    for (uint32_t i = count; i-- > 0 && !p.is_short;) {
        const uint8_t *key = keys + (size_t)i * record + 4;
        const struct wp_entry *e = wp_table_get(t, key, NULL, 0);
        if (e)
            prepend_idle(&p, table, t, e, key);
    }
    wp_unlock(engine);
    if (p.at == behind && !p.is_short)
        return 0;
    wp_prepend_around(&p, IDLE_NOTIFICATION, end);
    prepend_prefix(&p, end);
    if (p.is_short)
        return WP_NOT_UNDERSTOOD;
    memmove(to, p.at, (size_t)(end - p.at));
    return (uint32_t)(end - p.at);
}
