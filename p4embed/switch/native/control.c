#include "control.h"

#include <stdlib.h>

#include "entries.h"

#define UPDATES_A_TURN 1024 /* before waiting packets get theirs: a Write of so many is seen whole */
#define ENTRIES_A_TURN 4096

static const uint8_t *read_update(const struct wp_engine *e, const uint8_t *p,
                                  struct wp_update *u, struct wp_table **table)
{
    struct wp_update_record r;
    memcpy(&r, p, sizeof r);
    p += sizeof r;
    *table = &e->tables[r.table];
    uint32_t key = (*table)->def->key_bytes;
    *u = (struct wp_update){.op = r.op, .is_const = r.is_const, .priority = r.priority,
                            .action = r.action, .params_bytes = r.params_bytes,
                            .metadata_bytes = r.metadata_bytes,
                            .idle_timeout_ns = r.idle_timeout_ns};
    u->value = p;
    p += key;
    if ((*table)->def->match != WP_EXACT) {
        u->mask = p;
        p += key;
    }
    u->params = p;
    p += r.params_bytes;
    u->metadata = p;
    return p + r.metadata_bytes;
}

/* What a turn will need of memory, before packets have to wait for it. */
static void prepare(struct wp_engine *e, const uint8_t *batch, uint32_t count)
{
    struct wp_update u;
    struct wp_table *table, *last = NULL;
    for (uint32_t i = 0; i < count; i++) {
        batch = read_update(e, batch, &u, &table);
        if (table != last)
            wp_table_reserve(table, &u, count - i);
        last = table;
    }
}

void wp_write(struct wp_engine *e, const uint8_t *batch, uint32_t count, uint64_t now_ns,
              int together, uint8_t *statuses)
{
    struct wp_update u;
    struct wp_table *table;
    pthread_mutex_lock(&e->writing);
    for (uint32_t i = 0; i < count;) {
        uint32_t left = count - i, turn = together || left < UPDATES_A_TURN ? left : UPDATES_A_TURN;
        prepare(e, batch, turn);
        wp_lock(e);
        for (uint32_t end = i + turn; i < end; i++) {
            batch = read_update(e, batch, &u, &table);
            statuses[i] = (uint8_t)wp_table_update(table, &u, now_ns);
        }
        wp_unlock(e);
    }
    pthread_mutex_unlock(&e->writing);
}

static uint32_t record_bytes(const struct wp_table *t, const struct wp_entry *e)
{
    uint32_t keys = t->def->key_bytes * (t->def->match == WP_EXACT ? 1 : 2);
    return (uint32_t)sizeof(struct wp_entry_record) + keys + t->def->params_bytes +
           e->metadata_bytes;
}

static void write_record(const struct wp_table *t, const struct wp_entry *e, uint8_t *to)
{
    struct wp_entry_record r = {.bytes = record_bytes(t, e),
                                .action = e->action,
                                .metadata_bytes = e->metadata_bytes,
                                .priority = wp_entry_priority(t, e),
                                .idle_timeout_ns = e->idle_timeout_ns,
                                .packets = e->packets,
                                .packet_bytes = e->bytes,
                                .last_hit_ns = e->last_hit_ns,
                                .is_const = (uint8_t)t->is_const};
    uint32_t keys = t->def->key_bytes * (t->def->match == WP_EXACT ? 1 : 2);
    memcpy(to, &r, sizeof r);
    to += sizeof r;
    memcpy(to, e->data, keys);
    to += keys;
    memcpy(to, wp_entry_params(t, e), t->def->params_bytes);
    if (e->metadata_bytes)
        memcpy(to + t->def->params_bytes, wp_entry_metadata(t, e), e->metadata_bytes);
}

uint32_t wp_get(struct wp_engine *e, uint32_t table, const uint8_t *value, const uint8_t *mask,
                int32_t priority, uint8_t *to, uint32_t room)
{
    uint32_t bytes = 0;
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    const struct wp_entry *entry = wp_table_get(t, value, mask, priority);
    if (entry && (bytes = record_bytes(t, entry)) <= room)
        write_record(t, entry, to);
    wp_unlock(e);
    return bytes;
}

uint32_t wp_entries(struct wp_engine *e, uint32_t table, uint32_t *cursor, uint8_t *to,
                    uint32_t room)
{
    uint32_t used = 0, looked = 0;
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    for (; *cursor < t->top && looked < ENTRIES_A_TURN; ++*cursor, looked++) {
        const struct wp_entry *entry = wp_entry_at(t, *cursor);
        if (entry->action == WP_FREE)
            continue;
        uint32_t bytes = record_bytes(t, entry);
        if (bytes > room - used)
            break;
        write_record(t, entry, to + used);
        used += bytes;
    }
    if (*cursor >= t->top)
        *cursor = UINT32_MAX;
    wp_unlock(e);
    return used;
}

uint32_t wp_entry_count(struct wp_engine *e, uint32_t table)
{
    wp_lock(e);
    uint32_t count = e->tables[table].count;
    wp_unlock(e);
    return count;
}

void wp_set_default(struct wp_engine *e, uint32_t table, int32_t action, const uint8_t *params,
                    uint32_t bytes)
{
    wp_lock(e);
    struct wp_table *t = &e->tables[table];
    t->default_action = action;
    memset(t->default_params, 0, t->def->params_bytes);
    memcpy(t->default_params, params, bytes);
    wp_unlock(e);
}

int32_t wp_default(struct wp_engine *e, uint32_t table, uint8_t *params)
{
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    int32_t action = t->default_action;
    memcpy(params, t->default_params, t->def->params_bytes);
    wp_unlock(e);
    return action;
}

