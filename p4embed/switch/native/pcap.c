#include "pcap.h"

#include <limits.h>
#include <time.h>

FILE *wp_pcap_open(const char *directory, const char *interface, const char *direction)
{
    char path[PATH_MAX];
    /* magic (nanoseconds), version 2.4, zone, accuracy, longest frame, Ethernet */
    static const uint32_t header[] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, 1 << 18, 1};
    snprintf(path, sizeof path, "%s/%s_%s.pcap", directory, interface, direction);
    FILE *file = fopen(path, "wbe");
    if (file) {
        fwrite(header, sizeof header, 1, file);
        fflush(file);
    }
    return file;
}

void wp_pcap_write(FILE *file, const uint8_t *frame, uint32_t length)
{
    if (!file)
        return;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint32_t head[] = {(uint32_t)t.tv_sec, (uint32_t)t.tv_nsec, length, length};
    flockfile(file);
    fwrite(head, sizeof head, 1, file);
    fwrite(frame, length, 1, file);
    fflush(file);
    funlockfile(file);
}
