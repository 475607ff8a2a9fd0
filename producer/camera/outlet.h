/* One of the pictures that a camera publishes: the whole one, or the small one for walls. From a
 * decoded picture to the record: rhythm, size, colour, JPEG, not too large. */
#ifndef OUTLET_H
#define OUTLET_H

#include <stddef.h>
#include <stdint.h>
#include "job.h"
#include "picture.h"
#include "sink.h"

#define OUTLET_QUALITY 80 /* of jobs that name none */

struct outlet;

struct outlet_counts {
    uint64_t dropped; /* here: no JPEG, too large */
    uint64_t encoded;
    uint64_t encode_us;     /* spent on those, scaling and colour too */
    uint32_t width, height; /* of the last one sent */
};

/* job and sink must outlive it. 0, or -1, logged. */
int outlet_open(struct outlet **result, enum sink_topic topic, const struct job *job,
                struct sink *sink);
void outlet_close(struct outlet *outlet);

/* Whether the picture of this time is one to publish. Ask once for each picture. */
int outlet_wants(struct outlet *outlet, int64_t media_us);

/* Whether a camera's own JPEG may go as it is: it is not wider than wanted, nor too large, no
 * quality was asked for, and nothing in it ends a stream (kc_marks.h). */
int outlet_passes(const struct outlet *outlet, uint32_t width, const uint8_t *jpeg, size_t size);

/* 1: handed to the sink. 0: dropped and counted. */
int outlet_picture(struct outlet *outlet, const struct picture *picture, int64_t captured_us);
int outlet_jpeg(struct outlet *outlet, const uint8_t *jpeg, size_t size, uint32_t width,
                uint32_t height, int64_t captured_us);

const struct outlet_counts *outlet_counts(const struct outlet *outlet);

#endif
