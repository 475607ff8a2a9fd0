#include "kc_record.h"

#include <string.h>
#include "kc_jpeg.h"
#include "kc_marks.h"

/* Nobody sends a larger JPEG; what is larger is dropped. */
#define PICTURE_MAX (16 * 1024 * 1024)

const char *kc_record_wrong(const kc_kafka_event_t *event)
{
    if (event->value_size > PICTURE_MAX) {
        return "is larger than 16 MiB";
    }
    if (!kc_jpeg_is(event->value, event->value_size)) {
        return "is no JPEG";
    }
    if (kc_marks_find(event->value, event->value_size) & KC_MARKS_BOUNDARY) {
        return "holds the boundary of our streams (--" KC_MARKS_WORD
               "), which no camera writes: a browser would take what follows it for something else";
    }
    return NULL;
}

kc_frame_t *kc_record_frame(const kc_kafka_event_t *event, apr_time_t now)
{
    kc_frame_t *frame = kc_frame_create(KC_FRAME_PICTURE, event->partition, event->value_size);
    struct kc_wire_meta meta = { 0 };

    memcpy(frame->data, event->value, event->value_size);
    kc_kafka_headers(event, &meta);
    frame->dashes = kc_marks_find(frame->data, frame->size) != 0;
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
