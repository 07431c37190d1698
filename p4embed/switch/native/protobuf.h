/* Protobuf's encoding, as far as P4Runtime needs it: fields are read one by one; messages are
 * written from their end to their beginning, so that every length is known when it is due.
 *
 * Source: protobuf.dev, "Encoding". */
#ifndef WP_PROTOBUF_H
#define WP_PROTOBUF_H

#include <stdint.h>
#include <string.h>

enum { WP_VARINT = 0, WP_BYTES = 2 };

/* A stretch of the message that is being read. */
struct wp_reader { const uint8_t *at, *end; };

/* One field: number and type, then its value: a number, or a stretch of bytes. */
struct wp_field {
    uint32_t number, type;
    uint64_t value;
    struct wp_reader bytes;
};

static inline int wp_read_varint(struct wp_reader *r, uint64_t *value)
{
    *value = 0;
    for (uint32_t shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return 1;
    }
    return 0;
}

/* 1: a field; 0: the end; -1: not understood. */
static inline int wp_read_field(struct wp_reader *r, struct wp_field *f)
{
    uint64_t tag;
    if (r->at == r->end)
        return 0;
    if (!wp_read_varint(r, &tag) || tag >> 32)
        return -1;
    f->number = (uint32_t)tag >> 3;
    f->type = tag & 7;
    f->bytes = (struct wp_reader){r->at, r->at};
    if ((f->type != WP_VARINT && f->type != WP_BYTES) || !wp_read_varint(r, &f->value))
        return -1;
    if (f->type == WP_BYTES) {
        if (f->value > (uint64_t)(r->end - r->at))
            return -1;
        f->bytes = (struct wp_reader){r->at, r->at + f->value};
        r->at += f->value;
    }
    return 1;
}

/* Reads a message that is one field of bytes and nothing else. */
static inline int wp_read_only(struct wp_reader message, uint32_t number, struct wp_reader *inside)
{
    struct wp_field f;
    if (wp_read_field(&message, &f) != 1 || f.number != number || f.type != WP_BYTES ||
        message.at != message.end)
        return 0;
    *inside = f.bytes;
    return 1;
}

/* Where the next byte is written in front of; `short_` once there was no room. */
struct wp_prepender { uint8_t *start, *at; int is_short; };

static inline void wp_prepend(struct wp_prepender *p, const void *bytes, size_t count)
{
    if ((size_t)(p->at - p->start) < count) {
        p->is_short = 1;
        return;
    }
    p->at -= count;
    if (count)
        memcpy(p->at, bytes, count);
}

static inline void wp_prepend_varint(struct wp_prepender *p, uint64_t value)
{
    uint8_t bytes[10];
    uint32_t count = 0;
    do {
        bytes[count++] = (uint8_t)(value & 0x7f) | 0x80;
    } while (value >>= 7);
    bytes[count - 1] &= 0x7f;
    wp_prepend(p, bytes, count);
}

static inline void wp_prepend_tag(struct wp_prepender *p, uint32_t number, uint32_t type)
{
    wp_prepend_varint(p, (uint64_t)number << 3 | type);
}

/* A number; 0 is what is not there. */
static inline void wp_prepend_number(struct wp_prepender *p, uint32_t number, uint64_t value)
{
    if (!value)
        return;
    wp_prepend_varint(p, value);
    wp_prepend_tag(p, number, WP_VARINT);
}

/* Makes a field of all that was written since `end`. */
static inline void wp_prepend_around(struct wp_prepender *p, uint32_t number, const uint8_t *end)
{
    wp_prepend_varint(p, (uint64_t)(end - p->at));
    wp_prepend_tag(p, number, WP_BYTES);
}

/* A P4Runtime byte string: without leading zeros, but never empty. */
static inline void wp_prepend_value(struct wp_prepender *p, uint32_t number, const uint8_t *value,
                                    uint32_t size)
{
    while (size > 1 && !*value) {
        value++;
        size--;
    }
    const uint8_t *end = p->at;
    wp_prepend(p, value, size);
    wp_prepend_around(p, number, end);
}

#endif
