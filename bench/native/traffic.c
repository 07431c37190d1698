/* Traffic for bench/forwarding.py: a bare forwarder, a paced sender, a latency probe.
 *
 *   traffic forward IN OUT                 frames from IN to OUT as they are, until killed: what
 *                                          user-space I/O alone allows
 *   traffic send OUT FRAMES RATE SECONDS   frames of a file in turn, RATE a second (0: all it can);
 *                                          prints how many were sent and in how many seconds
 *   traffic latency OUT IN FRAMES COUNT    one frame at a time, a millisecond apart; prints the
 *                                          nanoseconds that each took, one a line, -1 if lost
 *
 * A file of frames is a sequence of a 16-bit length, least significant byte first, and a frame.
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
#include <sys/socket.h>
#include <time.h>

#define BURST 64
#define PACE 16 /* frames sent at a time when the rate is limited */
#define ROOM 2048

static void fail(const char *what)
{
    fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int open_socket(const char *interface, int receives)
{
    int one = 1, big = 32 << 20;
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = receives ? htons(ETH_P_ALL) : 0,
                                  .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (fd < 0 || !address.sll_ifindex)
        fail(interface);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address))
        fail(interface);
    return fd;
}

static struct mmsghdr messages[BURST];
static struct iovec vectors[BURST];

static void prepare(void)
{
    for (int i = 0; i < BURST; i++) {
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static void send_burst(int fd, int count)
{
    for (int done = 0; done < count;) {
        int n = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
        if (n > 0)
            done += n;
        else if (errno == ENOBUFS || errno == EAGAIN)
            done++;
        else if (errno != EINTR)
            fail("send");
    }
}

static void forward(const char *from, const char *to)
{
    static uint8_t room[BURST][ROOM];
    int in = open_socket(from, 1), out = open_socket(to, 0);
    for (;;) {
        struct pollfd ready = {.fd = in, .events = POLLIN};
        poll(&ready, 1, -1);
        for (int i = 0; i < BURST; i++)
            vectors[i] = (struct iovec){room[i], ROOM};
        int n = recvmmsg(in, messages, BURST, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            vectors[i].iov_len = messages[i].msg_len;
        if (n > 0)
            send_burst(out, n);
    }
}

struct frames { uint8_t *data; size_t *offsets; uint16_t *lengths; size_t count; };

static struct frames load(const char *path)
{
    struct frames f = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file), at = 0;
    rewind(file);
    f.data = malloc(size + 1);
    f.offsets = malloc((size / 2 + 1) * sizeof *f.offsets);
    f.lengths = malloc((size / 2 + 1) * sizeof *f.lengths);
    if (fread(f.data, 1, size, file) != size)
        fail(path);
    while (at + 2 <= size) {
        uint16_t length = (uint16_t)(f.data[at] | f.data[at + 1] << 8);
        f.offsets[f.count] = at + 2;
        f.lengths[f.count++] = length;
        at += 2u + length;
    }
    fclose(file);
    return f;
}

static void send_frames(const char *to, const char *path, double rate, double seconds)
{
    struct frames f = load(path);
    int fd = open_socket(to, 0), burst = rate > 0 ? PACE : BURST;
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), sent = 0;
    size_t next = 0;
    while (now_ns() < end) {
        if (rate > 0) {
            uint64_t due = start + (uint64_t)((double)sent / rate * 1e9), now = now_ns();
            if (due > now + 100000) {
                struct timespec pause = {0, (long)(due - now - 50000)};
                nanosleep(&pause, NULL);
            }
            while (now_ns() < due)
                ;
        }
        for (int i = 0; i < burst; i++) {
            vectors[i] = (struct iovec){f.data + f.offsets[next], f.lengths[next]};
            next = next + 1 == f.count ? 0 : next + 1;
        }
        send_burst(fd, burst);
        sent += (uint64_t)burst;
    }
    printf("%llu %.6f\n", (unsigned long long)sent, (double)(now_ns() - start) / 1e9);
}

static void latency(const char *to, const char *from, const char *path, int count)
{
    struct frames f = load(path);
    int out = open_socket(to, 0), in = open_socket(from, 1);
    static uint8_t room[ROOM];
    for (int i = 0; i < count; i++) {
        struct timespec gap = {0, 1000000};
        nanosleep(&gap, NULL);
        while (recv(in, room, ROOM, MSG_DONTWAIT) >= 0)
            ;
        struct pollfd ready = {.fd = in, .events = POLLIN};
        uint64_t start = now_ns();
        if (send(out, f.data + f.offsets[(size_t)i % f.count], f.lengths[(size_t)i % f.count], 0) < 0)
            fail("send");
        long long took = -1;
        if (poll(&ready, 1, 100) > 0 && recv(in, room, ROOM, 0) >= 0)
            took = (long long)(now_ns() - start);
        printf("%lld\n", took);
    }
}

int main(int count, char **words)
{
    prepare();
    if (count == 4 && !strcmp(words[1], "forward"))
        forward(words[2], words[3]);
    else if (count == 6 && !strcmp(words[1], "send"))
        send_frames(words[2], words[3], atof(words[4]), atof(words[5]));
    else if (count == 6 && !strcmp(words[1], "latency"))
        latency(words[2], words[3], words[4], atoi(words[5]));
    else {
        fprintf(stderr, "usage: traffic forward|send|latency ...; see the head of traffic.c\n");
        return 2;
    }
    return 0;
}
