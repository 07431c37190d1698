#define _GNU_SOURCE
#include "xsk.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#define FRAMES 512
#define FRAME_BYTES ((size_t)FRAMES * WP_XSK_MOST)
#define SEND_BUFFER (16 << 20)
#define A_CALL 64 /* frames that the kernel takes at a time, if it can be told: a burst */

struct wp_xsk {
    int fd;
    uint8_t *frames;
    uint32_t *producer, *consumer; /* of frames to send; the kernel moves `consumer` */
    struct xdp_desc *descriptors;
    uint32_t *done_producer, *done_consumer; /* of frames whose room is free again */
    uint64_t *done;
    void *maps[2]; /* where those lie */
    uint64_t map_bytes[2];
    uint32_t free_count, last_done;
    uint32_t lengths[FRAMES];
    uint16_t free[FRAMES];
};

static int set(int fd, int option, int value)
{
    return setsockopt(fd, SOL_XDP, option, &value, sizeof value);
}

static uint8_t *map(struct wp_xsk *x, int number, uint64_t offset, uint64_t bytes)
{
    uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->fd,
                       (off_t)offset);
    if (at == MAP_FAILED)
        return NULL;
    x->maps[number] = at;
    x->map_bytes[number] = bytes;
    return at;
}

static int prepare(struct wp_xsk *x, unsigned interface)
{
    /* Shared, lest a child that is forked copies it. */
    uint8_t *frames = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (frames == MAP_FAILED)
        return errno;
    x->frames = frames;
    x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct xdp_umem_reg memory = {.addr = (uintptr_t)frames, .len = FRAME_BYTES,
                                  .chunk_size = WP_XSK_MOST};
    struct xdp_mmap_offsets offsets;
    socklen_t size = sizeof offsets;
    /* A ring for reception has to be there; nothing is ever put into it. */
    if (x->fd < 0 || setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) ||
        set(x->fd, XDP_UMEM_FILL_RING, 2) ||
        set(x->fd, XDP_UMEM_COMPLETION_RING, FRAMES) ||
        set(x->fd, XDP_TX_RING, FRAMES) ||
        getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size))
        return errno;
    if (size != sizeof offsets)
        return EOPNOTSUPP; /* a kernel from before 5.4 */
    (void)set(x->fd, XDP_MAX_TX_SKB_BUDGET, A_CALL);
    int buffer = SEND_BUFFER;
    (void)setsockopt(x->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    uint8_t *tx = map(x, 0, XDP_PGOFF_TX_RING,
                      offsets.tx.desc + FRAMES * sizeof(struct xdp_desc));
    uint8_t *done = map(x, 1, XDP_UMEM_PGOFF_COMPLETION_RING,
                        offsets.cr.desc + FRAMES * sizeof(uint64_t));
    if (!tx || !done)
        return errno;
    x->producer = (uint32_t *)(tx + offsets.tx.producer);
    x->consumer = (uint32_t *)(tx + offsets.tx.consumer);
    x->descriptors = (struct xdp_desc *)(tx + offsets.tx.desc);
    x->done_producer = (uint32_t *)(done + offsets.cr.producer);
    x->done_consumer = (uint32_t *)(done + offsets.cr.consumer);
    x->done = (uint64_t *)(done + offsets.cr.desc);
    for (x->free_count = 0; x->free_count < FRAMES; x->free_count++)
        x->free[x->free_count] = (uint16_t)x->free_count;
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP, .sxdp_ifindex = interface,
                                   .sxdp_flags = XDP_COPY};
    return bind(x->fd, (struct sockaddr *)&address, sizeof address) ? errno : 0;
}

struct wp_xsk *wp_xsk_open(unsigned interface)
{
    struct wp_xsk *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->fd = -1;
    int error = prepare(x, interface);
    if (!error)
        return x;
    wp_xsk_close(x);
    errno = error;
    return NULL;
}

void wp_xsk_close(struct wp_xsk *x)
{
    if (!x)
        return;
    for (int i = 0; i < 2; i++)
        if (x->maps[i])
            munmap(x->maps[i], x->map_bytes[i]);
    if (x->fd >= 0)
        close(x->fd);
    if (x->frames)
        munmap(x->frames, FRAME_BYTES);
    free(x);
}

static void reap(struct wp_xsk *x)
{
    uint32_t at = *x->done_consumer, end = __atomic_load_n(x->done_producer, __ATOMIC_ACQUIRE);
    for (; at != end; at++) {
        x->last_done = (uint32_t)(x->done[at % FRAMES] / WP_XSK_MOST);
        x->free[x->free_count++] = (uint16_t)x->last_done;
    }
    __atomic_store_n(x->done_consumer, at, __ATOMIC_RELEASE);
}

int wp_xsk_put(struct wp_xsk *x, const uint8_t *frame, uint32_t length)
{
    if (!x->free_count)
        reap(x);
    if (!x->free_count)
        return 0;
    uint32_t number = x->free[--x->free_count], at = *x->producer;
    memcpy(x->frames + (size_t)number * WP_XSK_MOST, frame, length);
    x->lengths[number] = length;
    x->descriptors[at % FRAMES] =
        (struct xdp_desc){(uint64_t)number * WP_XSK_MOST, length, 0};
    __atomic_store_n(x->producer, at + 1, __ATOMIC_RELEASE);
    return 1;
}

int wp_xsk_send(struct wp_xsk *x, struct wp_xsk_count *lost)
{
    for (;;) {
        uint32_t before = __atomic_load_n(x->consumer, __ATOMIC_ACQUIRE);
        if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0) {
            reap(x);
            return 0;
        }
        switch (errno) {
        case EINTR:
            break;
        case EBUSY:
            /* The interface dropped the last that it was given. */
            reap(x);
            lost->packets++;
            lost->bytes += x->lengths[x->last_done];
            break;
        case EAGAIN:
        case ENOBUFS:
        case ENOMEM:
            /* As many as the kernel takes at a time; or its queue is full. */
            if (__atomic_load_n(x->consumer, __ATOMIC_ACQUIRE) == before)
                return EAGAIN;
            break;
        default:
            return errno;
        }
    }
}

struct wp_xsk_count wp_xsk_left(const struct wp_xsk *x)
{
    struct wp_xsk_count left = {0, 0};
    uint32_t at = __atomic_load_n(x->consumer, __ATOMIC_ACQUIRE);
    for (; at != *x->producer; at++) {
        left.packets++;
        left.bytes += x->descriptors[at % FRAMES].len;
    }
    return left;
}
