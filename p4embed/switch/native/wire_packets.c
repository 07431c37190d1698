#include "wire_packets.h"

#include "bytes.h"
#include "protobuf.h"

#define PREFIX 5
#define METADATA_MOST 4096
#define PART_BYTES_MOST 256

enum { PACKET = 2, PAYLOAD = 1, METADATA = 2, METADATA_ID = 1, METADATA_VALUE = 2 };

/* ---- bits -------------------------------------------------------------------------------------
 *
 * A part ends at some bit of the header, counted from its start; bytes are taken from there. */

static uint32_t part_bytes(uint32_t width) { return (width + 7) / 8; }

static void get_bits(const uint8_t *header, uint32_t end, uint32_t width, uint8_t *value)
{
    uint32_t size = part_bytes(width), shift = -end & 7;
    for (uint32_t i = size; i-- > 0; end -= 8) {
        uint32_t at = (end - 1) / 8;
        uint32_t before = at && shift ? (uint32_t)header[at - 1] << (8 - shift) : 0;
        value[i] = (uint8_t)(header[at] >> shift | before);
        if (end <= 8)
            break;
    }
    value[0] &= 0xff >> (-width & 7);
}

static void put_bits(uint8_t *header, uint32_t end, const uint8_t *value, uint32_t size)
{
    uint32_t shift = -end & 7;
    for (uint32_t i = size; i-- > 0; end -= 8) {
        uint32_t at = (end - 1) / 8;
        header[at] |= (uint8_t)(value[i] << shift);
        if (at && shift)
            header[at - 1] |= (uint8_t)(value[i] >> (8 - shift));
    }
}

/* ---- in --------------------------------------------------------------------------------------- */

static void prepend_metadata(struct wp_prepender *p, const struct wp_wire_header *h,
                             const uint8_t *header)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < h->part_count; i++)
        end += h->parts[i].width;
    for (uint32_t i = h->part_count; i-- > 0;) {
        const struct wp_wire_bits *part = &h->parts[i];
        uint8_t value[PART_BYTES_MOST] = {0};
        const uint8_t *message_end = p->at;
        get_bits(header, end, part->width, value);
        end -= part->width;
        wp_prepend_value(p, METADATA_VALUE, value, part_bytes(part->width));
        wp_prepend_number(p, METADATA_ID, part->id);
        wp_prepend_around(p, METADATA, message_end);
    }
}

uint32_t wp_wire_packets_in(const struct wp_wire_header *h, const uint8_t *frames,
                            uint32_t length, uint8_t *to, uint32_t room)
{
    const uint8_t *end = frames + length;
    uint32_t used = 0;
    while (frames < end) {
        uint32_t bytes;
        memcpy(&bytes, frames, sizeof bytes);
        frames += sizeof bytes;
        uint8_t scratch[METADATA_MOST], head[32];
        struct wp_prepender metadata = {scratch, scratch + sizeof scratch, 0};
        uint32_t skipped = bytes < h->size ? 0 : h->size; /* shorter ones are all payload */
        if (skipped)
            prepend_metadata(&metadata, h, frames);
        uint32_t behind = (uint32_t)(scratch + sizeof scratch - metadata.at);
        uint32_t payload = bytes - skipped;
        /* What goes before the payload: prefix, packet's tag and length, payload's. */
        struct wp_prepender p = {head, head + sizeof head, 0};
        wp_prepend_varint(&p, payload);
        wp_prepend_tag(&p, PAYLOAD, WP_BYTES);
        wp_prepend_varint(&p, (uint64_t)(head + sizeof head - p.at) + payload + behind);
        wp_prepend_tag(&p, PACKET, WP_BYTES);
        uint32_t before = (uint32_t)(head + sizeof head - p.at);
        uint32_t whole = PREFIX + before + payload + behind;
        if (metadata.is_short || whole > room - used)
            return 0;
        to[used] = 0;
        wp_store(to + used + 1, 4, whole - PREFIX);
        memcpy(to + used + PREFIX, p.at, before);
        memcpy(to + used + PREFIX + before, frames + skipped, payload);
        memcpy(to + used + PREFIX + before + payload, metadata.at, behind);
        used += whole;
        frames += bytes;
    }
    return used;
}

/* ---- out -------------------------------------------------------------------------------------- */

/* PacketMetadata; `seen` has a bit for each part that came. */
static int put_metadata(const struct wp_wire_header *h, struct wp_reader message, uint8_t *header,
                        uint64_t *seen)
{
    struct wp_field f;
    struct wp_reader value = {0};
    uint64_t id = 0;
    int got;
    while ((got = wp_read_field(&message, &f)) > 0) {
        if (f.number == METADATA_ID && f.type == WP_VARINT && !id)
            id = f.value;
        else if (f.number == METADATA_VALUE && f.type == WP_BYTES && !value.at)
            value = f.bytes;
        else
            return 0;
    }
    if (got < 0 || value.at == value.end)
        return 0;
    while (value.end - value.at > 1 && !*value.at)
        value.at++;
    uint32_t end = 0, i = 0;
    for (; i < h->part_count; i++) {
        end += h->parts[i].width;
        if (h->parts[i].id == id)
            break;
    }
    if (i >= h->part_count || i >= 64 || *seen >> i & 1)
        return 0;
    uint32_t size = part_bytes(h->parts[i].width), length = (uint32_t)(value.end - value.at);
    if (length > size || (length == size && *value.at > 0xff >> (-h->parts[i].width & 7)))
        return 0;
    *seen |= (uint64_t)1 << i;
    put_bits(header, end, value.at, length);
    return 1;
}

/* One PacketOut as a frame behind its length; bytes, or 0. */
static uint32_t put_packet(const struct wp_wire_header *h, struct wp_reader message, uint8_t *to,
                           uint32_t room)
{
    struct wp_reader packet, payload = {0};
    struct wp_field f;
    uint64_t seen = 0;
    int got;
    if (!wp_read_only(message, PACKET, &packet) || room < sizeof(uint32_t) + h->size)
        return 0;
    uint8_t *header = to + sizeof(uint32_t);
    memset(header, 0, h->size);
    while ((got = wp_read_field(&packet, &f)) > 0) {
        if (f.number == PAYLOAD && f.type == WP_BYTES && !payload.at)
            payload = f.bytes;
        else if (f.number != METADATA || f.type != WP_BYTES ||
                 !put_metadata(h, f.bytes, header, &seen))
            return 0;
    }
    size_t bytes = (size_t)(payload.end - payload.at);
    if (got < 0 || bytes > room - sizeof(uint32_t) - h->size)
        return 0;
    if (bytes)
        memcpy(header + h->size, payload.at, bytes);
    uint32_t length = h->size + (uint32_t)bytes;
    memcpy(to, &length, sizeof length);
    return (uint32_t)sizeof length + length;
}

uint32_t wp_wire_packets_out(const struct wp_wire_header *h, const uint8_t *messages,
                             uint32_t length, uint8_t *to, uint32_t room, uint32_t *used,
                             uint32_t *count)
{
    uint32_t written = 0;
    *used = *count = 0;
    while (length - *used >= PREFIX && !messages[*used]) {
        uint64_t bytes = wp_load(messages + *used + 1, 4);
        const uint8_t *message = messages + *used + PREFIX;
        if (bytes > length - *used - PREFIX)
            break;
        uint32_t made = put_packet(h, (struct wp_reader){message, message + bytes}, to + written,
                                   room - written);
        if (!made)
            break;
        written += made;
        *used += PREFIX + (uint32_t)bytes;
        ++*count;
    }
    return written;
}
