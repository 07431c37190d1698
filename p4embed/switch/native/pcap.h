/* Recording a port's frames in pcap files (the classic format, nanosecond resolution). */
#ifndef WP_PCAP_H
#define WP_PCAP_H

#include <stdint.h>
#include <stdio.h>

/* Makes <directory>/<interface>_<direction>.pcap; NULL with errno set if it cannot. */
FILE *wp_pcap_open(const char *directory, const char *interface, const char *direction);
/* Appends a frame with the time of day. Nothing when file is NULL. */
void wp_pcap_write(FILE *file, const uint8_t *frame, uint32_t length);

#endif
