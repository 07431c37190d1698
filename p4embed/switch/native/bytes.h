/* Numbers in network byte order, of any whole number of bytes. The lengths are constants in
 * generated code, so each call becomes a load or two. */
#ifndef WP_BYTES_H
#define WP_BYTES_H

#include <stdint.h>
#include <string.h>

typedef unsigned __int128 u128;
typedef __int128 i128;

/* For what is only fast once its constants are known: compilers tire of inlining in large
 * programs. */
#define WP_INLINE static inline __attribute__((always_inline))

WP_INLINE uint64_t wp_load(const uint8_t *p, uint32_t n)
{
    uint16_t half;
    uint32_t word;
    uint64_t all;
    switch (n) {
    case 0: return 0;
    case 1: return p[0];
    case 2: memcpy(&half, p, 2); return __builtin_bswap16(half);
    case 3: memcpy(&half, p, 2); return (uint64_t)__builtin_bswap16(half) << 8 | p[2];
    case 4: memcpy(&word, p, 4); return __builtin_bswap32(word);
    case 8: memcpy(&all, p, 8); return __builtin_bswap64(all);
    default: /* two words that overlap */
        memcpy(&word, p, 4);
        all = (uint64_t)__builtin_bswap32(word) << 8 * (n - 4);
        memcpy(&word, p + n - 4, 4);
        return all | __builtin_bswap32(word);
    }
}

WP_INLINE void wp_store(uint8_t *p, uint32_t n, uint64_t value)
{
    uint16_t half;
    uint32_t word;
    switch (n) {
    case 0: return;
    case 1: p[0] = (uint8_t)value; return;
    case 2: half = __builtin_bswap16((uint16_t)value); memcpy(p, &half, 2); return;
    case 3: half = __builtin_bswap16((uint16_t)(value >> 8)); memcpy(p, &half, 2);
            p[2] = (uint8_t)value; return;
    case 4: word = __builtin_bswap32((uint32_t)value); memcpy(p, &word, 4); return;
    case 8: value = __builtin_bswap64(value); memcpy(p, &value, 8); return;
    default: /* two words that overlap */
        word = __builtin_bswap32((uint32_t)(value >> 8 * (n - 4)));
        memcpy(p, &word, 4);
        word = __builtin_bswap32((uint32_t)value);
        memcpy(p + n - 4, &word, 4);
    }
}

/* n <= 16 */
WP_INLINE u128 wp_load128(const uint8_t *p, uint32_t n)
{
    if (n <= 8)
        return wp_load(p, n);
    return (u128)wp_load(p, n - 8) << 64 | wp_load(p + n - 8, 8);
}

WP_INLINE void wp_store128(uint8_t *p, uint32_t n, u128 value)
{
    if (n <= 8) {
        wp_store(p, n, (uint64_t)value);
        return;
    }
    wp_store(p, n - 8, (uint64_t)(value >> 64));
    wp_store(p + n - 8, 8, (uint64_t)value);
}

/* Shifts that, as on unbounded integers, move everything out when the distance is large. */
static inline uint64_t wp_shl64(uint64_t v, uint64_t by) { return by < 64 ? v << by : 0; }
static inline uint64_t wp_shr64(uint64_t v, uint64_t by) { return by < 64 ? v >> by : 0; }
static inline int64_t wp_sar64(int64_t v, uint64_t by) { return v >> (by < 64 ? by : 63); }
static inline u128 wp_shl128(u128 v, uint64_t by) { return by < 128 ? v << by : 0; }
static inline u128 wp_shr128(u128 v, uint64_t by) { return by < 128 ? v >> by : 0; }
static inline i128 wp_sar128(i128 v, uint64_t by) { return v >> (by < 128 ? by : 127); }

/* Bits at any position: `bit` counts from the first bit of p, width <= 64. */
static inline uint64_t wp_get_bits(const uint8_t *p, uint32_t bit, uint32_t width)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < width; i++, bit++)
        v = v << 1 | (p[bit / 8] >> (7 - bit % 8) & 1);
    return v;
}

static inline void wp_put_bits(uint8_t *p, uint32_t bit, uint32_t width, uint64_t value)
{
    for (uint32_t i = 0; i < width; i++, bit++) {
        uint8_t one = (uint8_t)(0x80 >> bit % 8);
        if (value >> (width - 1 - i) & 1)
            p[bit / 8] |= one;
        else
            p[bit / 8] &= (uint8_t)~one;
    }
}

#endif
