#include "engine.h"

#include <stdlib.h>
#include <sys/random.h>

#ifdef __SANITIZE_ADDRESS__
#include <malloc.h>
#include <sanitizer/asan_interface.h>
#endif

static uint64_t scramble(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

struct wp_engine *wp_engine_open(const struct wp_program *program, uint64_t epoch_ns,
                                 uint64_t seed, uint32_t drop_port)
{
    struct wp_engine *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->program = program;
    e->epoch_ns = epoch_ns;
    e->drop_port = drop_port;
    pthread_mutex_init(&e->gate, NULL);
    pthread_mutex_init(&e->state, NULL);
    pthread_mutex_init(&e->writing, NULL);
    e->random[0] = scramble(&seed);
    e->random[1] = scramble(&seed) | 1;
    if (getrandom(&e->secret, sizeof e->secret, 0) != sizeof e->secret)
        for (int i = 0; i < 4; i++)
            e->secret.word[i] = scramble(&seed);
    e->tables = calloc(program->table_count + 1, sizeof *e->tables);
    e->counters = calloc(program->counter_count + 1, sizeof *e->counters);
    e->registers = calloc(program->register_count + 1, sizeof *e->registers);
    e->meters = calloc(program->meter_count + 1, sizeof *e->meters);
    e->profiles = calloc(program->profile_count + 1, sizeof *e->profiles);
    e->value_sets = calloc(program->value_set_count + 1, sizeof *e->value_sets);
    e->replicas[0] = calloc(WP_REPLICATION_IDS, sizeof **e->replicas);
    e->replicas[1] = calloc(WP_REPLICATION_IDS, sizeof **e->replicas);
    if (wp_mailbox_open(&e->digests, 0) || !e->tables || !e->counters || !e->registers ||
        !e->meters || !e->profiles || !e->value_sets || !e->replicas[0] || !e->replicas[1])
        goto failed;
    for (uint32_t i = 0; i < program->table_count; i++)
        if (wp_table_init(&e->tables[i], &program->tables[i], &e->secret))
            goto failed;
    for (uint32_t i = 0; i < program->counter_count; i++)
        if (!(e->counters[i] = calloc(program->counters[i].size + 1, sizeof **e->counters)))
            goto failed;
    for (uint32_t i = 0; i < program->meter_count; i++)
        if (!(e->meters[i] = calloc(program->meters[i].size + 1, sizeof **e->meters)))
            goto failed;
    for (uint32_t i = 0; i < program->register_count; i++) {
        const struct wp_register_def *def = &program->registers[i];
        if (!(e->registers[i] = calloc((size_t)def->size + 1, 8 * def->limbs)))
            goto failed;
    }
    return e;
failed:
    wp_engine_close(e);
    return NULL;
}

void wp_engine_close(struct wp_engine *e)
{
    const struct wp_program *program = e->program;
    for (uint32_t i = 0; e->tables && i < program->table_count; i++)
        if (e->tables[i].def)
            wp_table_free(&e->tables[i]);
    for (uint32_t i = 0; e->counters && i < program->counter_count; i++)
        free(e->counters[i]);
    for (uint32_t i = 0; e->registers && i < program->register_count; i++)
        free(e->registers[i]);
    for (uint32_t i = 0; e->meters && i < program->meter_count; i++) {
        for (uint32_t k = 0; e->meters[i] && k < program->meters[i].size; k++)
            free(e->meters[i][k]);
        free(e->meters[i]);
    }
    for (uint32_t i = 0; e->profiles && i < program->profile_count; i++)
        wp_profile_free(&e->profiles[i]);
    for (uint32_t i = 0; e->value_sets && i < program->value_set_count; i++)
        free(e->value_sets[i].members);
    for (int kind = 0; kind < 2; kind++) {
        for (uint32_t i = 0; e->replicas[kind] && i < WP_REPLICATION_IDS; i++)
            free(e->replicas[kind][i]);
        free(e->replicas[kind]);
    }
    free(e->tables);
    free(e->counters);
    free(e->registers);
    free(e->meters);
    free(e->profiles);
    free(e->value_sets);
    wp_mailbox_free(&e->digests);
    pthread_mutex_destroy(&e->gate);
    pthread_mutex_destroy(&e->state);
    pthread_mutex_destroy(&e->writing);
    free(e);
}

int wp_run_open(struct wp_run *run, struct wp_engine *e)
{
    *run = (struct wp_run){.engine = e, .output_room = 64};
    run->outputs = malloc(run->output_room * sizeof *run->outputs);
    run->scratch = malloc(WP_SCRATCH);
    return run->outputs && run->scratch ? 0 : -1;
}

void wp_run_close(struct wp_run *run)
{
    for (uint32_t i = 0; i < run->spare_count; i++)
        free(run->spares[i]);
    free(run->spares);
    free(run->outputs);
    free(run->scratch);
    free(run->queues);
    *run = (struct wp_run){0};
}

void wp_run_reset(struct wp_run *run)
{
    run->output_count = 0;
    run->spare_used = 0;
}

void wp_send(struct wp_run *run, uint32_t port, uint8_t *frame, uint32_t length)
{
    if (run->output_count == run->output_room) {
        struct wp_output *more =
            realloc(run->outputs, 2 * run->output_room * sizeof *run->outputs);
        if (!more) {
            run->lost++;
            return;
        }
        run->outputs = more;
        run->output_room *= 2;
    }
    run->outputs[run->output_count++] = (struct wp_output){frame, length, port};
}

/* Under the address sanitizer, what lies behind a frame's end must not be touched. */
static void fence(uint8_t *spare, uint32_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(spare, bytes);
    __asan_poison_memory_region(spare + bytes, malloc_usable_size(spare) - bytes);
#else
    (void)spare, (void)bytes;
#endif
}

uint8_t *wp_spare(struct wp_run *run, uint32_t length)
{
    uint32_t headroom = run->engine->program->headroom;
    if (length > WP_SPARE_MAX)
        return NULL;
    if (run->spare_used == run->spare_count) {
        if (run->spare_count == run->spare_room) {
            uint32_t room = run->spare_room ? 2 * run->spare_room : 16;
            uint8_t **more = realloc(run->spares, room * sizeof *more);
            if (!more)
                return NULL;
            run->spares = more;
            run->spare_room = room;
        }
        uint8_t *spare = malloc(headroom + WP_SPARE_MAX);
        if (!spare)
            return NULL;
        run->spares[run->spare_count++] = spare;
    }
    uint8_t *spare = run->spares[run->spare_used++];
    fence(spare, headroom + length);
    return spare + headroom;
}

uint64_t wp_random(struct wp_engine *e, uint64_t low, uint64_t high)
{
    uint64_t x = e->random[0], y = e->random[1];
    e->random[0] = y;
    x ^= x << 23;
    x ^= x >> 17 ^ y ^ y >> 26;
    e->random[1] = x;
    uint64_t span = high - low + 1;
    return span ? low + (uint64_t)((u128)(x + y) * span >> 64) : x + y;
}

int wp_in_value_set(const struct wp_engine *e, uint32_t set, const uint8_t *key,
                    const uint8_t *mask, uint32_t bytes)
{
    const struct wp_value_set *s = &e->value_sets[set];
    const uint8_t *member = s->members;
    for (uint32_t i = 0; s->bytes == bytes && i < s->count; i++, member += 2 * bytes) {
        uint32_t k = 0;
        while (k < bytes && ((key[k] ^ member[k]) & mask[k] & member[bytes + k]) == 0)
            k++;
        if (k == bytes)
            return 1;
    }
    return 0;
}

void wp_learn(struct wp_engine *e, uint32_t digest, const uint8_t *data, uint32_t bytes)
{
    uint8_t record[WP_DIGEST_MAX];
    memcpy(record, &digest, sizeof digest);
    memcpy(record + sizeof digest, data, bytes);
    wp_mailbox_put(&e->digests, record, (uint32_t)sizeof digest + bytes);
}
