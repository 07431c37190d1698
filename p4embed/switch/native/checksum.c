#include "checksum.h"

#include <pthread.h>

/* RFC 1071: the complement of the ones' complement sum of 16-bit words. */
uint64_t wp_csum16(const uint8_t *p, uint32_t n)
{
    uint64_t sum = 0;
    for (; n >= 4; p += 4, n -= 4)
        sum += wp_load(p, 4);
    if (n >= 2) {
        sum += wp_load(p, 2);
        p += 2;
        n -= 2;
    }
    if (n)
        sum += (uint64_t)p[0] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static uint16_t table16[256], table_ccitt[256];
/* table32[k][b]: what byte b does to a CRC that k more bytes follow, so that eight bytes are looked
 * up at once. */
static uint32_t table32[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t a = i, b = i, c = i << 8;
        for (int k = 0; k < 8; k++) {
            a = a & 1 ? a >> 1 ^ 0xa001 : a >> 1;         /* 0x8005 reflected */
            b = b & 1 ? b >> 1 ^ 0xedb88320u : b >> 1;    /* 0x04c11db7 reflected */
            c = c & 0x8000 ? c << 1 ^ 0x1021 : c << 1;
        }
        table16[i] = (uint16_t)a;
        table32[0][i] = b;
        table_ccitt[i] = (uint16_t)c;
    }
    for (uint32_t k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            table32[k][i] = table32[k - 1][i] >> 8 ^ table32[0][table32[k - 1][i] & 0xff];
}

uint64_t wp_crc16(const uint8_t *p, uint32_t n)
{
    uint16_t crc = 0;
    pthread_once(&once, make_tables);
    while (n--)
        crc = (uint16_t)(crc >> 8 ^ table16[(crc ^ *p++) & 0xff]);
    return crc;
}

uint64_t wp_crc32(const uint8_t *p, uint32_t n)
{
    uint32_t crc = ~0u;
    pthread_once(&once, make_tables);
    for (; n >= 8; p += 8, n -= 8) {
        /* The first byte is the lowest of a reflected CRC. */
        uint32_t low = crc ^ __builtin_bswap32((uint32_t)wp_load(p, 4));
        uint32_t high = __builtin_bswap32((uint32_t)wp_load(p + 4, 4));
        crc = table32[7][low & 0xff] ^ table32[6][low >> 8 & 0xff] ^ table32[5][low >> 16 & 0xff] ^
              table32[4][low >> 24] ^ table32[3][high & 0xff] ^ table32[2][high >> 8 & 0xff] ^
              table32[1][high >> 16 & 0xff] ^ table32[0][high >> 24];
    }
    while (n--)
        crc = crc >> 8 ^ table32[0][(crc ^ *p++) & 0xff];
    return ~crc;
}

uint64_t wp_crc_ccitt(const uint8_t *p, uint32_t n)
{
    uint16_t crc = 0xffff;
    pthread_once(&once, make_tables);
    while (n--)
        crc = (uint16_t)(crc << 8 ^ table_ccitt[crc >> 8 ^ *p++]);
    return crc;
}

uint64_t wp_xor16(const uint8_t *p, uint32_t n)
{
    uint16_t x = 0;
    for (; n >= 2; p += 2, n -= 2)
        x ^= (uint16_t)wp_load(p, 2);
    return n ? x ^ p[0] << 8 : x;
}

/* The first 8 bytes, or all of fewer, as a number. */
uint64_t wp_identity(const uint8_t *p, uint32_t n) { return wp_load(p, n < 8 ? n : 8); }
