/* One attached interface: an AF_PACKET socket, set up so that frames pass as they are. */
#ifndef WP_PORT_H
#define WP_PORT_H

#include <net/if.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine.h"
#include "pcap.h"

struct wp_port {
    int fd; /* -1: not attached */
    char name[IFNAMSIZ];
    uint64_t rx_packets, rx_bytes, rx_lost, tx_packets, tx_bytes, tx_lost;
    struct mmsghdr *queue; /* frames of this burst on their way out */
    struct iovec *vectors;
    uint32_t queued;
    FILE *pcap_in, *pcap_out; /* NULL: not recorded */
};

/* What a burst is received into. */
struct wp_inbox {
    uint8_t *room;
    uint32_t stride, headroom;
    struct mmsghdr messages[WP_BURST];
    struct iovec vectors[WP_BURST];
    uint8_t control[WP_BURST][64];
};

/* Opens the port, recording to pcap_directory unless that is empty; 0 or an errno. */
int wp_port_open(struct wp_port *port, const char *interface, const char *pcap_directory);
void wp_port_close(struct wp_port *port);
/* Adds what the socket dropped since the last call to rx_lost. */
void wp_port_collect(struct wp_port *port);
/* Throws away what waits in the socket. */
void wp_port_drain(struct wp_port *port);

int wp_inbox_open(struct wp_inbox *inbox, uint32_t headroom);
void wp_inbox_close(struct wp_inbox *inbox);
/* How many frames came in; 0 when none waits. wp_inbox_frame gives each; 0: one to skip. */
uint32_t wp_port_receive(struct wp_port *port, struct wp_inbox *inbox);
int wp_inbox_frame(struct wp_port *port, struct wp_inbox *inbox, uint32_t i,
                   struct wp_frame *frame);

/* Queue a frame, which must stay until the queue is flushed. */
void wp_port_queue(struct wp_port *port, uint8_t *frame, uint32_t length);
void wp_port_flush(struct wp_port *port);
/* Send one frame now. */
void wp_port_send(struct wp_port *port, uint8_t *frame, uint32_t length);

#endif
