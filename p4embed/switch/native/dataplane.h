/* The data thread: receives a burst, runs it through the program, sends what comes out. */
#ifndef WP_DATAPLANE_H
#define WP_DATAPLANE_H

#include "engine.h"
#include "inbox.h"
#include "mailbox.h"
#include "port.h"

#define WP_PORTS 512 /* port numbers have 9 bits */
#define WP_NO_CPU_PORT UINT32_MAX

struct wp_dataplane {
    struct wp_engine *engine; /* NULL until a program is loaded */
    struct wp_port ports[WP_PORTS];
    uint32_t cpu_port;
    struct wp_mailbox mailbox;
    uint64_t unknown_port; /* frames sent to a port that nothing is attached to */
    struct wp_inbox inbox;
    struct wp_run run, injected; /* of the data thread; of packets from the controller */
    pthread_t thread;
    int running;
    int mapped; /* ports share memory with the kernel where they can */
    int stuck;  /* frames of some port wait for its interface */
    int epoll, stop; /* stop: an eventfd in epoll */
    pthread_mutex_t control; /* one control call at a time */
};

struct wp_port_counts { uint64_t rx_packets, rx_bytes, rx_lost, tx_packets, tx_bytes, tx_lost; };

struct wp_dataplane *wp_dataplane_open(uint32_t cpu_port, int mapped);
void wp_dataplane_close(struct wp_dataplane *d);
/* Attach an interface, recorded to pcap_directory unless that is empty; 0 or an errno. */
int wp_dataplane_attach(struct wp_dataplane *d, uint32_t port, const char *interface,
                        const char *pcap_directory);
void wp_dataplane_detach(struct wp_dataplane *d, uint32_t port);
/* Run this engine from now on (NULL: none); the old one is no longer touched. 0 or an errno. */
int wp_dataplane_use(struct wp_dataplane *d, struct wp_engine *engine);
/* Run `count` frames, each a uint32_t length and its bytes, as if received on the CPU port. */
void wp_dataplane_inject(struct wp_dataplane *d, const uint8_t *frames, uint32_t count);
/* Frames for the controller, as wp_mailbox_take and wp_mailbox_try; the mailbox's bell. */
int wp_dataplane_bell(const struct wp_dataplane *d);
uint32_t wp_dataplane_try_fetch(struct wp_dataplane *d, uint8_t *to, uint32_t room,
                                uint32_t *count);
uint32_t wp_dataplane_fetch(struct wp_dataplane *d, uint8_t *to, uint32_t room,
                            uint32_t *count);
void wp_dataplane_end_fetch(struct wp_dataplane *d);
/* Which ways of a port go by memory shared with the kernel: 1 reception, 2 transmission. */
int wp_dataplane_mapped(struct wp_dataplane *d, uint32_t port);
int wp_dataplane_counts(struct wp_dataplane *d, uint32_t port, struct wp_port_counts *counts);
/* Frames for the controller that found the mailbox full. */
uint64_t wp_dataplane_cpu_lost(struct wp_dataplane *d);

#endif
