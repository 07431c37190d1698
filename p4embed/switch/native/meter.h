/* Two-rate three-color markers (RFC 2698, color-blind), counting time in whole microseconds as
 * BMv2 does. See MeterConfig in p4embed/switch/engine.py. */
#ifndef WP_METER_H
#define WP_METER_H

#include "bytes.h"

enum wp_color { WP_GREEN, WP_YELLOW, WP_RED };

struct wp_bucket_rate { uint64_t rate, burst; };

struct wp_tokens {
    struct wp_bucket_rate config;
    uint64_t tokens;
    uint64_t earned; /* since the start, whether they fitted or not: rounding never adds up */
};

struct wp_meter {
    uint64_t start_ns;
    struct wp_tokens committed, peak;
};

static inline void wp_tokens_fill(struct wp_tokens *t, uint64_t elapsed_us)
{
    u128 all = (u128)elapsed_us * t->config.rate / 1000000;
    uint64_t earned = all >> 64 ? UINT64_MAX : (uint64_t)all;
    if (earned <= t->earned)
        return;
    u128 tokens = (u128)t->tokens + (earned - t->earned);
    t->tokens = tokens < t->config.burst ? (uint64_t)tokens : t->config.burst;
    t->earned = earned;
}

static inline int wp_tokens_take(struct wp_tokens *t, uint64_t tokens)
{
    if (t->tokens < tokens)
        return 0;
    t->tokens -= tokens;
    return 1;
}

/* A meter that is not configured (NULL) passes everything. */
static inline enum wp_color wp_meter_color(struct wp_meter *m, uint64_t tokens, uint64_t now_ns)
{
    if (!m)
        return WP_GREEN;
    uint64_t elapsed_us = now_ns > m->start_ns ? (now_ns - m->start_ns) / 1000 : 0;
    wp_tokens_fill(&m->committed, elapsed_us);
    wp_tokens_fill(&m->peak, elapsed_us);
    if (!wp_tokens_take(&m->peak, tokens))
        return WP_RED;
    return wp_tokens_take(&m->committed, tokens) ? WP_GREEN : WP_YELLOW;
}

#endif
