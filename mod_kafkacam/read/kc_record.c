#include "kc_record.h"

#include <string.h>
#include "kc_jpeg.h"

/* Nobody sends a larger JPEG; what is larger is dropped. */
#define PICTURE_MAX (16 * 1024 * 1024)

const char *kc_record_wrong(const kc_kafka_event_t *event)
{
    if (event->value_size > PICTURE_MAX) {
        return "is larger than 16 MiB";
    }
    return kc_jpeg_is(event->value, event->value_size) ? NULL : "is no JPEG";
}

kc_frame_t *kc_record_frame(const kc_kafka_event_t *event, apr_time_t now)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, event->partition, event->value_size);
    struct kc_wire_meta meta = { 0 };

    memcpy(frame->data, event->value, event->value_size);
    kc_kafka_headers(event, &meta);
    frame->offset = event->offset;
    frame->arrived = now;
    frame->captured = kc_wire_captured(&meta, event->stamp_ms, now);
    frame->seq = meta.seq;
    frame->epoch_ms = meta.epoch_ms;
    frame->width = meta.width;
    frame->height = meta.height;
    if (!meta.width || !meta.height) {
        kc_jpeg_size(frame->data, frame->size, &frame->width, &frame->height);
    }
    return frame;
}
