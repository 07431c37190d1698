/* Reception from a port, a burst at a time, by its ring or by messages; frames are made whole. */
#ifndef WP_INBOX_H
#define WP_INBOX_H

#include "port.h"

/* What a burst is received into. */
struct wp_inbox {
    uint8_t *room;
    uint32_t stride, headroom;
    struct mmsghdr messages[WP_BURST];
    struct iovec vectors[WP_BURST];
    uint8_t control[WP_BURST][64];
};

int wp_inbox_open(struct wp_inbox *inbox, uint32_t headroom);
void wp_inbox_close(struct wp_inbox *inbox);
/* How many frames came in; 0 when none waits. Then wp_inbox_frame gives each, in turn; 0: one to
 * skip. */
uint32_t wp_port_receive(struct wp_port *port, struct wp_inbox *inbox);
int wp_inbox_frame(struct wp_port *port, struct wp_inbox *inbox, uint32_t i,
                   struct wp_frame *frame);
/* Throws away what waits in the socket. */
void wp_port_drain(struct wp_port *port);

#endif
