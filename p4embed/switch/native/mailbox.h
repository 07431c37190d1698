/* Frames on their way to the controller: a bounded ring of bytes between the data thread, which
 * never waits, and one reader in Python, which sleeps until something comes. */
#ifndef WP_MAILBOX_H
#define WP_MAILBOX_H

#include <pthread.h>
#include <stdint.h>

#define WP_MAILBOX_BYTES (8u << 20)

struct wp_mailbox {
    uint8_t *room;
    uint64_t written, read; /* bytes ever; the ring position is the remainder */
    uint64_t frames, lost;
    int closed;
    pthread_mutex_t lock;
    pthread_cond_t filled;
};

int wp_mailbox_open(struct wp_mailbox *box);
void wp_mailbox_free(struct wp_mailbox *box);
/* Puts a frame in; counts it as lost when there is no room. The reader is woken by `wake`. */
void wp_mailbox_put(struct wp_mailbox *box, const uint8_t *frame, uint32_t length);
void wp_mailbox_wake(struct wp_mailbox *box);
/* Waits for frames and takes as many as fit: uint32_t length, frame, and so on. Returns bytes;
 * 0 once the mailbox is closed. `room` must hold the longest frame. */
uint32_t wp_mailbox_take(struct wp_mailbox *box, uint8_t *to, uint32_t room);
/* The same without waiting: 0 when there is none. */
uint32_t wp_mailbox_try(struct wp_mailbox *box, uint8_t *to, uint32_t room);
void wp_mailbox_close(struct wp_mailbox *box);

#endif
