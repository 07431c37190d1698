/* Of control.h: what a controller configures beside entries, and digests. */
#include "control.h"

#include <stdlib.h>

static struct wp_meter *new_meter(const uint64_t *config, uint64_t now_ns)
{
    struct wp_meter *m = malloc(sizeof *m);
    if (m)
        *m = (struct wp_meter){now_ns,
                               {{config[0], config[1]}, config[1], 0},
                               {{config[2], config[3]}, config[3], 0}};
    return m;
}

static int meter_config(const struct wp_meter *m, uint64_t *config)
{
    if (!m)
        return 0;
    config[0] = m->committed.config.rate;
    config[1] = m->committed.config.burst;
    config[2] = m->peak.config.rate;
    config[3] = m->peak.config.burst;
    return 1;
}

int wp_meter(struct wp_engine *e, uint32_t meter, uint32_t index, uint64_t *config)
{
    wp_lock(e);
    int configured = meter_config(e->meters[meter][index], config);
    wp_unlock(e);
    return configured;
}

int wp_set_meter(struct wp_engine *e, uint32_t meter, uint32_t index, const uint64_t *config,
                 uint64_t now_ns)
{
    struct wp_meter *fresh = config ? new_meter(config, now_ns) : NULL;
    if (config && !fresh)
        return -1;
    wp_lock(e);
    struct wp_meter *old = e->meters[meter][index];
    e->meters[meter][index] = fresh;
    wp_unlock(e);
    free(old);
    return 0;
}

int wp_direct_meter(struct wp_engine *e, uint32_t table, const uint8_t *value,
                    const uint8_t *mask, int32_t priority, uint64_t *config)
{
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    struct wp_entry *entry = wp_table_get(t, value, mask, priority);
    int configured = entry && t->def->has_meter && meter_config(wp_entry_meter(t, entry), config);
    wp_unlock(e);
    return configured;
}

int wp_set_direct_meter(struct wp_engine *e, uint32_t table, const uint8_t *value,
                        const uint8_t *mask, int32_t priority, const uint64_t *config,
                        uint64_t now_ns, int *found)
{
    struct wp_meter *fresh = config ? new_meter(config, now_ns) : NULL;
    if (config && !fresh)
        return -1;
    wp_lock(e);
    const struct wp_table *t = &e->tables[table];
    struct wp_entry *entry = t->def->has_meter ? wp_table_get(t, value, mask, priority) : NULL;
    *found = entry != NULL;
    if (entry) {
        free(wp_entry_meter(t, entry));
        wp_set_entry_meter(t, entry, fresh);
    }
    wp_unlock(e);
    if (!entry)
        free(fresh);
    return 0;
}

int wp_set_member(struct wp_engine *e, uint32_t profile, uint32_t member, int32_t action,
                  const uint8_t *params, uint32_t bytes)
{
    wp_lock(e);
    int failed = wp_profile_set_member(&e->profiles[profile], member, action, params, bytes);
    wp_unlock(e);
    return failed;
}

int wp_set_group(struct wp_engine *e, uint32_t profile, uint32_t group, const uint32_t *members,
                 uint32_t count)
{
    wp_lock(e);
    int failed = wp_profile_set_group(&e->profiles[profile], group, members, count);
    wp_unlock(e);
    return failed;
}

int wp_set_value_set(struct wp_engine *e, uint32_t set, const uint8_t *members, uint32_t count,
                     uint32_t bytes)
{
    size_t size = 2 * (size_t)count * bytes;
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return -1;
    memcpy(copy, members, size);
    wp_lock(e);
    uint8_t *old = e->value_sets[set].members;
    e->value_sets[set] = (struct wp_value_set){count, bytes, copy};
    wp_unlock(e);
    free(old);
    return 0;
}

uint32_t wp_take_digests(struct wp_engine *e, uint8_t *to, uint32_t room)
{
    uint32_t count;
    return wp_mailbox_try(&e->digests, to, room, &count);
}

int wp_replicate(struct wp_engine *e, int kind, uint32_t id, const uint32_t *pairs,
                 uint32_t count, uint32_t cut)
{
    struct wp_replicas *r = NULL;
    if (count) {
        r = malloc(sizeof *r + count * sizeof *r->to);
        if (!r)
            return -1;
        r->count = count;
        r->cut = cut ? cut : UINT32_MAX;
        for (uint32_t i = 0; i < count; i++)
            r->to[i] = (struct wp_replica){pairs[2 * i], pairs[2 * i + 1]};
    }
    wp_lock(e);
    struct wp_replicas *old = e->replicas[kind][id];
    e->replicas[kind][id] = r;
    wp_unlock(e);
    free(old);
    return 0;
}
