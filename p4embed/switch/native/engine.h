/* A loaded program with its state, and what generated code and the runtime owe each other.
 *
 * Two locks keep packets and updates apart. `state` is held by whoever runs packets (one burst at
 * a time) or changes or reads state (a few updates at a time), so no packet sees half an update.
 * `gate` is passed on the way to `state`: without it a busy data thread would take `state` again
 * before a waiting writer woke up, and the writer could wait for ever. */
#ifndef WP_ENGINE_H
#define WP_ENGINE_H

#include <pthread.h>

#include "mailbox.h"
#include "profile.h"
#include "table.h"

struct wp_run;

struct wp_counter_def { const char *name; uint32_t size; };
struct wp_register_def { const char *name; uint32_t size, limbs; };
struct wp_meter_def { const char *name; uint32_t size; int bytes; };

#define WP_BURST 64 /* frames that are received, processed, and sent together */

struct wp_frame { uint8_t *data; uint32_t length; };

/* What generated code exports, as `wp_program`. */
struct wp_program {
    const char *name;
    uint32_t headroom; /* bytes that headers may grow a frame by */
    uint32_t table_count, counter_count, register_count, meter_count;
    uint32_t profile_count, value_set_count;
    const struct wp_table_def *tables;
    const struct wp_counter_def *counters;
    const struct wp_register_def *registers;
    const struct wp_meter_def *meters;
    /* Run packets from one port to the end, in their order. Frames may be overwritten, and may
     * grow downwards by `headroom` bytes; what leaves is given to wp_send and may lie there. */
    void (*process)(struct wp_run *run, uint32_t port, const struct wp_frame *frames,
                    uint32_t count);
};

struct wp_count { uint64_t packets, bytes; };

/* Members of a parser value set: pairs of value and mask, `bytes` each. */
struct wp_value_set { uint32_t count, bytes; uint8_t *members; };

/* Where a multicast group or clone session sends copies. */
struct wp_replica { uint32_t port, instance; };
struct wp_replicas {
    uint32_t count;
    uint32_t cut; /* most bytes of a clone */
    struct wp_replica to[];
};
enum wp_replication { WP_MULTICAST, WP_CLONE };
#define WP_REPLICATION_IDS 65536

struct wp_engine {
    const struct wp_program *program;
    struct wp_table *tables;
    struct wp_count **counters;
    uint64_t **registers;
    struct wp_meter ***meters; /* by meter and cell; NULL: not configured */
    struct wp_profile *profiles;
    struct wp_value_set *value_sets;
    struct wp_mailbox digests;
    struct wp_replicas **replicas[2]; /* by wp_replication, then by id */
    struct wp_secret secret;
    uint64_t random[2];
    uint64_t epoch_ns; /* time stamps in packets count from here */
    uint32_t drop_port;
    pthread_mutex_t gate, state;
    pthread_mutex_t writing; /* taken before those, by whoever changes entries */
};

struct wp_output { uint8_t *frame; uint32_t length, port; };

/* One thread's workplace: what packets left behind until it is taken away. */
struct wp_run {
    struct wp_engine *engine;
    uint64_t now_ns;
    struct wp_output *outputs;
    uint32_t output_count, output_room;
    uint8_t **spares;
    uint32_t spare_count, spare_room, spare_used;
    uint8_t *scratch; /* WP_SCRATCH bytes for checksum input */
    void *queues;     /* of generated code; freed with the run */
    uint32_t passes;  /* of the packet under way and its copies, through ingress and egress */
    uint64_t lost;    /* outputs that found no memory */
};

#define WP_FRAME_MAX 16384 /* longest frame taken from a port */
#define WP_SPARE_MAX 65536
#define WP_DIGEST_MAX 8192 /* a digest with its number */
#define WP_SCRATCH (2 * WP_SPARE_MAX)

static inline void wp_lock(struct wp_engine *e)
{
    pthread_mutex_lock(&e->gate);
    pthread_mutex_lock(&e->state);
    pthread_mutex_unlock(&e->gate);
}

static inline void wp_unlock(struct wp_engine *e) { pthread_mutex_unlock(&e->state); }

struct wp_engine *wp_engine_open(const struct wp_program *program, uint64_t epoch_ns,
                                 uint64_t seed, uint32_t drop_port);
void wp_engine_close(struct wp_engine *e);

int wp_run_open(struct wp_run *run, struct wp_engine *e);
void wp_run_close(struct wp_run *run);
void wp_run_reset(struct wp_run *run); /* forget outputs, take spares back */

/* For generated code: a packet leaves; a buffer of at least `length` bytes behind `headroom`. */
void wp_send(struct wp_run *run, uint32_t port, uint8_t *frame, uint32_t length);
uint8_t *wp_spare(struct wp_run *run, uint32_t length);

/* Uniform in low..high (xorshift128+; states from the engine's seed). */
uint64_t wp_random(struct wp_engine *e, uint64_t low, uint64_t high);

static inline void wp_count_in(struct wp_engine *e, uint32_t counter, uint64_t index,
                               uint32_t length)
{
    if (index >= e->program->counters[counter].size)
        return;
    e->counters[counter][index].packets++;
    e->counters[counter][index].bytes += length;
}

/* The color of a packet in a meter's cell; -1 out of range. */
static inline int wp_color_in(struct wp_run *run, uint32_t meter, uint64_t index, uint32_t length)
{
    const struct wp_meter_def *def = &run->engine->program->meters[meter];
    if (index >= def->size)
        return -1;
    return wp_meter_color(run->engine->meters[meter][index], def->bytes ? length : 1, run->now_ns);
}

/* Whether a parser's key, masked, is in a value set. */
int wp_in_value_set(const struct wp_engine *e, uint32_t set, const uint8_t *key,
                    const uint8_t *mask, uint32_t bytes);

/* A digest leaves: its packed fields. */
void wp_learn(struct wp_engine *e, uint32_t digest, const uint8_t *data, uint32_t bytes);

static inline const struct wp_replicas *wp_replicas_of(const struct wp_engine *e,
                                                       enum wp_replication kind, uint64_t id)
{
    return id < WP_REPLICATION_IDS ? e->replicas[kind][id] : NULL;
}

#endif
