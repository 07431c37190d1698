/* Frames on their way to the controller: a bounded ring of bytes between the data thread, which
 * never waits, and one reader in Python, which sleeps until its bell rings. */
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
    int bell, rung; /* an eventfd, readable while rung; -1: none */
    pthread_mutex_t lock;
};

int wp_mailbox_open(struct wp_mailbox *box, int with_bell);
void wp_mailbox_free(struct wp_mailbox *box);
/* Puts a frame in; counts it as lost when there is no room. The bell is rung by `wake`, and is
 * still once all has been taken. */
void wp_mailbox_put(struct wp_mailbox *box, const uint8_t *frame, uint32_t length);
void wp_mailbox_wake(struct wp_mailbox *box);
/* Waits for frames and takes as many as fit: uint32_t length, frame, and so on. Returns bytes;
 * 0 once the mailbox is closed. `room` must hold the longest frame. *count: frames. */
uint32_t wp_mailbox_take(struct wp_mailbox *box, uint8_t *to, uint32_t room, uint32_t *count);
/* The same without waiting: 0 when there is none. */
uint32_t wp_mailbox_try(struct wp_mailbox *box, uint8_t *to, uint32_t room, uint32_t *count);
void wp_mailbox_close(struct wp_mailbox *box);

#endif
