/* What a camera's process counted, and the report that two such counts make. Pure. */
#ifndef METER_H
#define METER_H

#include <stdint.h>
#include "job.h"

/* Totals since the start. */
struct meter {
    uint64_t units; /* coded pictures from the camera */
    uint64_t decodes, decode_us;
    uint64_t encodes, encode_us; /* scale, colour and JPEG */
    uint64_t taken, bytes;       /* by the broker */
    uint64_t damaged;            /* units not published for what was wrong with them */
    uint64_t dropped;            /* damaged and all others that nobody will see */
};

/* Fill the numbers of report from what changed between before and now, elapsed_us apart. Its state,
 * why, width and height are the caller's. */
void meter_report(struct job_report *report, const struct meter *now, const struct meter *before,
                  int64_t elapsed_us);

#endif
