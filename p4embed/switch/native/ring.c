#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SLOT_BYTES 2048
#define SLOTS 4096
#define BLOCK_BYTES (1 << 16)
#define RING_BYTES ((size_t)SLOTS * SLOT_BYTES)

static int set(int fd, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, SOL_PACKET, option, value, size) ? errno : 0;
}

int wp_ring_open(struct wp_ring *ring, int fd)
{
    /* A time-out's wake-ups make version 3 useless for lone frames. */
    int version = TPACKET_V2, copy = 1, error;
    struct tpacket_req request = {BLOCK_BYTES, RING_BYTES / BLOCK_BYTES, SLOT_BYTES, SLOTS};
    if ((error = set(fd, PACKET_VERSION, &version, sizeof version)) ||
        (error = set(fd, PACKET_COPY_THRESH, &copy, sizeof copy)) ||
        (error = set(fd, PACKET_RX_RING, &request, sizeof request)))
        return error;
    uint8_t *slots = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (slots == MAP_FAILED) {
        error = errno;
        request = (struct tpacket_req){0};
        (void)set(fd, PACKET_RX_RING, &request, sizeof request);
        return error;
    }
    *ring = (struct wp_ring){.slots = slots};
    return 0;
}

void wp_ring_close(struct wp_ring *ring)
{
    if (ring->slots)
        munmap(ring->slots, RING_BYTES);
    *ring = (struct wp_ring){0};
}

static struct tpacket2_hdr *slot(const struct wp_ring *ring, uint32_t number)
{
    return (struct tpacket2_hdr *)(ring->slots + (size_t)(number % SLOTS) * SLOT_BYTES);
}

uint32_t wp_ring_waiting(const struct wp_ring *ring, uint32_t most)
{
    uint32_t count = 0;
    while (count < most &&
           __atomic_load_n(&slot(ring, ring->next + count)->tp_status, __ATOMIC_ACQUIRE) &
               TP_STATUS_USER)
        count++;
    return count;
}

struct tpacket2_hdr *wp_ring_first(const struct wp_ring *ring) { return slot(ring, ring->next); }

void wp_ring_give_back(struct wp_ring *ring)
{
    __atomic_store_n(&wp_ring_first(ring)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    ring->next = (ring->next + 1) % SLOTS;
}
