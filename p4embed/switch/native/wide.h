/* Unbounded-looking arithmetic for values of more than 128 bits: two's complement numbers of
 * WP_LIMBS 64-bit limbs, least significant first. Generated code sets WP_LIMBS to what the widest
 * expression of its program needs, so nothing that matters ever overflows. Not fast; rare. */
#ifndef WP_WIDE_H
#define WP_WIDE_H

#include "bytes.h"

#ifndef WP_LIMBS
#define WP_LIMBS 4
#endif

typedef struct { uint64_t limb[WP_LIMBS]; } wide;

static inline wide wide_u64(uint64_t v)
{
    wide r = {{v}};
    return r;
}

static inline wide wide_i64(int64_t v)
{
    wide r;
    r.limb[0] = (uint64_t)v;
    for (int i = 1; i < WP_LIMBS; i++)
        r.limb[i] = v < 0 ? ~0ull : 0;
    return r;
}

static inline wide wide_u128(u128 v)
{
    wide r = {{(uint64_t)v, (uint64_t)(v >> 64)}};
    return r;
}

static inline wide wide_i128(i128 v)
{
    wide r = wide_i64(v < 0 ? -1 : 0);
    r.limb[0] = (uint64_t)v;
    r.limb[1] = (uint64_t)((u128)v >> 64);
    return r;
}

static inline u128 wide_low128(wide a) { return (u128)a.limb[1] << 64 | a.limb[0]; }
static inline uint64_t wide_low64(wide a) { return a.limb[0]; }
static inline int wide_negative(wide a) { return a.limb[WP_LIMBS - 1] >> 63; }

static inline wide wide_add(wide a, wide b)
{
    u128 carry = 0;
    for (int i = 0; i < WP_LIMBS; i++) {
        carry += (u128)a.limb[i] + b.limb[i];
        a.limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return a;
}

static inline wide wide_not(wide a)
{
    for (int i = 0; i < WP_LIMBS; i++)
        a.limb[i] = ~a.limb[i];
    return a;
}

static inline wide wide_neg(wide a) { return wide_add(wide_not(a), wide_u64(1)); }
static inline wide wide_sub(wide a, wide b) { return wide_add(a, wide_neg(b)); }

static inline wide wide_and(wide a, wide b)
{
    for (int i = 0; i < WP_LIMBS; i++)
        a.limb[i] &= b.limb[i];
    return a;
}

static inline wide wide_or(wide a, wide b)
{
    for (int i = 0; i < WP_LIMBS; i++)
        a.limb[i] |= b.limb[i];
    return a;
}

static inline wide wide_xor(wide a, wide b)
{
    for (int i = 0; i < WP_LIMBS; i++)
        a.limb[i] ^= b.limb[i];
    return a;
}

static inline wide wide_mul(wide a, wide b)
{
    wide r = {{0}};
    for (int i = 0; i < WP_LIMBS; i++) {
        u128 carry = 0;
        for (int j = 0; i + j < WP_LIMBS; j++) {
            carry += (u128)a.limb[i] * b.limb[j] + r.limb[i + j];
            r.limb[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    return r;
}

static inline wide wide_shl(wide a, uint64_t by)
{
    wide r = {{0}};
    if (by >= 64ull * WP_LIMBS)
        return r;
    int words = (int)(by / 64), bits = (int)(by % 64);
    for (int i = WP_LIMBS - 1; i >= words; i--) {
        r.limb[i] = a.limb[i - words] << bits;
        if (bits && i > words)
            r.limb[i] |= a.limb[i - words - 1] >> (64 - bits);
    }
    return r;
}

/* Arithmetic shift: the sign moves in. */
static inline wide wide_shr(wide a, uint64_t by)
{
    uint64_t fill = wide_negative(a) ? ~0ull : 0;
    wide r;
    if (by >= 64ull * WP_LIMBS)
        by = 64ull * WP_LIMBS - 1;
    int words = (int)(by / 64), bits = (int)(by % 64);
    for (int i = 0; i < WP_LIMBS; i++) {
        uint64_t low = i + words < WP_LIMBS ? a.limb[i + words] : fill;
        uint64_t high = i + words + 1 < WP_LIMBS ? a.limb[i + words + 1] : fill;
        r.limb[i] = bits ? low >> bits | high << (64 - bits) : low;
    }
    return r;
}

/* The low `width` bits, as an unsigned number. */
static inline wide wide_cut(wide a, uint32_t width)
{
    for (uint32_t i = 0; i < WP_LIMBS; i++) {
        if (64 * i >= width)
            a.limb[i] = 0;
        else if (64 * (i + 1) > width)
            a.limb[i] &= (1ull << width % 64) - 1;
    }
    return a;
}

/* The low `width` bits, as a signed number. */
static inline wide wide_sign(wide a, uint32_t width)
{
    uint32_t lost = 64 * WP_LIMBS - width;
    return wide_shr(wide_shl(a, lost), lost);
}

static inline int wide_equal(wide a, wide b) { return memcmp(&a, &b, sizeof a) == 0; }

static inline int wide_less(wide a, wide b)
{
    if (wide_negative(a) != wide_negative(b))
        return wide_negative(a);
    for (int i = WP_LIMBS - 1; i > 0; i--)
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i];
    return a.limb[0] < b.limb[0];
}

static inline int wide_true(wide a) { return !wide_equal(a, wide_u64(0)); }

static inline wide wide_load(const uint8_t *p, uint32_t n)
{
    wide r = {{0}};
    for (uint32_t i = 0; i < n; i++)
        r.limb[i / 8] |= (uint64_t)p[n - 1 - i] << 8 * (i % 8);
    return r;
}

static inline void wide_store(uint8_t *p, uint32_t n, wide a)
{
    for (uint32_t i = 0; i < n; i++)
        p[n - 1 - i] = (uint8_t)(a.limb[i / 8] >> 8 * (i % 8));
}

static inline wide wide_get_bits(const uint8_t *p, uint32_t bit, uint32_t width)
{
    wide r = {{0}};
    for (uint32_t i = 0; i < width; i++, bit++) {
        uint32_t to = width - 1 - i;
        r.limb[to / 64] |= (uint64_t)(p[bit / 8] >> (7 - bit % 8) & 1) << to % 64;
    }
    return r;
}

static inline void wide_put_bits(uint8_t *p, uint32_t bit, uint32_t width, wide a)
{
    for (uint32_t i = 0; i < width; i++, bit++) {
        uint32_t from = width - 1 - i;
        wp_put_bits(p, bit, 1, a.limb[from / 64] >> from % 64 & 1);
    }
}

#endif
