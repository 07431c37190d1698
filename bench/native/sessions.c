/* Both ends of many sessions, for bench/setups.py: clients at one interface, servers at another.
 *
 *   sessions CLIENTS SERVERS KIND RATE SECONDS FIRST WINDOW CLIENT_GATEWAY SERVER_GATEWAY
 *
 * KIND     udp: one datagram a session; udp:N: datagrams of N sessions in turn, which stand already
 *          (each datagram is then counted as if it were a session); tcp: six segments a session (SYN, SYN-ACK, ACK, FIN,
 *          FIN-ACK, ACK; the client does not wait between its ACK and its FIN)
 * RATE     sessions begun a second, for SECONDS; 0: whenever fewer than WINDOW are unanswered
 * FIRST    number of the first session; a session's number makes its addresses and ports
 * ..._GATEWAY  MAC address that frames of that end go to
 *
 * A session counts as set up when its first packet has come out at the far end, as finished when
 * its last one has. Nothing is sent twice. Neither end keeps state: a datagram carries its
 * session's number in its payload, a segment eight times the number in its sequence number, plus
 * what the connection has moved on since. ARP requests are answered for any address.
 * Frames go and come by the switch's own packet I/O: what these ends take of the machine's cores
 * is missing where it is measured.
 * Prints one line of JSON; times are in nanoseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"
#include "xsk.h"

#define BURST 64
#define STRIDE 8 /* sequence numbers a session has to itself */
#define SETTLE 3000000000ull /* what is under way at the end gets this long */
#define NAP 50000 /* of ends whose sessions stand already, in nanoseconds */
#define PACE 200000 /* shortest sleep, in nanoseconds */

enum { FIN = 1, SYN = 2, ACK = 16 };

struct end {
    int fd;
    uint8_t mac[6], gateway[6];
    struct wp_ring ring;
    struct wp_xsk *xsk;
    unsigned queued;
    uint8_t frames[BURST][128];
    uint32_t lengths[BURST];
};

static struct end clients, servers;
static uint64_t first, flows, capacity, begun, up, finished, repeated;
static uint64_t *sent_at, *took;

