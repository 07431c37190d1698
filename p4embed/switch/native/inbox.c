#define _GNU_SOURCE
#include "inbox.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bytes.h"
#include "checksum.h"

#define VLAN_TAG 4

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
    if (port->ring.slots) {
        uint32_t waiting = wp_ring_waiting(&port->ring, WP_BURST);
        int error;
        socklen_t size = sizeof error;
        /* Woken for nothing: it went down, which would wake us for ever unless we hear of it. */
        if (!waiting)
            (void)getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        return waiting;
    }
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

/* Make up for what sender and kernel left undone. */
static void complete(struct wp_frame *frame, uint32_t status, uint16_t tci, uint16_t tpid)
{
    if (status & TP_STATUS_CSUMNOTREADY)
        finish_checksum(frame->data, frame->length);
    if (status & TP_STATUS_VLAN_VALID && frame->length >= 12) {
        /* The kernel took the tag out of the frame: put it back. */
        uint64_t kind = status & TP_STATUS_VLAN_TPID_VALID ? tpid : ETH_P_8021Q;
        memmove(frame->data - VLAN_TAG, frame->data, 12);
        frame->data -= VLAN_TAG;
        wp_store(frame->data + 12, 4, kind << 16 | tci);
        frame->length += VLAN_TAG;
    }
}

/* The next frame that was too long for a slot; its length. */
static ssize_t receive_copy(struct wp_port *port, uint8_t *to)
{
    ssize_t length;
    /* An error is told once, that the interface went down; the frame is there. */
    do
        length = recv(port->fd, to, WP_FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
    while (length < 0 && errno != EAGAIN);
    return length;
}

static int from_ring(struct wp_port *port, struct wp_inbox *inbox, uint32_t i,
                     struct wp_frame *frame)
{
    const struct tpacket2_hdr *slot = wp_ring_first(&port->ring);
    int whole = slot->tp_snaplen == slot->tp_len;
    *frame = (struct wp_frame){inbox->vectors[i].iov_base, slot->tp_len};
    if (slot->tp_status & TP_STATUS_COPY)
        whole = receive_copy(port, frame->data) == slot->tp_len && slot->tp_len <= WP_FRAME_MAX;
    else if (whole)
        memcpy(frame->data, (const uint8_t *)slot + slot->tp_mac, slot->tp_snaplen);
    if (whole)
        complete(frame, slot->tp_status, slot->tp_vlan_tci, slot->tp_vlan_tpid);
    wp_ring_give_back(&port->ring);
    return whole;
}

static int from_message(struct wp_inbox *inbox, uint32_t i, struct wp_frame *frame)
{
    struct msghdr *m = &inbox->messages[i].msg_hdr;
    *frame = (struct wp_frame){inbox->vectors[i].iov_base, inbox->messages[i].msg_len};
    if (m->msg_flags & MSG_TRUNC)
        return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        struct tpacket_auxdata aux;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        complete(frame, aux.tp_status, aux.tp_vlan_tci, aux.tp_vlan_tpid);
    }
    return 1;
}

int wp_inbox_frame(struct wp_port *port, struct wp_inbox *inbox, uint32_t i,
                   struct wp_frame *frame)
{
    int whole = port->ring.slots ? from_ring(port, inbox, i, frame)
                                 : from_message(inbox, i, frame);
    if (!whole) {
        port->rx_lost++;
        return 0;
    }
    wp_pcap_write(port->pcap_in, frame->data, frame->length);
    port->rx_packets++;
    port->rx_bytes += frame->length;
    return 1;
}

void wp_port_drain(struct wp_port *port)
{
    uint8_t byte, copy[WP_FRAME_MAX];
    if (port->ring.slots) {
        for (int i = 0; i < 1 << 20 && wp_ring_waiting(&port->ring, 1); i++) {
            if (wp_ring_first(&port->ring)->tp_status & TP_STATUS_COPY)
                (void)receive_copy(port, copy);
            wp_ring_give_back(&port->ring);
        }
        return;
    }
    for (int i = 0; i < 1 << 20; i++)
        if (recv(port->fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != EINTR)
            return;
}
