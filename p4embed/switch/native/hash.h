/* A keyed hash of short byte strings: 128-bit products, folded, of the input and secrets drawn
 * at start. Without the secrets nobody can aim flows at one bucket. */
#ifndef WP_HASH_H
#define WP_HASH_H

#include "bytes.h"

struct wp_secret { uint64_t word[4]; };

static inline uint64_t wp_fold(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t wp_word(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* The last 0 to 8 bytes, zero-extended; the length enters the hash elsewhere. */
WP_INLINE uint64_t wp_tail(const uint8_t *p, uint32_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

WP_INLINE uint64_t wp_hash(const uint8_t *p, uint32_t n, const struct wp_secret *s)
{
    uint64_t h = s->word[0] ^ n;
    uint32_t left = n;
    while (left > 16) {
        h = wp_fold(wp_word(p) ^ s->word[1], wp_word(p + 8) ^ h);
        p += 16;
        left -= 16;
    }
    uint64_t a = left > 8 ? wp_word(p) : wp_tail(p, left);
    uint64_t b = left > 8 ? wp_tail(p + 8, left - 8) : 0;
    h = wp_fold(a ^ s->word[2], b ^ h);
    return wp_fold(h ^ s->word[3], s->word[1]);
}

#endif
