#include "outlet.h"

#include <stdlib.h>
#include "clock.h"
#include "jpeg.h"
#include "kc_marks.h"
#include "log.h"
#include "mem.h"
#include "pace.h"
#include "scale.h"

/* Below this a picture is mud; then it had better be dropped and somebody told. */
#define QUALITY_MIN 10

struct outlet {
    enum sink_topic topic;
    uint32_t max_width;
    size_t max_bytes;
    int quality;     /* wanted */
    int quality_now; /* lower while pictures would be too large */
    int pass;        /* no quality was asked for */
    uint64_t epoch_ms;
    struct sink *sink;
    struct scale *scale;
    struct jpeg *jpeg;
    struct pace_rhythm rhythm;
    int complained;
    uint64_t seq;
    struct outlet_counts counts;
};

int outlet_open(struct outlet **result, enum sink_topic topic, const struct job *job,
                struct sink *sink)
{
    struct outlet *outlet = mem_zeroed(1, sizeof(*outlet));
    int small = topic == SINK_SMALL;

    outlet->topic = topic;
    outlet->max_width = small ? job->settings.small_width : job->settings.width;
    outlet->max_bytes = job->settings.max_frame_bytes;
    outlet->pass = !job->settings.quality;
    outlet->quality = job->settings.quality ? (int)job->settings.quality : OUTLET_QUALITY;
    outlet->quality_now = outlet->quality;
    outlet->epoch_ms = job->epoch_ms;
    outlet->sink = sink;
    outlet->scale = scale_open();
    pace_rhythm_init(&outlet->rhythm, small ? job->settings.small_fps : job->settings.fps);
    if (jpeg_open(&outlet->jpeg)) {
        outlet_close(outlet);
        return -1;
    }
    *result = outlet;
    return 0;
}

void outlet_close(struct outlet *outlet)
{
    if (!outlet) {
        return;
    }
    scale_close(outlet->scale);
    jpeg_close(outlet->jpeg);
    free(outlet);
}

int outlet_wants(struct outlet *outlet, int64_t media_us)
{
    return pace_rhythm_wants(&outlet->rhythm, media_us);
}

int outlet_passes(const struct outlet *outlet, uint32_t width, const uint8_t *jpeg, size_t size)
{
    return outlet->pass && size <= outlet->max_bytes &&
           (!outlet->max_width || width <= outlet->max_width) && !kc_marks_find(jpeg, size);
}

static void complain(struct outlet *outlet, size_t size)
{
    if (!outlet->complained) {
        log_warning(1550,
                    "a picture has %zu bytes even at quality %d, above max_frame_bytes %zu; "
                    "such pictures are dropped",
                    size, outlet->quality_now, outlet->max_bytes);
        outlet->complained = 1;
    }
}

static int send(struct outlet *outlet, const uint8_t *jpeg, size_t size, uint32_t width,
                uint32_t height, int64_t captured_us)
{
    struct kc_wire_meta meta;

    meta.captured_us = (uint64_t)captured_us;
    meta.seq = outlet->seq + 1;
    meta.epoch_ms = outlet->epoch_ms;
    meta.width = width;
    meta.height = height;
    if (size > outlet->max_bytes || sink_send(outlet->sink, outlet->topic, jpeg, size, &meta)) {
        return -1;
    }
    outlet->seq++;
    outlet->counts.width = width;
    outlet->counts.height = height;
    return 0;
}

/* Encode; where by chance the JPEG holds what would end a stream in the middle, once more with
 * other numbers. 0, or -1. */
static int compress(struct outlet *outlet, const struct picture *picture, const uint8_t **jpeg,
                    size_t *size)
{
    int quality = outlet->quality_now;

    do {
        if (jpeg_compress(outlet->jpeg, picture, quality, jpeg, size)) {
            return -1;
        }
    } while (kc_marks_find(*jpeg, *size) && --quality >= QUALITY_MIN);
    return 0;
}

/* Encode and send, at lower quality where it is too large. Returns 1 if it went out. */
static int encode(struct outlet *outlet, const struct picture *picture, int64_t captured_us)
{
    const uint8_t *jpeg;
    size_t size;

    for (;;) {
        if (compress(outlet, picture, &jpeg, &size)) {
            return 0;
        }
        if (send(outlet, jpeg, size, (uint32_t)picture->width, (uint32_t)picture->height,
                 captured_us) == 0) {
            break;
        }
        if (outlet->quality_now <= QUALITY_MIN) {
            complain(outlet, size);
            return 0;
        }
        outlet->quality_now = outlet->quality_now * 2 / 3;
        if (outlet->quality_now < QUALITY_MIN) {
            outlet->quality_now = QUALITY_MIN;
        }
        log_debug("picture of %zu bytes is too large, quality %d", size, outlet->quality_now);
    }
    /* Back up slowly, so that not every picture gets encoded twice. */
    if (outlet->quality_now < outlet->quality && size < outlet->max_bytes / 4 * 3) {
        outlet->quality_now++;
    }
    return 1;
}

int outlet_picture(struct outlet *outlet, const struct picture *picture, int64_t captured_us)
{
    struct picture scaled;
    int64_t started_us = clock_mono_us();
    int sent = scale_convert(outlet->scale, &scaled, picture, (int)outlet->max_width) == 0 &&
               encode(outlet, &scaled, captured_us);

    outlet->counts.encoded++;
    outlet->counts.encode_us += (uint64_t)(clock_mono_us() - started_us);
    outlet->counts.dropped += !sent;
    return sent;
}

int outlet_jpeg(struct outlet *outlet, const uint8_t *jpeg, size_t size, uint32_t width,
                uint32_t height, int64_t captured_us)
{
    if (send(outlet, jpeg, size, width, height, captured_us)) {
        complain(outlet, size);
        outlet->counts.dropped++;
        return 0;
    }
    return 1;
}

const struct outlet_counts *outlet_counts(const struct outlet *outlet)
{
    return &outlet->counts;
}
