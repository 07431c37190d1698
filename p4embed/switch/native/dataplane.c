#define _GNU_SOURCE
#include "dataplane.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STOP_EVENT UINT32_MAX
#define STUCK_MS 1 /* between tries of an interface whose queue is full */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the data thread ---------------------------------------------------------------------- */

static void flush(struct wp_dataplane *d)
{
    struct wp_run *run = &d->run;
    uint32_t touched[WP_BURST], count = 0;
    int told = 0;
    for (uint32_t i = 0; i < run->output_count; i++) {
        struct wp_output *o = &run->outputs[i];
        if (o->port == d->cpu_port) {
            wp_mailbox_put(&d->mailbox, o->frame, o->length);
            told = 1;
        } else if (o->port >= WP_PORTS || d->ports[o->port].fd < 0) {
            __atomic_fetch_add(&d->unknown_port, 1, __ATOMIC_RELAXED);
        } else {
            struct wp_port *port = &d->ports[o->port];
            if (!port->queued && count == WP_BURST)
                wp_port_send(port, o->frame, o->length);
            else {
                if (!port->queued)
                    touched[count++] = o->port;
                wp_port_queue(port, o->frame, o->length);
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        wp_port_flush(&d->ports[touched[i]]);
        d->stuck |= d->ports[touched[i]].is_stuck;
    }
    if (told)
        wp_mailbox_wake(&d->mailbox);
    wp_run_reset(run);
}

/* Try again to send what is stuck. */
static void push(struct wp_dataplane *d)
{
    d->stuck = 0;
    for (uint32_t i = 0; i < WP_PORTS; i++) {
        struct wp_port *port = &d->ports[i];
        if (port->fd < 0 || !port->is_stuck)
            continue;
        wp_port_flush(port);
        d->stuck |= port->is_stuck;
    }
}

/* Returns how many frames the port had. */
static uint32_t burst(struct wp_dataplane *d, uint32_t number)
{
    struct wp_port *port = &d->ports[number];
    struct wp_run *run = &d->run;
    uint32_t n = wp_port_receive(port, &d->inbox);
    if (!n)
        return 0;
    run->now_ns = now_ns();
    struct wp_frame frames[WP_BURST];
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += wp_inbox_frame(port, &d->inbox, i, &frames[count]);
    wp_lock(d->engine);
    d->engine->program->process(run, number, frames, count);
    wp_unlock(d->engine);
    flush(d);
    return n;
}

static void *data_thread(void *argument)
{
    struct wp_dataplane *d = argument;
    struct epoll_event events[WP_BURST];
    for (;;) {
        int ready = epoll_wait(d->epoll, events, WP_BURST, d->stuck ? STUCK_MS : -1);
        if (ready < 0 && errno != EINTR)
            return NULL;
        if (d->stuck)
            push(d);
        /* Ports that fill their bursts are served again without asking epoll in between. */
        while (ready > 0) {
            int still = 0;
            for (int i = 0; i < ready; i++) {
                uint32_t number = events[i].data.u32;
                if (number == STOP_EVENT)
                    return NULL;
                if (burst(d, number) == WP_BURST)
                    events[still++] = events[i];
            }
            ready = still;
            if (ready && d->stuck)
                push(d);
            uint64_t stop;
            if (ready && read(d->stop, &stop, sizeof stop) == sizeof stop)
                return NULL;
        }
    }
}

static void halt(struct wp_dataplane *d)
{
    if (!d->running)
        return;
    uint64_t one = 1;
    (void)!write(d->stop, &one, sizeof one);
    pthread_join(d->thread, NULL);
    (void)!read(d->stop, &one, sizeof one);
    d->running = 0;
    wp_inbox_close(&d->inbox);
    wp_run_close(&d->run);
    wp_run_close(&d->injected);
}

/* Run, if there is a program. 0 or an errno. */
static int go(struct wp_dataplane *d)
{
    if (!d->engine)
        return 0;
    int error = wp_inbox_open(&d->inbox, d->engine->program->headroom) |
                wp_run_open(&d->run, d->engine) | wp_run_open(&d->injected, d->engine);
    if (error)
        goto failed;
    /* Signals are for Python's main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&d->thread, NULL, data_thread, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        goto failed;
    d->running = 1;
    return 0;
failed:
    wp_inbox_close(&d->inbox);
    wp_run_close(&d->run);
    wp_run_close(&d->injected);
    return error < 0 ? ENOMEM : error;
}

/* ---- control ------------------------------------------------------------------------------ */

struct wp_dataplane *wp_dataplane_open(uint32_t cpu_port, int mapped)
{
    struct wp_dataplane *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    for (int i = 0; i < WP_PORTS; i++)
        d->ports[i].fd = -1;
    d->cpu_port = cpu_port;
    d->mapped = mapped;
    pthread_mutex_init(&d->control, NULL);
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    d->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = STOP_EVENT};
    if (wp_mailbox_open(&d->mailbox, 1) || d->epoll < 0 || d->stop < 0 ||
        epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->stop, &event)) {
        wp_dataplane_close(d);
        return NULL;
    }
    return d;
}

void wp_dataplane_close(struct wp_dataplane *d)
{
    halt(d);
    for (int i = 0; i < WP_PORTS; i++)
        if (d->ports[i].fd >= 0)
            wp_port_close(&d->ports[i]);
    if (d->epoll >= 0)
        close(d->epoll);
    if (d->stop >= 0)
        close(d->stop);
    wp_mailbox_free(&d->mailbox);
    pthread_mutex_destroy(&d->control);
    free(d);
}

int wp_dataplane_attach(struct wp_dataplane *d, uint32_t number, const char *interface,
                        const char *pcap_directory)
{
    if (number >= WP_PORTS)
        return ERANGE;
    if (d->ports[number].fd >= 0)
        return EBUSY;
    pthread_mutex_lock(&d->control);
    halt(d);
    struct wp_port *port = &d->ports[number];
    int error = wp_port_open(port, interface, pcap_directory, d->mapped);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (!error && epoll_ctl(d->epoll, EPOLL_CTL_ADD, port->fd, &event)) {
        error = errno;
        wp_port_close(port);
    }
    int restart = go(d);
    pthread_mutex_unlock(&d->control);
    return error ? error : restart;
}

void wp_dataplane_detach(struct wp_dataplane *d, uint32_t number)
{
    pthread_mutex_lock(&d->control);
    halt(d);
    if (number < WP_PORTS && d->ports[number].fd >= 0) {
        (void)epoll_ctl(d->epoll, EPOLL_CTL_DEL, d->ports[number].fd, NULL);
        wp_port_close(&d->ports[number]);
    }
    (void)go(d);
    pthread_mutex_unlock(&d->control);
}

int wp_dataplane_use(struct wp_dataplane *d, struct wp_engine *engine)
{
    pthread_mutex_lock(&d->control);
    halt(d);
    /* Frames from before this program are not for it. */
    for (int i = 0; engine && i < WP_PORTS; i++)
        if (d->ports[i].fd >= 0)
            wp_port_drain(&d->ports[i]);
    d->engine = engine;
    int error = go(d);
    pthread_mutex_unlock(&d->control);
    return error;
}

/* Send at once what an injected frame left behind; whether the controller got something. */
static int send_injected(struct wp_dataplane *d)
{
    struct wp_run *run = &d->injected;
    int told = 0;
    for (uint32_t i = 0; i < run->output_count; i++) {
        struct wp_output *o = &run->outputs[i];
        if (o->port == d->cpu_port) {
            wp_mailbox_put(&d->mailbox, o->frame, o->length);
            told = 1;
        } else if (o->port < WP_PORTS && d->ports[o->port].fd >= 0) {
            wp_port_send(&d->ports[o->port], o->frame, o->length);
        } else {
            __atomic_fetch_add(&d->unknown_port, 1, __ATOMIC_RELAXED);
        }
    }
    wp_run_reset(run);
    return told;
}

void wp_dataplane_inject(struct wp_dataplane *d, const uint8_t *frames, uint32_t count)
{
    struct wp_run *run = &d->injected;
    int told = 0;
    pthread_mutex_lock(&d->control);
    for (uint32_t i = 0; i < count && d->running; i++) {
        uint32_t length;
        memcpy(&length, frames, sizeof length);
        run->now_ns = now_ns();
        uint8_t *copy = wp_spare(run, length);
        if (copy) {
            memcpy(copy, frames + sizeof length, length);
            wp_lock(d->engine);
            d->engine->program->process(run, d->cpu_port, &(struct wp_frame){copy, length}, 1);
            wp_unlock(d->engine);
        }
        frames += sizeof length + length;
        told |= send_injected(d);
    }
    pthread_mutex_unlock(&d->control);
    if (told)
        wp_mailbox_wake(&d->mailbox);
}

uint32_t wp_dataplane_fetch(struct wp_dataplane *d, uint8_t *to, uint32_t room,
                            uint32_t *count)
{
    return wp_mailbox_take(&d->mailbox, to, room, count);
}

int wp_dataplane_bell(const struct wp_dataplane *d) { return d->mailbox.bell; }

uint32_t wp_dataplane_try_fetch(struct wp_dataplane *d, uint8_t *to, uint32_t room,
                                uint32_t *count)
{
    return wp_mailbox_try(&d->mailbox, to, room, count);
}

void wp_dataplane_end_fetch(struct wp_dataplane *d) { wp_mailbox_close(&d->mailbox); }

int wp_dataplane_mapped(struct wp_dataplane *d, uint32_t number)
{
    pthread_mutex_lock(&d->control);
    int ways = 0;
    if (number < WP_PORTS && d->ports[number].fd >= 0)
        ways = (d->ports[number].ring.slots ? 1 : 0) | (d->ports[number].xsk ? 2 : 0);
    pthread_mutex_unlock(&d->control);
    return ways;
}

int wp_dataplane_counts(struct wp_dataplane *d, uint32_t number, struct wp_port_counts *counts)
{
    pthread_mutex_lock(&d->control);
    int attached = number < WP_PORTS && d->ports[number].fd >= 0;
    if (attached) {
        struct wp_port *p = &d->ports[number];
        wp_port_collect(p);
        *counts = (struct wp_port_counts){p->rx_packets, p->rx_bytes,   p->rx_lost,
                                          p->tx_packets, p->tx_bytes,   p->tx_lost};
    }
    pthread_mutex_unlock(&d->control);
    return attached;
}

uint64_t wp_dataplane_cpu_lost(struct wp_dataplane *d)
{
    pthread_mutex_lock(&d->mailbox.lock);
    uint64_t lost = d->mailbox.lost;
    pthread_mutex_unlock(&d->mailbox.lock);
    return lost;
}