int wp_set_direct_count(struct wp_engine *e, uint32_t table, const uint8_t *value,
                        const uint8_t *mask, int32_t priority, uint64_t packets, uint64_t bytes)
{
    wp_lock(e);
    struct wp_entry *entry = wp_table_get(&e->tables[table], value, mask, priority);
    if (entry) {
        entry->packets = packets;
        entry->bytes = bytes;
    }
    wp_unlock(e);
    return entry != NULL;
}

void wp_counter(struct wp_engine *e, uint32_t counter, uint32_t index, uint64_t *packets,
                uint64_t *bytes)
{
    wp_lock(e);
    *packets = e->counters[counter][index].packets;
    *bytes = e->counters[counter][index].bytes;
    wp_unlock(e);
}

void wp_set_counter(struct wp_engine *e, uint32_t counter, uint32_t index, uint64_t packets,
                    uint64_t bytes)
{
    wp_lock(e);
    e->counters[counter][index] = (struct wp_count){packets, bytes};
    wp_unlock(e);
}

void wp_register(struct wp_engine *e, uint32_t reg, uint32_t index, uint64_t *limbs)
{
    uint32_t n = e->program->registers[reg].limbs;
    wp_lock(e);
    memcpy(limbs, e->registers[reg] + (size_t)index * n, 8 * n);
    wp_unlock(e);
}

void wp_set_register(struct wp_engine *e, uint32_t reg, uint32_t index, const uint64_t *limbs)
{
    uint32_t n = e->program->registers[reg].limbs;
    wp_lock(e);
    memcpy(e->registers[reg] + (size_t)index * n, limbs, 8 * n);
    wp_unlock(e);
}

uint32_t wp_register_limbs(struct wp_engine *e, uint32_t reg)
{
    return e->program->registers[reg].limbs;
}

#define NOTICES_MOST 0x7fff

/* Whether a time-out has passed since the last hit that was not reported yet. */
static int idle_due(struct wp_entry *e, uint64_t now_ns)
{
    if (e->action == WP_FREE || !e->idle_timeout_ns || now_ns < e->last_hit_ns ||
        now_ns - e->last_hit_ns < e->idle_timeout_ns)
        return 0;
    uint64_t passed = (now_ns - e->last_hit_ns) / e->idle_timeout_ns;
    if (passed <= e->notices && e->notices < NOTICES_MOST)
        return 0;
    e->notices = passed < NOTICES_MOST ? (uint16_t)passed & NOTICES_MOST : NOTICES_MOST;
    return 1;
}

uint32_t wp_idle(struct wp_engine *e, uint32_t table, uint64_t now_ns, uint32_t *cursor,
                 uint32_t most, uint8_t *to, uint32_t room)
{
    uint32_t used = 0;
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    uint32_t keys = t->def->key_bytes * (t->def->match == WP_EXACT ? 1 : 2);
    uint32_t bytes = keys + 4;
    for (; *cursor < t->top && most && bytes <= room - used; ++*cursor, most--) {
        struct wp_entry *entry = wp_entry_at(t, *cursor);
        if (!idle_due(entry, now_ns))
            continue;
        int32_t priority = wp_entry_priority(t, entry);
        memcpy(to + used, &priority, 4);
        memcpy(to + used + 4, entry->data, keys);
        used += bytes;
    }
    if (*cursor >= t->top)
        *cursor = UINT32_MAX;
    wp_unlock(e);
    return used;
}

struct wp_run *wp_run_new(struct wp_engine *e)
{
    struct wp_run *run = malloc(sizeof *run);
    if (run && wp_run_open(run, e)) {
        wp_run_delete(run);
        return NULL;
    }
    return run;
}

void wp_run_delete(struct wp_run *run)
{
    wp_run_close(run);
    free(run);
}

uint32_t wp_process(struct wp_run *run, uint32_t port, const uint8_t *frames, uint32_t count,
                    uint64_t now_ns)
{
    struct wp_frame burst[WP_BURST];
    uint32_t n = 0, bytes = 0;
    wp_run_reset(run);
    run->now_ns = now_ns;
    for (uint32_t i = 0; i < count && n < WP_BURST; i++) {
        uint32_t length;
        memcpy(&length, frames, sizeof length);
        frames += sizeof length;
        burst[n] = (struct wp_frame){wp_spare(run, length), length};
        if (burst[n].data)
            memcpy(burst[n++].data, frames, length);
        else
            run->lost++;
        frames += length;
    }
    wp_lock(run->engine);
    run->engine->program->process(run, port, burst, n);
    wp_unlock(run->engine);
    for (uint32_t i = 0; i < run->output_count; i++)
        bytes += (uint32_t)sizeof(struct wp_packet_record) + run->outputs[i].length;
    return bytes;
}

void wp_outputs(struct wp_run *run, uint8_t *to)
{
    for (uint32_t i = 0; i < run->output_count; i++) {
        const struct wp_output *o = &run->outputs[i];
        struct wp_packet_record r = {o->port, o->length};
        memcpy(to, &r, sizeof r);
        memcpy(to + sizeof r, o->frame, o->length);
        to += sizeof r + o->length;
    }
}

uint64_t wp_table_memory(struct wp_engine *e, uint32_t table)
{
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    uint64_t buckets = t->count ? ((uint64_t)1 << t->level) + t->split + t->overflow_room : 0;
    uint64_t bytes = wp_entries_memory(t) + buckets * sizeof(struct wp_bucket) +
                     (uint64_t)t->order_room * sizeof *t->order;
    wp_unlock(e);
    return bytes;
}
