/* Reception through memory that the kernel fills (PACKET_RX_RING, TPACKET_V2): a frame costs no
 * system call and no buffer of the kernel's own. Frames too long for a slot are in the socket's
 * queue in addition, in the same order. Source: packet_mmap.rst of the kernel's documentation. */
#ifndef WP_RING_H
#define WP_RING_H

#include <linux/if_packet.h>
#include <stdint.h>

struct wp_ring {
    uint8_t *slots; /* NULL: there is no ring */
    uint32_t next;  /* the first slot that is not the kernel's */
};

/* Gives the socket, not yet bound, a ring; 0 or an errno, and then it has none. */
int wp_ring_open(struct wp_ring *ring, int fd);
void wp_ring_close(struct wp_ring *ring);
/* How many frames wait, up to `most`. */
uint32_t wp_ring_waiting(const struct wp_ring *ring, uint32_t most);
/* The first of them. */
struct tpacket2_hdr *wp_ring_first(const struct wp_ring *ring);
/* The kernel may fill its slot again. */
void wp_ring_give_back(struct wp_ring *ring);

#endif
