/* The program alone, without packet I/O: CPU time of this thread, so that other load on the
 * machine matters little. Called by bench/pipeline.py. */
#include <string.h>
#include <time.h>

#include "engine.h"

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Runs `count` frames of `length` bytes, one after the other, in bursts of 64 as the data thread
 * does. Returns nanoseconds; *left counts the frames that came out. */
uint64_t bench_pipeline(struct wp_run *run, uint32_t port, const uint8_t *frames, uint32_t length,
                        uint32_t count, uint64_t *left)
{
    static uint8_t room[64][2048];
    struct wp_frame burst[64];
    uint64_t start = cpu_ns();
    *left = 0;
    for (uint32_t i = 0; i < count; i += 64) {
        uint32_t n = 0;
        for (; n < 64 && i + n < count; n++) {
            burst[n] = (struct wp_frame){room[n] + 1024, length};
            memcpy(burst[n].data, frames + (size_t)(i + n) * length, length);
        }
        wp_lock(run->engine);
        run->engine->program->process(run, port, burst, n);
        wp_unlock(run->engine);
        *left += run->output_count;
        wp_run_reset(run);
    }
    return cpu_ns() - start;
}
