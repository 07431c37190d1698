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

#include "bytes.h"
#include "checksum.h"

#define RECEIVE_BUFFER (32 << 20)
#define SEND_BUFFER (16 << 20)
#define VLAN_TAG 4

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

int wp_port_open(struct wp_port *port, const char *interface, const char *pcap_directory)
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
    struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)index};
    if (set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) ||
        set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1) || set(fd, SOL_PACKET, PACKET_AUXDATA, 1) ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
        bind(fd, (struct sockaddr *)&address, sizeof address)) {
        int error = errno;
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
    return 0;
}

void wp_port_close(struct wp_port *port)
{
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

void wp_port_drain(struct wp_port *port)
{
    uint8_t byte;
    for (int i = 0; i < 1 << 20; i++)
        if (recv(port->fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != EINTR)
            return;
}

/* ---- receiving ---------------------------------------------------------------------------- */

int wp_inbox_open(struct wp_inbox *inbox, uint32_t headroom)
{
    memset(inbox, 0, sizeof *inbox);
    inbox->headroom = ((headroom + 15) & ~15u) + VLAN_TAG;
    /* An odd number of cache lines apart, lest all headers share one set of the cache. */
    inbox->stride = ((inbox->headroom + WP_FRAME_MAX + 127) & ~127u) + 64;
    inbox->room = malloc((size_t)inbox->stride * WP_BURST);
    if (!inbox->room)
        return -1;
    for (uint32_t i = 0; i < WP_BURST; i++) {
        struct msghdr *m = &inbox->messages[i].msg_hdr;
        inbox->vectors[i].iov_base = inbox->room + (size_t)i * inbox->stride + inbox->headroom;
        inbox->vectors[i].iov_len = WP_FRAME_MAX;
        m->msg_iov = &inbox->vectors[i];
        m->msg_iovlen = 1;
        m->msg_control = inbox->control[i];
    }
    return 0;
}

void wp_inbox_close(struct wp_inbox *inbox)
{
    free(inbox->room);
    inbox->room = NULL;
}

uint32_t wp_port_receive(struct wp_port *port, struct wp_inbox *inbox)
{
    for (uint32_t i = 0; i < WP_BURST; i++)
        inbox->messages[i].msg_hdr.msg_controllen = sizeof inbox->control[i];
    int n = recvmmsg(port->fd, inbox->messages, WP_BURST, MSG_DONTWAIT, NULL);
    return n > 0 ? (uint32_t)n : 0;
}

/* Finish a TCP or UDP checksum that the sender left to its interface: at that place stands the
 * sum of the pseudo header, so the sum from there to the end of the datagram completes it. */
static void finish_checksum(uint8_t *frame, uint32_t length)
{
    uint32_t at = 12;
    while (at + 4 <= length && (wp_load(frame + at, 2) == ETH_P_8021Q ||
                                wp_load(frame + at, 2) == ETH_P_8021AD))
        at += VLAN_TAG;
    if (at + 2 > length)
        return;
    uint64_t type = wp_load(frame + at, 2);
    at += 2;
    uint32_t end, protocol;
    if (type == ETH_P_IP && at + 20 <= length) {
        protocol = frame[at + 9];
        end = at + (uint32_t)wp_load(frame + at + 2, 2);
        at += 4u * (frame[at] & 15);
    } else if (type == ETH_P_IPV6 && at + 40 <= length) {
        protocol = frame[at + 6];
        end = at + 40 + (uint32_t)wp_load(frame + at + 4, 2);
        at += 40;
    } else {
        return;
    }
    uint32_t place = protocol == 6 ? at + 16 : protocol == 17 ? at + 6 : 0;
    if (!place || end > length || place + 2 > end)
        return;
    uint64_t sum = wp_csum16(frame + at, end - at);
    wp_store(frame + place, 2, sum == 0 && protocol == 17 ? 0xffff : sum);
}

int wp_inbox_frame(struct wp_port *port, struct wp_inbox *inbox, uint32_t i,
                   struct wp_frame *frame)
{
    struct msghdr *m = &inbox->messages[i].msg_hdr;
    *frame = (struct wp_frame){inbox->vectors[i].iov_base, inbox->messages[i].msg_len};
    if (m->msg_flags & MSG_TRUNC) {
        port->rx_lost++;
        return 0;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        struct tpacket_auxdata aux;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (aux.tp_status & TP_STATUS_CSUMNOTREADY)
            finish_checksum(frame->data, frame->length);
        if (aux.tp_status & TP_STATUS_VLAN_VALID && frame->length >= 12) {
            /* The kernel took the tag out of the frame: put it back. */
            uint64_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid
                                                                      : ETH_P_8021Q;
            memmove(frame->data - VLAN_TAG, frame->data, 12);
            frame->data -= VLAN_TAG;
            wp_store(frame->data + 12, 4, tpid << 16 | aux.tp_vlan_tci);
            frame->length += VLAN_TAG;
        }
    }
    wp_pcap_write(port->pcap_in, frame->data, frame->length);
    port->rx_packets++;
    port->rx_bytes += frame->length;
    return 1;
}

/* ---- sending ------------------------------------------------------------------------------ */

void wp_port_flush(struct wp_port *port)
{
    uint32_t done = 0;
    while (done < port->queued) {
        int n = sendmmsg(port->fd, port->queue + done, port->queued - done, MSG_DONTWAIT);
        if (n > 0) {
            uint64_t bytes = 0;
            for (int i = 0; i < n; i++)
                bytes += port->vectors[done + (uint32_t)i].iov_len;
            __atomic_fetch_add(&port->tx_bytes, bytes, __ATOMIC_RELAXED);
            __atomic_fetch_add(&port->tx_packets, (uint64_t)n, __ATOMIC_RELAXED);
            done += (uint32_t)n;
        } else if (errno == EAGAIN || errno == ENETDOWN || errno == ENXIO) {
            /* Full or down: none of them would go. */
            __atomic_fetch_add(&port->tx_lost, port->queued - done, __ATOMIC_RELAXED);
            break;
        } else if (errno != EINTR) {
            /* This one did not go: too long, too short, or dropped. */
            __atomic_fetch_add(&port->tx_lost, 1, __ATOMIC_RELAXED);
            done++;
        }
    }
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
    while (send(port->fd, frame, length, MSG_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        __atomic_fetch_add(&port->tx_lost, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_fetch_add(&port->tx_packets, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&port->tx_bytes, length, __ATOMIC_RELAXED);
}
