/* Pictures of the past that were read, shared by all who look at the same minute: a bounded cache
 * of blocks, each of which covers the same number of offsets of one camera, beginning at a multiple
 * of it, so that whoever looks at a moment asks for the same block.
 *
 * Knows neither httpd nor Kafka. Not for several threads at once: kc_past has the lock. */
#ifndef KC_BLOCKS_H
#define KC_BLOCKS_H

#include <apr_pools.h>
#include <apr_ring.h>
#include "kc_frame.h"

/* Three seconds at 5 pictures a second, about half a megabyte: what one answer of a broker
 * holds. */
#define KC_BLOCK_RECORDS 16

typedef enum {
    KC_BLOCK_IDLE,
    KC_BLOCK_WANTED, /* in the owner's queue */
    KC_BLOCK_READING
} kc_block_state_t;

typedef struct kc_block_t kc_block_t;
struct kc_block_t {
    APR_RING_ENTRY(kc_block_t) used;  /* those used last come last */
    APR_RING_ENTRY(kc_block_t) place; /* the owner's: in its queue while it is wanted */
    kc_block_t *chain;
    int layer; /* these four do not change */
    apr_uint32_t cam;
    apr_int64_t first; /* its offsets: from first, so many */
    apr_int64_t limit; /* to before limit */
    apr_int64_t end;   /* offsets below are settled: their pictures are here, or there are none */
    apr_int64_t next;  /* of a settled block: an offset before which there is nothing more; -1: not
                          known */
    kc_block_state_t state; /* the owner's, as are the rest */
    unsigned rank;
    apr_time_t asked;  /* when it became wanted, 0: never */
    apr_time_t read;   /* when its first record came */
    apr_time_t at_end; /* when the partition was last seen to end at end, 0: it went on */
    apr_time_t failed; /* when reading it last failed, 0: it did not */
    int denied;        /* why: Kafka does not let us */
    apr_size_t bytes;
    int count;
    kc_frame_t *frames[KC_BLOCK_RECORDS]; /* our references, in the order of their offsets */
};

typedef struct kc_blocks_t kc_blocks_t;

/* bytes_max: of pictures; one block more may be there. Lives in pool. */
kc_blocks_t *kc_blocks_create(apr_size_t bytes_max, apr_pool_t *pool);

/* The block with offset, marked as used; NULL: it is not here. */
kc_block_t *kc_blocks_find(kc_blocks_t *blocks, int layer, apr_uint32_t cam, apr_int64_t offset);

/* The same, made if it is not here. What was used longest ago goes for it. */
kc_block_t *kc_blocks_make(kc_blocks_t *blocks, int layer, apr_uint32_t cam, apr_int64_t offset);

/* frame, whose offset is block's and not below its end, was read; what lies between is settled.
 * Takes over the caller's reference. */
void kc_blocks_add(kc_blocks_t *blocks, kc_block_t *block, kc_frame_t *frame);

/* Everything of block below end is settled. */
void kc_block_settle(kc_block_t *block, apr_int64_t end);
int kc_block_is_settled(const kc_block_t *block);

/* Of what is here: the first picture at offset or after it (step 1), or the last one at offset or
 * before it (step -1). NULL: there is none. Not a reference of yours. */
kc_frame_t *kc_block_picture(const kc_block_t *block, apr_int64_t offset, int step);

/* Forget block's pictures; blocks that are idle go. */
void kc_blocks_drop(kc_blocks_t *blocks, kc_block_t *block);

/* The same with all blocks of a camera. */
void kc_blocks_forget(kc_blocks_t *blocks, int layer, apr_uint32_t cam);

apr_size_t kc_blocks_bytes(const kc_blocks_t *blocks);

#endif