static void fail(const char *what)
{
    fprintf(stderr, "sessions: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void open_end(struct end *e, const char *interface, const char *gateway)
{
    int one = 1;
    unsigned m[6];
    struct ifreq request = {0};
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(interface)};
    e->fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (e->fd < 0 || !address.sll_ifindex)
        fail(interface);
    setsockopt(e->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    if ((errno = wp_ring_open(&e->ring, e->fd)))
        fail("PACKET_RX_RING");
    if (bind(e->fd, (struct sockaddr *)&address, sizeof address))
        fail(interface);
    /* One that was left a moment ago is still busy. */
    for (int i = 0; !(e->xsk = wp_xsk_open((unsigned)address.sll_ifindex)); i++) {
        if (errno != EBUSY || i == 1000)
            fail("AF_XDP");
        usleep(1000);
    }
    strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    if (ioctl(e->fd, SIOCGIFHWADDR, &request))
        fail(interface);
    memcpy(e->mac, request.ifr_hwaddr.sa_data, 6);
    if (sscanf(gateway, "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6) {
        fprintf(stderr, "sessions: '%s' is no MAC address\n", gateway);
        exit(2);
    }
    for (int i = 0; i < 6; i++)
        e->gateway[i] = (uint8_t)m[i];
}

static void push(struct end *e)
{
    struct wp_xsk_count lost = {0, 0};
    int error;
    while ((error = wp_xsk_send(e->xsk, &lost)) == EAGAIN)
        usleep(100);
    if ((errno = error))
        fail("send");
}

static void flush(struct end *e)
{
    for (unsigned i = 0; i < e->queued; i++)
        while (!wp_xsk_put(e->xsk, e->frames[i], e->lengths[i]))
            push(e);
    if (e->queued)
        push(e);
    e->queued = 0;
}

/* A frame to fill in; it leaves with the next flush. */
static uint8_t *next_frame(struct end *e, size_t length)
{
    if (e->queued == BURST)
        flush(e);
    uint8_t *frame = e->frames[e->queued];
    memset(frame, 0, sizeof e->frames[0]);
    e->lengths[e->queued++] = (uint32_t)length;
    memcpy(frame, e->gateway, 6);
    memcpy(frame + 6, e->mac, 6);
    return frame;
}

static void put16(uint8_t *at, uint32_t v) { at[0] = (uint8_t)(v >> 8), at[1] = (uint8_t)v; }
static void put32(uint8_t *at, uint32_t v) { put16(at, v >> 16), put16(at + 2, v & 0xffff); }
static uint32_t get16(const uint8_t *at) { return (uint32_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

static uint32_t sum(const uint8_t *at, size_t length, uint32_t start)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        start += get16(at + i);
    return start;
}

static uint32_t fold(uint32_t total)
{
    total = (total & 0xffff) + (total >> 16);
    return 0xffff ^ (((total & 0xffff) + (total >> 16)) & 0xffff);
}

struct flow { uint32_t src, dst, sport, dport; };

static struct flow flow_of(uint64_t number)
{
    /* 10.0.0.0/8 by 32768 ports; destinations in sixteen subnets (see bench/chassis.py). */
    return (struct flow){0x0a000001u + (uint32_t)(number >> 15),
                         0xc6120001u + ((uint32_t)(number & 15) << 8),
                         1024 + (uint32_t)(number & 32767), 9000};
}

static void ip(uint8_t *frame, struct flow f, uint8_t protocol, size_t length)
{
    uint8_t *head = frame + 14;
    put16(frame + 12, 0x0800);
    head[0] = 0x45;
    put16(head + 2, (uint32_t)length);
    head[8] = 64;
    head[9] = protocol;
    put32(head + 12, f.src);
    put32(head + 16, f.dst);
    put16(head + 10, fold(sum(head, 20, 0)));
    put16(head + 20, f.sport);
    put16(head + 22, f.dport);
}

/* The checksum of a transport header and what follows, at `at` of the frame. */
static void transport(uint8_t *frame, size_t length, size_t at)
{
    const uint8_t *head = frame + 14;
    uint32_t total = sum(head + 12, 8, head[9] + (uint32_t)length);
    put16(frame + at, fold(sum(frame + 34, length, total)));
}

static void datagram(uint64_t number)
{
    uint8_t *frame = next_frame(&clients, 100);
    ip(frame, flow_of(flows ? first + (number - first) % flows : number), 17, 86);
    put16(frame + 38, 66);
    put32(frame + 42, (uint32_t)(number >> 32));
    put32(frame + 46, (uint32_t)number);
    transport(frame, 66, 40);
}

static void segment(struct end *e, struct flow f, uint32_t seq, uint32_t ack, uint8_t flags)
{
    uint8_t *frame = next_frame(e, 60);
    ip(frame, f, 6, 40);
    put32(frame + 38, seq);
    put32(frame + 42, ack);
    frame[46] = 0x50;
    frame[47] = flags;
    put16(frame + 48, 65535);
    transport(frame, 20, 50);
}

static void begin(int tcp)
{
    uint64_t number = first + begun;
    sent_at[begun++] = now_ns();
    if (tcp)
        segment(&clients, flow_of(number), (uint32_t)number * STRIDE, 0, SYN);
    else
        datagram(number);
}

static void is_up(uint64_t number, uint64_t now)
{
    uint64_t i = number - first;
    if (i >= begun)
        return; /* of an earlier run */
    if (took[i]) {
        repeated++;
        return;
    }
    took[i] = now - sent_at[i];
    up++;
}

/* Sequence numbers have 32 bits, less those of the stride: the session nearest to the first. */
static uint64_t numbered(uint32_t seq)
{
    return first + ((seq / STRIDE - (uint32_t)first) & (0xffffffffu / STRIDE));
}

static struct flow mirror(const uint8_t *frame)
{
    return (struct flow){get32(frame + 30), get32(frame + 26), get16(frame + 36),
                         get16(frame + 34)};
}

static void arp(struct end *e, const uint8_t *request)
{
    uint8_t *frame = next_frame(e, 60);
    memcpy(frame, request + 6, 6);
    put16(frame + 12, 0x0806);
    memcpy(frame + 14, request + 14, 6);
    put16(frame + 20, 2);
    memcpy(frame + 22, e->mac, 6);
    memcpy(frame + 28, request + 38, 4);
    memcpy(frame + 32, request + 22, 10);
}

static void at_server(const uint8_t *frame, int tcp, uint64_t now)
{
    if (!tcp) {
        if (frame[23] == 17)
            is_up((uint64_t)get32(frame + 42) << 32 | get32(frame + 46), now);
        return;
    }
    uint32_t seq = get32(frame + 38);
    uint8_t flags = frame[47];
    if (frame[23] != 6)
        return;
    if (flags == SYN) {
        is_up(numbered(seq), now);
        segment(&servers, mirror(frame), seq, seq + 1, SYN | ACK);
    } else if (flags == (FIN | ACK)) {
        segment(&servers, mirror(frame), seq, seq + 1, FIN | ACK);
    } else if (flags == ACK && seq % STRIDE == 2) {
        finished++;
    }
}

static void at_client(const uint8_t *frame, int tcp)
{
    uint32_t ack = get32(frame + 42);
    if (!tcp || frame[23] != 6)
        return;
    if (frame[47] == (SYN | ACK)) {
        segment(&clients, mirror(frame), ack, ack, ACK);
        segment(&clients, mirror(frame), ack, ack, FIN | ACK);
    } else if (frame[47] == (FIN | ACK)) {
        segment(&clients, mirror(frame), ack, ack, ACK);
    }
}

static void receive(struct end *e, int tcp)
{
    uint32_t n;
    while ((n = wp_ring_waiting(&e->ring, BURST))) {
        for (uint64_t now = now_ns(); n; n--) {
            const struct tpacket2_hdr *slot = wp_ring_first(&e->ring);
            const uint8_t *frame = (const uint8_t *)slot + slot->tp_mac;
            uint32_t type = get16(frame + 12);
            if (type == 0x0806 && get16(frame + 20) == 1)
                arp(e, frame);
            else if (type == 0x0800 && e == &servers)
                at_server(frame, tcp, now);
            else if (type == 0x0800)
                at_client(frame, tcp);
            wp_ring_give_back(&e->ring);
        }
    }
}

static unsigned missed(struct end *e)
{
    struct tpacket_stats stats = {0};
    socklen_t size = sizeof stats;
    getsockopt(e->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
    return stats.tp_drops;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(uint64_t elapsed)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < begun; i++)
        if (took[i])
            took[count++] = took[i];
    qsort(took, count, sizeof *took, by_value);
    printf("{\"begun\": %lu, \"up\": %lu, \"finished\": %lu, \"repeated\": %lu, \"missed\": %u, "
           "\"elapsed_ns\": %lu", begun, up, finished, repeated,
           missed(&clients) + missed(&servers), elapsed);
    static const struct { const char *name; double share; } marks[] = {
        {"p50_ns", .5}, {"p99_ns", .99}, {"p999_ns", .999}, {"max_ns", 1}};
    for (size_t i = 0; i < 4; i++)
        if (count)
            printf(", \"%s\": %lu", marks[i].name,
                   took[(uint64_t)(marks[i].share * (double)(count - 1))]);
    printf("}\n");
}

int main(int words, char **word)
{
    if (words != 10) {
        fprintf(stderr, "usage: sessions CLIENTS SERVERS KIND RATE SECONDS FIRST WINDOW "
                        "CLIENT_GATEWAY SERVER_GATEWAY; see the head of sessions.c\n");
        return 2;
    }
    open_end(&clients, word[1], word[8]);
    open_end(&servers, word[2], word[9]);
    int tcp = !strcmp(word[3], "tcp");
    double rate = atof(word[4]), seconds = atof(word[5]);
    uint64_t window = strtoull(word[7], NULL, 10);
    first = strtoull(word[6], NULL, 10);
    flows = !strncmp(word[3], "udp:", 4) ? strtoull(word[3] + 4, NULL, 10) : 0;
    capacity = (uint64_t)((rate > 0 ? rate : 1000000) * seconds) + 1;
    sent_at = calloc(capacity, sizeof *sent_at);
    took = calloc(capacity, sizeof *took);
    if (!sent_at || !took)
        fail("memory");
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), elapsed = 0;
    for (;;) {
        uint64_t now = now_ns(), due = now + 1000000;
        uint64_t done = tcp && rate <= 0 ? finished : up;
        if (now < end) {
            uint64_t wanted = rate > 0 ? (uint64_t)((double)(now - start) / 1e9 * rate) + 1
                                       : done + window;
            while (begun < wanted && begun < capacity)
                begin(tcp);
            if (rate > 0)
                due = start + (uint64_t)((double)begun / rate * 1e9);
            elapsed = now - start;
        } else if (now > end + SETTLE || (up >= begun && (!tcp || finished >= begun))) {
            break;
        }
        flush(&clients);
        flush(&servers);
        if (flows && rate <= 0) {
            /* Packets come and go many at a time, or these ends would be what is measured. */
            struct timespec nap = {0, NAP};
            nanosleep(&nap, NULL);
        }
        now = now_ns();
        uint64_t pause = due > now + PACE ? due - now : PACE;
        struct pollfd ready[2] = {{.fd = clients.fd, .events = POLLIN},
                                  {.fd = servers.fd, .events = POLLIN}};
        struct timespec most = {(time_t)(pause / 1000000000u), (long)(pause % 1000000000u)};
        if (ppoll(ready, 2, &most, NULL) > 0) {
            if (ready[0].revents)
                receive(&clients, tcp);
            if (ready[1].revents)
                receive(&servers, tcp);
        }
    }
    report(elapsed);
    return 0;
}
