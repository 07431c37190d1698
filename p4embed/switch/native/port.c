#define _GNU_SOURCE
#include "port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RECEIVE_BUFFER (32 << 20)
#define SEND_BUFFER (16 << 20)
#define REVIEW 256 /* flushes between looks at the interface */
#define XSK_TRIES 100 /* a millisecond apart */

/* ---- opening ------------------------------------------------------------------------------ */

/* A segment of 64 KB, a merged frame or a checksum left to hardware that does not exist must not
 * reach a P4 program. An offload that the driver does not know stays as it is. */
static void offloads_off(int fd, const char *interface)
{
    static const uint32_t commands[] = {ETHTOOL_SRXCSUM, ETHTOOL_STXCSUM, ETHTOOL_STSO,
                                        ETHTOOL_SGSO,    ETHTOOL_SGRO,    ETHTOOL_SSG};
    struct ifreq request;
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct ethtool_value off = {commands[i], 0};
        memset(&request, 0, sizeof request);
        strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
        request.ifr_data = (void *)&off;
        (void)ioctl(fd, SIOCETHTOOL, &request);
    }
    struct ethtool_value flags = {ETHTOOL_GFLAGS, 0};
    request.ifr_data = (void *)&flags;
    if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
        flags.cmd = ETHTOOL_SFLAGS;
        flags.data &= ~(uint32_t)(ETH_FLAG_LRO | ETH_FLAG_RXVLAN | ETH_FLAG_TXVLAN);
        (void)ioctl(fd, SIOCETHTOOL, &request);
    }
}

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* Looked at now and then: the MTU, which the kernel does not check on this way. */
static void review_xsk(struct wp_port *port)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, port->name);
    port->xsk_most = 0;
    if (ioctl(port->fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
        port->xsk_most = (uint32_t)request.ifr_mtu + ETH_HLEN;
    if (port->xsk_most > WP_XSK_MOST)
        port->xsk_most = WP_XSK_MOST;
    port->flushes = 0;
}

/* Interfaces that pass frames on to others by what the sender says they are, which an AF_XDP socket
 * does not say. */
static int asks_for_protocol(const struct wp_port *port)
{
    static const char *const drivers[] = {"bridge", "bonding", "team"};
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, port->name);
    request.ifr_data = (void *)&driver;
    if (ioctl(port->fd, SIOCETHTOOL, &request))
        return 0;
    for (unsigned i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (!strcmp(driver.driver, drivers[i]))
            return 1;
    return 0;
}

/* The way by AF_XDP. An interface may have been left by another such socket a moment ago, which the
 * kernel finishes in its own time: EBUSY until then. */
static void open_xsk(struct wp_port *port, int tries)
{
    unsigned index = if_nametoindex(port->name);
    while (!(port->xsk = wp_xsk_open(index)) && errno == EBUSY && --tries > 0)
        usleep(1000);
    port->wants_xsk = !port->xsk && errno == EBUSY;
    if (port->xsk)
        review_xsk(port);
}

int wp_port_open(struct wp_port *port, const char *interface, const char *pcap_directory,
                 int mapped)
{
    *port = (struct wp_port){.fd = -1};
    unsigned index = if_nametoindex(interface);
    if (!index || strlen(interface) >= IFNAMSIZ)
        return ENODEV;
    strcpy(port->name, interface);
    /* Protocol 0: nothing arrives before bind, so nothing of another interface ever does. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    offloads_off(fd, interface);
    if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
        (void)set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER))
        (void)set(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    if (mapped)
        (void)wp_ring_open(&port->ring, fd);
    struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)index};
    if (set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) ||
        set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1) || set(fd, SOL_PACKET, PACKET_AUXDATA, 1) ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
        bind(fd, (struct sockaddr *)&address, sizeof address)) {
        int error = errno;
        wp_ring_close(&port->ring);
        close(fd);
        return error;
    }
    port->queue = calloc(WP_BURST, sizeof *port->queue);
    port->vectors = calloc(WP_BURST, sizeof *port->vectors);
    port->fd = fd;
    if (!port->queue || !port->vectors) {
        wp_port_close(port);
        return ENOMEM;
    }
    if (*pcap_directory) {
        port->pcap_in = wp_pcap_open(pcap_directory, interface, "in");
        port->pcap_out = wp_pcap_open(pcap_directory, interface, "out");
        if (!port->pcap_in || !port->pcap_out) {
            int error = errno;
            wp_port_close(port);
            return error;
        }
    }
    for (int i = 0; i < WP_BURST; i++) {
        port->queue[i].msg_hdr.msg_iov = &port->vectors[i];
        port->queue[i].msg_hdr.msg_iovlen = 1;
    }
    if (mapped && !asks_for_protocol(port))
        open_xsk(port, XSK_TRIES);
    return 0;
}

void wp_port_close(struct wp_port *port)
{
    wp_xsk_close(port->xsk);
    wp_ring_close(&port->ring);
    if (port->fd >= 0)
        close(port->fd);
    free(port->queue);
    free(port->vectors);
    if (port->pcap_in)
        fclose(port->pcap_in);
    if (port->pcap_out)
        fclose(port->pcap_out);
    *port = (struct wp_port){.fd = -1};
}

void wp_port_collect(struct wp_port *port)
{
    struct tpacket_stats stats;
    socklen_t size = sizeof stats;
    if (getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
        port->rx_lost += stats.tp_drops;
}

/* ---- sending ------------------------------------------------------------------------------ */

static void count_sent(struct wp_port *port, uint64_t packets, uint64_t bytes)
{
    __atomic_fetch_add(&port->tx_packets, packets, __ATOMIC_RELAXED);
    __atomic_fetch_add(&port->tx_bytes, bytes, __ATOMIC_RELAXED);
}

static void count_lost(struct wp_port *port, uint64_t packets)
{
    __atomic_fetch_add(&port->tx_lost, packets, __ATOMIC_RELAXED);
}

static void flush_messages(struct wp_port *port)
{
    uint32_t done = 0;
    while (done < port->queued) {
        int n = sendmmsg(port->fd, port->queue + done, port->queued - done, MSG_DONTWAIT);
        if (n > 0) {
            uint64_t bytes = 0;
            for (int i = 0; i < n; i++)
                bytes += port->vectors[done + (uint32_t)i].iov_len;
            count_sent(port, (uint64_t)n, bytes);
            done += (uint32_t)n;
            if (port->wants_xsk && port->flushes++ % REVIEW == 0)
                open_xsk(port, 1);
        } else if (errno == EAGAIN || errno == ENETDOWN || errno == ENXIO) {
            /* Full or down: none of them would go. */
            count_lost(port, port->queued - done);
            break;
        } else if (errno != EINTR) {
            /* This one did not go: too long, too short, or dropped. */
            count_lost(port, 1);
            done++;
        }
    }
}

static void send_one(struct wp_port *port, uint8_t *frame, uint32_t length)
{
    while (send(port->fd, frame, length, MSG_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        count_lost(port, 1);
        return;
    }
    count_sent(port, 1, length);
}

/* Send what was put since the last time, and what is stuck. That counts as sent already, and is
 * taken back if it turns out not to be. */
static void push(struct wp_port *port, struct wp_xsk_count *put)
{
    struct wp_xsk_count lost = {0, 0};
    int error = wp_xsk_send(port->xsk, &lost);
    if (error && error != EAGAIN) {
        /* Down or gone: no old frames once it is back. */
        struct wp_xsk_count left = wp_xsk_left(port->xsk);
        lost.packets += left.packets;
        lost.bytes += left.bytes;
        wp_xsk_close(port->xsk);
        port->xsk = NULL;
        port->wants_xsk = 1;
        port->flushes = 0;
    }
    port->is_stuck = error == EAGAIN;
    count_sent(port, put->packets - lost.packets, put->bytes - lost.bytes);
    if (lost.packets)
        count_lost(port, lost.packets);
    *put = (struct wp_xsk_count){0, 0};
}

static void flush_xsk(struct wp_port *port)
{
    struct wp_xsk_count put = {0, 0};
    if (port->flushes++ == REVIEW)
        review_xsk(port);
    for (uint32_t i = 0; i < port->queued; i++) {
        uint8_t *frame = port->vectors[i].iov_base;
        uint32_t length = (uint32_t)port->vectors[i].iov_len;
        if (length < ETH_HLEN || length > port->xsk_most || !port->xsk) {
            /* What came before it goes before it. */
            if (port->xsk)
                push(port, &put);
            send_one(port, frame, length);
        } else if (wp_xsk_put(port->xsk, frame, length)) {
            put.packets++;
            put.bytes += length;
        } else {
            count_lost(port, 1);
        }
    }
    if (port->xsk)
        push(port, &put);
}

void wp_port_flush(struct wp_port *port)
{
    if (port->xsk)
        flush_xsk(port);
    else
        flush_messages(port);
    port->queued = 0;
}

void wp_port_queue(struct wp_port *port, uint8_t *frame, uint32_t length)
{
    wp_pcap_write(port->pcap_out, frame, length);
    if (port->queued == WP_BURST)
        wp_port_flush(port);
    port->vectors[port->queued++] = (struct iovec){frame, length};
}

void wp_port_send(struct wp_port *port, uint8_t *frame, uint32_t length)
{
    wp_pcap_write(port->pcap_out, frame, length);
    send_one(port, frame, length);
}
