/* The hash algorithms of v1model, over whole bytes.
 * CRC parameters: the Rocksoft model, as in RFC 1952 (crc32) and ITU-T V.41 (crc16, CCITT). */
#ifndef WP_CHECKSUM_H
#define WP_CHECKSUM_H

#include "bytes.h"

uint64_t wp_csum16(const uint8_t *p, uint32_t n);
uint64_t wp_crc16(const uint8_t *p, uint32_t n);
uint64_t wp_crc32(const uint8_t *p, uint32_t n);
uint64_t wp_crc_ccitt(const uint8_t *p, uint32_t n);
uint64_t wp_xor16(const uint8_t *p, uint32_t n);
uint64_t wp_identity(const uint8_t *p, uint32_t n);

#endif
