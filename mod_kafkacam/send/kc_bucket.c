#include "kc_bucket.h"

static apr_status_t frame_read(apr_bucket *bucket, const char **data, apr_size_t *size,
                               apr_read_type_e block)
{
    kc_frame_t *frame = bucket->data;

    *data = frame->data + bucket->start;
    *size = bucket->length;
    return APR_SUCCESS;
}

static apr_status_t frame_copy(apr_bucket *bucket, apr_bucket **copy)
{
    kc_frame_ref(bucket->data);
    return apr_bucket_simple_copy(bucket, copy);
}

static apr_status_t frame_split(apr_bucket *bucket, apr_size_t point)
{
    apr_status_t rv = apr_bucket_simple_split(bucket, point);

    if (rv == APR_SUCCESS) {
        kc_frame_ref(bucket->data);
    }
    return rv;
}

static void frame_destroy(void *data)
{
    kc_frame_unref(data);
}

/* Set aside as it is: the frame does not live in any pool. */
static const apr_bucket_type_t frame_type = { "KAFKACAM-FRAME", 5,
                                              APR_BUCKET_DATA,  frame_destroy,
                                              frame_read,       apr_bucket_setaside_noop,
                                              frame_split,      frame_copy };

static apr_status_t nudge_read(apr_bucket *bucket, const char **data, apr_size_t *size,
                               apr_read_type_e block)
{
    *data = NULL;
    *size = 0;
    return APR_SUCCESS;
}

static const apr_bucket_type_t nudge_type = { "KAFKACAM-NUDGE",
                                              5,
                                              APR_BUCKET_METADATA,
                                              apr_bucket_destroy_noop,
                                              nudge_read,
                                              apr_bucket_setaside_noop,
                                              apr_bucket_split_notimpl,
                                              apr_bucket_simple_copy };

static apr_bucket *create(const apr_bucket_type_t *type, void *data, apr_size_t start,
                          apr_size_t size, apr_bucket_alloc_t *list)
{
    apr_bucket *bucket = apr_bucket_alloc(sizeof(*bucket), list);

    APR_BUCKET_INIT(bucket);
    bucket->type = type;
    bucket->free = apr_bucket_free;
    bucket->list = list;
    bucket->data = data;
    bucket->start = start;
    bucket->length = size;
    return bucket;
}

apr_bucket *kc_bucket_frame(kc_frame_t *frame, apr_size_t start, apr_size_t size,
                            apr_bucket_alloc_t *list)
{
    return create(&frame_type, kc_frame_ref(frame), (apr_off_t)start, size, list);
}

apr_bucket *kc_bucket_piece(kc_frame_t *frame, const struct iovec *piece, apr_bucket_alloc_t *list)
{
    const char *base = piece->iov_base;

    if (frame && base >= frame->data && base < frame->data + frame->size) {
        return kc_bucket_frame(frame, (apr_size_t)(base - frame->data), piece->iov_len, list);
    }
    return apr_bucket_transient_create(base, piece->iov_len, list);
}

apr_bucket *kc_bucket_nudge(apr_bucket_alloc_t *list)
{
    return create(&nudge_type, NULL, 0, 0, list);
}
