#include "kc_frame.h"

#include <stdlib.h>
#include <string.h>
#include <apr_atomic.h>

kc_frame_t *kc_frame_create(kc_frame_kind_t kind, apr_uint32_t cam, apr_size_t size)
{
    kc_frame_t *frame = malloc(sizeof(*frame) + size);

    if (!frame) {
        abort();
    }
    memset(frame, 0, sizeof(*frame));
    frame->refs = 1;
    frame->kind = kind;
    frame->cam = cam;
    frame->offset = -1;
    frame->size = size;
    return frame;
}

kc_frame_t *kc_frame_ref(kc_frame_t *frame)
{
    apr_atomic_inc32(&frame->refs);
    return frame;
}

void kc_frame_unref(kc_frame_t *frame)
{
    if (frame && apr_atomic_dec32(&frame->refs) == 0) {
        free(frame);
    }
}
