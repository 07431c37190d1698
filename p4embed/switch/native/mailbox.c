#include "mailbox.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int wp_mailbox_open(struct wp_mailbox *box, int with_bell)
{
    memset(box, 0, sizeof *box);
    pthread_mutex_init(&box->lock, NULL);
    box->room = malloc(WP_MAILBOX_BYTES);
    box->bell = with_bell ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    return box->room && (box->bell >= 0 || !with_bell) ? 0 : -1;
}

void wp_mailbox_free(struct wp_mailbox *box)
{
    free(box->room);
    pthread_mutex_destroy(&box->lock);
    if (box->bell >= 0)
        close(box->bell);
}

static void copy_in(struct wp_mailbox *box, const void *from, uint32_t n)
{
    uint32_t at = (uint32_t)(box->written % WP_MAILBOX_BYTES);
    uint32_t first = n < WP_MAILBOX_BYTES - at ? n : WP_MAILBOX_BYTES - at;
    memcpy(box->room + at, from, first);
    memcpy(box->room, (const uint8_t *)from + first, n - first);
    box->written += n;
}

static void copy_out(const struct wp_mailbox *box, uint64_t position, void *to, uint32_t n)
{
    uint32_t at = (uint32_t)(position % WP_MAILBOX_BYTES);
    uint32_t first = n < WP_MAILBOX_BYTES - at ? n : WP_MAILBOX_BYTES - at;
    memcpy(to, box->room + at, first);
    memcpy((uint8_t *)to + first, box->room, n - first);
}

void wp_mailbox_put(struct wp_mailbox *box, const uint8_t *frame, uint32_t length)
{
    pthread_mutex_lock(&box->lock);
    if (WP_MAILBOX_BYTES - (box->written - box->read) < length + sizeof length) {
        box->lost++;
    } else {
        copy_in(box, &length, sizeof length);
        copy_in(box, frame, length);
        box->frames++;
    }
    pthread_mutex_unlock(&box->lock);
}

static void ring(struct wp_mailbox *box)
{
    uint64_t one = 1;
    box->rung = 1;
    (void)!write(box->bell, &one, sizeof one);
}

void wp_mailbox_wake(struct wp_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    if (box->read < box->written && !box->rung)
        ring(box);
    pthread_mutex_unlock(&box->lock);
}

static uint32_t take(struct wp_mailbox *box, uint8_t *to, uint32_t room, uint32_t *count)
{
    uint32_t used = 0, length;
    uint64_t rings;
    *count = 0;
    while (box->read < box->written && !box->closed) {
        copy_out(box, box->read, &length, sizeof length);
        if (sizeof length + length > room - used)
            break;
        copy_out(box, box->read, to + used, (uint32_t)sizeof length + length);
        box->read += sizeof length + length;
        used += (uint32_t)sizeof length + length;
        ++*count;
    }
    if (box->rung && box->read == box->written && !box->closed) {
        box->rung = 0;
        (void)!read(box->bell, &rings, sizeof rings);
    }
    return used;
}

uint32_t wp_mailbox_take(struct wp_mailbox *box, uint8_t *to, uint32_t room, uint32_t *count)
{
    struct pollfd bell = {.fd = box->bell, .events = POLLIN};
    for (;;) {
        pthread_mutex_lock(&box->lock);
        uint32_t used = take(box, to, room, count);
        int closed = box->closed;
        pthread_mutex_unlock(&box->lock);
        if (used || closed)
            return used;
        (void)poll(&bell, 1, -1);
    }
}

uint32_t wp_mailbox_try(struct wp_mailbox *box, uint8_t *to, uint32_t room, uint32_t *count)
{
    pthread_mutex_lock(&box->lock);
    uint32_t used = take(box, to, room, count);
    pthread_mutex_unlock(&box->lock);
    return used;
}

void wp_mailbox_close(struct wp_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->closed = 1;
    ring(box); /* for good */
    pthread_mutex_unlock(&box->lock);
}
