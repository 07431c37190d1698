/* What generated code includes. It defines WP_LIMBS first if its program needs wide numbers. */
#ifndef WP_PIPELINE_H
#define WP_PIPELINE_H

#include <stddef.h>
#include <stdlib.h>

#include "checksum.h"
#include "engine.h"
#include "wide.h"

/* Limits of loops that a program could otherwise run for ever. */
#define WP_STATES_MAX 4096  /* parser states a packet may pass */
#define WP_STEPS_MAX 65536  /* primitives of one call of an action that can jump back */
#define WP_PASSES_MAX 256   /* passes of a packet and its copies through ingress or egress */

static inline uint64_t wp_sign64(uint64_t v, uint32_t width)
{
    return (uint64_t)((int64_t)(v << (64 - width)) >> (64 - width));
}

static inline u128 wp_sign128(u128 v, uint32_t width)
{
    return (u128)((i128)(v << (128 - width)) >> (128 - width));
}

/* Division by 0 gives 0. */
static inline uint64_t wp_div64(uint64_t a, uint64_t b) { return b ? a / b : 0; }
static inline uint64_t wp_mod64(uint64_t a, uint64_t b) { return b ? a % b : 0; }
static inline u128 wp_div128(u128 a, u128 b) { return b ? a / b : 0; }
static inline u128 wp_mod128(u128 a, u128 b) { return b ? a % b : 0; }

/* A number of 128 bits as an index: what does not fit is out of any range. */
static inline uint64_t wp_index(u128 v) { return v >> 64 ? UINT64_MAX : (uint64_t)v; }
static inline uint64_t wp_not_negative(uint64_t v) { return (int64_t)v < 0 ? 0 : v; }

/* Whether two byte strings stand for the same number. */
static inline int wp_same_number(const uint8_t *a, uint32_t n, const uint8_t *b, uint32_t m)
{
    while (n && !*a)
        a++, n--;
    while (m && !*b)
        b++, m--;
    return n == m && memcmp(a, b, n) == 0;
}

/* A register's cell, NULL out of range. */
static inline uint64_t *wp_cell(const struct wp_engine *e, uint32_t reg, uint64_t index)
{
    const struct wp_register_def *def = &e->program->registers[reg];
    return index < def->size ? e->registers[reg] + index * def->limbs : NULL;
}

static inline uint64_t wp_cell64(const struct wp_engine *e, uint32_t reg, uint64_t index)
{
    const uint64_t *cell = wp_cell(e, reg, index);
    return cell ? *cell : 0;
}

static inline u128 wp_cell128(const struct wp_engine *e, uint32_t reg, uint64_t index)
{
    const uint64_t *cell = wp_cell(e, reg, index);
    return cell ? (u128)cell[1] << 64 | cell[0] : 0;
}

static inline wide wp_cell_wide(const struct wp_engine *e, uint32_t reg, uint64_t index)
{
    const uint64_t *cell = wp_cell(e, reg, index);
    wide r = {{0}};
    if (cell)
        memcpy(&r, cell, sizeof r);
    return r;
}

static inline void wp_set_cell64(struct wp_engine *e, uint32_t reg, uint64_t index, uint64_t v)
{
    uint64_t *cell = wp_cell(e, reg, index);
    if (cell)
        *cell = v;
}

static inline void wp_set_cell128(struct wp_engine *e, uint32_t reg, uint64_t index, u128 v)
{
    uint64_t *cell = wp_cell(e, reg, index);
    if (cell) {
        cell[0] = (uint64_t)v;
        cell[1] = (uint64_t)(v >> 64);
    }
}

static inline void wp_set_cell_wide(struct wp_engine *e, uint32_t reg, uint64_t index, wide v)
{
    uint64_t *cell = wp_cell(e, reg, index);
    if (cell)
        memcpy(cell, &v, sizeof v);
}

#endif
