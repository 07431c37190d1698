#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SLOT_BYTES 2048 /* holds WP_RING_HEADROOM, and a frame of an MTU of 1500 with two tags */
#define SLOTS 4096
#define BLOCK_BYTES (1 << 16)
#define RING_BYTES ((size_t)SLOTS * SLOT_BYTES)
#define GUARD_BYTES 4096 /* after the last slot: programs load whole words */

static int set(int fd, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, SOL_PACKET, option, value, size) ? errno : 0;
}

int wp_ring_open(struct wp_ring *ring, int fd)
{
    /* A time-out's wake-ups make version 3 useless for lone frames. */
    int version = TPACKET_V2, headroom = WP_RING_HEADROOM, copy = 1, error;
    struct tpacket_req request = {BLOCK_BYTES, RING_BYTES / BLOCK_BYTES, SLOT_BYTES, SLOTS};
    if ((error = set(fd, PACKET_VERSION, &version, sizeof version)) ||
        (error = set(fd, PACKET_RESERVE, &headroom, sizeof headroom)) ||
        (error = set(fd, PACKET_COPY_THRESH, &copy, sizeof copy)) ||
        (error = set(fd, PACKET_RX_RING, &request, sizeof request)))
        return error;
    uint8_t *room = mmap(NULL, RING_BYTES + GUARD_BYTES, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room != MAP_FAILED) {
        if (mmap(room, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == room) {
            *ring = (struct wp_ring){.slots = room};
            return 0;
        }
        error = errno;
        munmap(room, RING_BYTES + GUARD_BYTES);
    } else {
        error = errno;
    }
    request = (struct tpacket_req){0};
    (void)set(fd, PACKET_RX_RING, &request, sizeof request);
    return error;
}

void wp_ring_close(struct wp_ring *ring)
{
    if (ring->slots)
        munmap(ring->slots, RING_BYTES + GUARD_BYTES);
    *ring = (struct wp_ring){0};
}

struct tpacket2_hdr *wp_ring_slot(const struct wp_ring *ring, uint32_t i)
{
    return (struct tpacket2_hdr *)(ring->slots + (size_t)((ring->next + i) % SLOTS) * SLOT_BYTES);
}

uint32_t wp_ring_take(struct wp_ring *ring, uint32_t most)
{
    while (ring->taken < most &&
           __atomic_load_n(&wp_ring_slot(ring, ring->taken)->tp_status, __ATOMIC_ACQUIRE) &
               TP_STATUS_USER)
        ring->taken++;
    return ring->taken;
}

void wp_ring_give_back(struct wp_ring *ring)
{
    for (uint32_t i = 0; i < ring->taken; i++)
        __atomic_store_n(&wp_ring_slot(ring, i)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    ring->next = (ring->next + ring->taken) % SLOTS;
    ring->taken = 0;
}
