/* One attached interface: an AF_PACKET socket, set up so that frames pass as they are. Where the
 * kernel allows it, frames come by a ring (ring.h) and go by an AF_XDP socket (xsk.h), which
 * halves what a frame costs; the socket's own calls carry what those cannot. */
#ifndef WP_PORT_H
#define WP_PORT_H

#include <net/if.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine.h"
#include "pcap.h"
#include "ring.h"
#include "xsk.h"

struct wp_port {
    int fd; /* -1: not attached */
    char name[IFNAMSIZ];
    uint64_t rx_packets, rx_bytes, rx_lost, tx_packets, tx_bytes, tx_lost;
    struct mmsghdr *queue; /* frames of this burst on their way out */
    struct iovec *vectors;
    uint32_t queued;
    struct wp_ring ring;
    struct wp_xsk *xsk;  /* NULL: there is none */
    uint32_t xsk_most;   /* bytes of a frame that goes this way: the MTU allows it surely */
    uint32_t flushes;    /* since the MTU was looked at */
    uint8_t wants_xsk;   /* to be opened again when the interface sends */
    uint8_t is_stuck;    /* frames wait for the interface */
    FILE *pcap_in, *pcap_out; /* NULL: not recorded */
};

/* Opens the port, recording to pcap_directory unless that is empty; 0 or an errno. `mapped`: by
 * memory shared with the kernel, where there can be some. */
int wp_port_open(struct wp_port *port, const char *interface, const char *pcap_directory,
                 int mapped);
void wp_port_close(struct wp_port *port);
/* Adds what the socket dropped since the last call to rx_lost. */
void wp_port_collect(struct wp_port *port);

/* Queue a frame, which must stay until the queue is flushed. What is stuck after a flush goes with
 * the next. */
void wp_port_queue(struct wp_port *port, uint8_t *frame, uint32_t length);
void wp_port_flush(struct wp_port *port);
/* Send one frame now. */
void wp_port_send(struct wp_port *port, uint8_t *frame, uint32_t length);

#endif
