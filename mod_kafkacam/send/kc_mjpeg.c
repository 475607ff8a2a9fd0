#include "kc_mjpeg.h"

#include <apr_strings.h>

#define DELIMITER  "--" KC_MJPEG_BOUNDARY "\r\n"
#define JPEG       "Content-Type: image/jpeg\r\n"
#define JSON       "Content-Type: application/json\r\n"
#define PLAIN_TAIL "\r\n" DELIMITER JPEG "\r\n"
#define META_TAIL  "\r\n" DELIMITER
#define WALL_TAIL  "\r\n"
#define HEARTBEAT  DELIMITER JSON "Content-Length: 2\r\n\r\n{}"

static void set_tail(kc_mjpeg_part_t *part, const char *tail, apr_size_t size)
{
    part->tail = tail;
    part->tail_size = size;
    part->sent = 0;
}

static void set_frame(kc_mjpeg_part_t *part, kc_frame_t *frame)
{
    part->frame = frame;
    part->data_size = frame->size;
}

/* The headers that say which frame this is, after a boundary. */
static void set_head(kc_mjpeg_part_t *part, const kc_frame_t *frame, const char *delimiter,
                     const char *type)
{
    part->head_size = apr_snprintf(
        part->head, sizeof(part->head),
        "%s%sX-Camera: %u\r\nX-Timestamp: %" APR_TIME_T_FMT "\r\nX-Seq: %" APR_UINT64_T_FMT
        "\r\nX-Offset: %" APR_INT64_T_FMT "\r\nContent-Length: %" APR_SIZE_T_FMT "\r\n\r\n",
        delimiter, type, frame->cam, frame->captured, frame->seq, frame->offset, frame->size);
}

void kc_mjpeg_open_plain(kc_mjpeg_part_t *part)
{
    set_tail(part, DELIMITER JPEG "\r\n", sizeof(DELIMITER JPEG "\r\n") - 1);
}

void kc_mjpeg_open_meta(kc_mjpeg_part_t *part)
{
    set_tail(part, DELIMITER, sizeof(DELIMITER) - 1);
}

void kc_mjpeg_plain(kc_mjpeg_part_t *part, kc_frame_t *frame)
{
    set_frame(part, frame);
    set_tail(part, PLAIN_TAIL, sizeof(PLAIN_TAIL) - 1);
}

void kc_mjpeg_meta(kc_mjpeg_part_t *part, kc_frame_t *frame)
{
    set_head(part, frame, "", JPEG);
    set_frame(part, frame);
    set_tail(part, META_TAIL, sizeof(META_TAIL) - 1);
}

void kc_mjpeg_wall(kc_mjpeg_part_t *part, kc_frame_t *frame)
{
    set_head(part, frame, DELIMITER, frame->kind == KC_FRAME_STATE ? JSON : JPEG);
    set_frame(part, frame);
    set_tail(part, WALL_TAIL, sizeof(WALL_TAIL) - 1);
}

void kc_mjpeg_heartbeat(kc_mjpeg_part_t *part)
{
    set_tail(part, HEARTBEAT WALL_TAIL, sizeof(HEARTBEAT WALL_TAIL) - 1);
}

void kc_mjpeg_end(kc_mjpeg_part_t *part)
{
    kc_frame_unref(part->frame);
    part->frame = NULL;
    part->tail = NULL;
    part->head_size = part->data_size = part->tail_size = part->sent = 0;
}

apr_size_t kc_mjpeg_left(const kc_mjpeg_part_t *part)
{
    return part->head_size + part->data_size + part->tail_size - part->sent;
}

int kc_mjpeg_vec(const kc_mjpeg_part_t *part, struct iovec vec[3], apr_size_t max)
{
    const struct iovec whole[3] = {
        { (void *)part->head, part->head_size },
        { part->frame ? part->frame->data : NULL, part->data_size },
        { (void *)part->tail, part->tail_size },
    };
    apr_size_t skip = part->sent;
    int used = 0, i;

    for (i = 0; i < 3 && max > 0; i++) {
        apr_size_t size = whole[i].iov_len;

        if (skip >= size) {
            skip -= size;
            continue;
        }
        size -= skip;
        vec[used].iov_base = (char *)whole[i].iov_base + skip;
        vec[used].iov_len = size < max ? size : max;
        max -= vec[used++].iov_len;
        skip = 0;
    }
    return used;
}
