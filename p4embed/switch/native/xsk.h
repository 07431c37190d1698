/* Transmission through an AF_XDP socket in copy mode: one system call takes a whole burst out of
 * memory that is shared with the kernel. There is no XDP program, so nothing changes for whoever
 * else uses the interface. Source: af_xdp.rst of the kernel's documentation. */
#ifndef WP_XSK_H
#define WP_XSK_H

#include <stdint.h>

#define WP_XSK_MOST 2048 /* bytes of a frame */

struct wp_xsk;

struct wp_xsk_count { uint64_t packets, bytes; };

/* Opens one on an interface's first queue; NULL with errno set. */
struct wp_xsk *wp_xsk_open(unsigned interface);
/* `x` may be NULL. */
void wp_xsk_close(struct wp_xsk *x);
/* Queues a copy of a frame; 0: no room. */
int wp_xsk_put(struct wp_xsk *x, const uint8_t *frame, uint32_t length);
/* Sends what is queued, adding to `lost` what was refused. 0: nothing is left; EAGAIN: the rest
 * has to wait for the interface; another errno: it does not send any more. */
int wp_xsk_send(struct wp_xsk *x, struct wp_xsk_count *lost);
/* What is queued still. */
struct wp_xsk_count wp_xsk_left(const struct wp_xsk *x);

#endif
